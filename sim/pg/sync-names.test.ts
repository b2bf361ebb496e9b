import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lsn } from '../../src/cluster/lsn.ts'
import { confirmedLsn, parseSyncRule, type Standby, syncStates } from './sync-names.ts'

const at = (name: string, position: number): Standby => ({ name, streaming: true, flushLsn: lsn(position) })
const STANDBYS = [at('b', 100), at('c', 90), at('d', 80)]

const CASES = [
  ['', null],
  ['b', 100],
  ['c,b', 90],
  ['2 (b,c)', 90],
  ['FIRST 2 (c, "d", b)', 80],
  ['ANY 1 (c,d)', 90],
  ['ANY 2 (b,c,d)', 90],
  ['*', 100],
  ['x', null],
  ['2 (b,x)', null],
] as const

for (const [text, expected] of CASES) {
  test(`synchronous_standby_names = '${text}' confirms up to ${expected ?? 'nothing'}`, () => {
    const rule = parseSyncRule(text)
    assert.equal(rule.kind === 'none' ? null : confirmedLsn(rule, STANDBYS), expected)
  })
}

test('sync_state tells who counts', () => {
  const states = syncStates(parseSyncRule('1 (c,b)'), STANDBYS)
  assert.deepEqual(
    STANDBYS.map(({ name }) => states.get(name)?.state),
    ['potential', 'sync', 'async'],
  )
})
