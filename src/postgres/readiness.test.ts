import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readFirstMessage } from './readiness.ts'

function errorMessage(sqlState: string): Buffer {
  const fields = Buffer.from(`SFATAL\0C${sqlState}\0Mthe database system is starting up\0\0`)
  const head = Buffer.alloc(5)
  head.write('E')
  head.writeInt32BE(4 + fields.length, 1)
  return Buffer.concat([head, fields])
}

test('1.6 a server that asks for a password, or lets us in, accepts connections', () => {
  assert.equal(readFirstMessage(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0])), 'accepting')
})

test('1.6 "cannot connect now" is a rejection, every other refusal shows a server that works', () => {
  assert.equal(readFirstMessage(errorMessage('57P03')), 'rejecting')
  assert.equal(readFirstMessage(errorMessage('53300')), 'accepting')
  assert.equal(readFirstMessage(errorMessage('28000')), 'accepting')
})

test('1.6 half a message decides nothing, bytes of another protocol are no response', () => {
  const whole = errorMessage('57P03')
  for (let n = 0; n < whole.length; n++) assert.equal(readFirstMessage(whole.subarray(0, n)), null)
  assert.equal(readFirstMessage(Buffer.from('HTTP/1.1 400')), 'no-response')
})
