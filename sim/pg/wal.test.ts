import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lsn } from '../../src/cluster/lsn.ts'
import { timeline } from '../../src/cluster/timeline.ts'
import { type Branch, branchAt, commonPoint, historyOf, includes } from './wal.ts'

function branch(number: number, owner: string, parent: Branch | null, fork: number, end: number): Branch {
  return {
    systemIdentifier: '1',
    timeline: timeline(number),
    owner,
    parent,
    forkLsn: lsn(fork),
    end: lsn(end),
    createdAt: 0,
  }
}

const first = branch(1, 'a', null, 0, 500)
const second = branch(2, 'b', first, 300, 700)

test('a history holds what came before its fork, and nothing that was written beside it', () => {
  const tip = { branch: second, lsn: lsn(700) }
  assert.equal(includes(tip, { branch: first, lsn: lsn(300) }), true)
  assert.equal(includes(tip, { branch: first, lsn: lsn(301) }), false)
  assert.equal(includes(tip, { branch: second, lsn: lsn(700) }), true)
  assert.equal(includes({ branch: first, lsn: lsn(500) }, { branch: second, lsn: lsn(400) }), false)
})

test('two histories part at the fork', () => {
  const point = commonPoint({ branch: first, lsn: lsn(500) }, { branch: second, lsn: lsn(700) })
  assert.deepEqual([point?.branch, point?.lsn], [first, 300])
})

test('a record at the fork belongs to the old timeline, the next one to the new', () => {
  assert.equal(branchAt(second, lsn(300)), first)
  assert.equal(branchAt(second, lsn(301)), second)
  assert.deepEqual(
    historyOf(second).map(({ timeline: t, switchpoint }) => [t, switchpoint]),
    [[1, 300]],
  )
})
