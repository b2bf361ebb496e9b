import assert from 'node:assert/strict'
import type { LookupAddress } from 'node:dns'
import { test } from 'node:test'
import type { Instant } from '../cluster/time.ts'
import type { Clock } from '../ports/clock.ts'
import { NameCache } from './lookup.ts'

function setUp() {
  const time = { now: 0 }
  const answers: (string[] | Error)[] = []
  const asked: string[] = []
  const clock = { now: () => time.now as Instant } as Clock
  const cache = new NameCache(clock, (name) => {
    asked.push(name)
    const answer = answers.shift() ?? new Error('SERVFAIL')
    if (answer instanceof Error) return Promise.reject(answer)
    return Promise.resolve(answer.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })))
  })
  const names = async (name: string) => (await cache.addresses(name)).map(({ address }) => address)
  return { time, answers, asked, cache, names }
}

test('3.1 an answer serves for 600 s, a failure for 30 s', async () => {
  const { time, answers, asked, names } = setUp()
  answers.push(['10.0.0.1'])
  assert.deepEqual(await names('a'), ['10.0.0.1'])
  time.now = 599_999
  assert.deepEqual(await names('a'), ['10.0.0.1'])
  assert.equal(asked.length, 1)

  await assert.rejects(names('b'), /SERVFAIL/)
  time.now += 29_999
  await assert.rejects(names('b'), /SERVFAIL/)
  assert.equal(asked.length, 2)
  time.now += 2
  answers.push(['10.0.0.2'])
  assert.deepEqual(await names('b'), ['10.0.0.2'])
})

test('3.1 an old answer is served while a new one is asked for, and when that fails', async () => {
  const { time, answers, asked, names } = setUp()
  answers.push(['10.0.0.1'])
  await names('a')
  time.now = 600_001
  assert.deepEqual(await names('a'), ['10.0.0.1'], 'at once')
  await new Promise(setImmediate)
  assert.deepEqual(await names('a'), ['10.0.0.1'], 'though the name server fails')
  time.now += 30_001
  answers.push(['10.0.0.9'])
  await names('a')
  await new Promise(setImmediate)
  assert.deepEqual(await names('a'), ['10.0.0.9'])
  assert.equal(asked.length, 3)
})

test('an expired name is asked for again', async () => {
  const { answers, cache, names } = setUp()
  answers.push(['10.0.0.1'], ['10.0.0.2'])
  await names('a')
  cache.expire(['a', 'unknown'])
  await names('a')
  await new Promise(setImmediate)
  assert.deepEqual(await names('a'), ['10.0.0.2'])
})

test('as a look-up for sockets it gives one address or all, of the family that is wanted', async () => {
  const { answers, cache } = setUp()
  answers.push(['10.0.0.1', 'fe80::1'])
  const ask = (options: { all?: boolean; family?: number }) =>
    new Promise<unknown>((resolve) => cache.lookup('a', options, (error, found) => resolve(error?.message ?? found)))
  assert.equal(await ask({}), '10.0.0.1')
  assert.deepEqual(await ask({ all: true }), [
    { address: '10.0.0.1', family: 4 },
    { address: 'fe80::1', family: 6 },
  ])
  assert.equal(await ask({ family: 6 }), 'fe80::1')
  const other = setUp()
  other.answers.push(['10.0.0.1'])
  const message = await new Promise((resolve) =>
    other.cache.lookup('a', { family: 6 }, (error) => resolve(error?.message)),
  )
  assert.match(String(message), /no address/)
})
