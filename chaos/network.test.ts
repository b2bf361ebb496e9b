import assert from 'node:assert/strict'
import { test } from 'node:test'
import { filterScript } from './network.ts'

test('a filter drops all packets of one host and some of another, and replaces what was there', () => {
  const addresses: Readonly<Record<string, string>> = { n2: '10.0.0.2', n3: '10.0.0.3' }
  const script = filterScript(
    [
      { from: 'n2', to: 'n1', share: 1 },
      { from: 'n3', to: 'n1', share: 0.25 },
    ],
    (name) => addresses[name] ?? '',
  )
  assert.match(script, /^table inet chaos\ndelete table inet chaos\n/)
  assert.match(script, /^ {4}ip saddr 10\.0\.0\.2 drop$/m)
  assert.match(script, /^ {4}ip saddr 10\.0\.0\.3 numgen random mod 1000 < 250 drop$/m)
})
