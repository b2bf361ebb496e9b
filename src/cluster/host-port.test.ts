import assert from 'node:assert/strict'
import { test } from 'node:test'
import { splitHostPort } from './host-port.ts'

const CASES: readonly (readonly [string, string, string | null])[] = [
  ['127.0.0.1,www.x,[fe80::1], ::1:5400', '127.0.0.1,www.x,fe80::1,::1', '5400'],
  [':5432', '', '5432'],
  ['db', 'db', '5432'],
  ['0.0.0.0:6000', '0.0.0.0', '6000'],
  ['[::1]:6000', '::1', '6000'],
]

for (const [text, host, port] of CASES)
  test(`configuration.md 1.5: '${text}' is host '${host}' and port ${port}`, () => {
    assert.deepEqual(splitHostPort(text, 5432), { host, port })
  })
