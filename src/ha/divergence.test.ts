import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lsn } from '../cluster/lsn.ts'
import { type TimelineSwitch, timeline } from '../cluster/timeline.ts'
import { compareHistories, historyExcerpt, lossOf, lossText } from './divergence.ts'

/** Timeline 1 ended at 100, timeline 2 at 200; the leader is on 3. */
const HISTORY: readonly TimelineSwitch[] = [
  { timeline: timeline(1), switchpoint: lsn(100), reason: 'no recovery target specified' },
  { timeline: timeline(2), switchpoint: lsn(200), reason: 'no recovery target specified' },
]

const LEADER = { timeline: timeline(3), lsn: lsn(20_000), history: HISTORY }

const CASES: readonly (readonly [
  title: string,
  on: number,
  at: number,
  inRecovery: boolean,
  end: number,
  needed: boolean,
])[] = [
  ['a replica behind the switch', 2, 150, true, 0, false],
  ['a replica exactly at the switch', 2, 200, true, 0, false],
  ['a replica past the switch', 2, 201, true, 0, true],
  ['a replica past an older switch', 1, 150, true, 0, true],
  ['a former primary whose shutdown checkpoint is the last record before the switch', 2, 190, false, 200, false],
  ['a former primary whose shutdown checkpoint the leader never saw', 2, 190, false, 210, true],
  ['a former primary whose last record cannot be read', 2, 190, false, 0, true],
  ['a former primary past the switch', 2, 200, false, 210, true],
  ['a newer timeline here than there', 4, 10, true, 0, true],
  ['the same timeline', 3, 10_000, false, 0, false],
]

for (const [title, on, at, inRecovery, end, needed] of CASES) {
  test(`5.3 ${title}: ${needed ? 'rewind' : 'follow'}`, () => {
    const local = { timeline: timeline(on), lsn: lsn(at), inRecovery }
    assert.equal(compareHistories(local, LEADER, { history: null, checkpointEnd: lsn(end) }).needed, needed)
  })
}

test('5.3 a timeline that the leader never was on', () => {
  const local = { timeline: timeline(2), lsn: lsn(10), inRecovery: true }
  const found = compareHistories(
    local,
    { ...LEADER, history: [HISTORY[0] as TimelineSwitch] },
    { history: null, checkpointEnd: lsn(0) },
  )
  assert.deepEqual(found, { needed: true, because: 'not-an-ancestor', switchpoint: null })
})

const OWN_FILES: readonly (readonly [
  title: string,
  own: readonly TimelineSwitch[] | null,
  at: number,
  twice: boolean,
])[] = [
  ['and the same file', HISTORY, 300, false],
  ['and no file of it', null, 300, false],
  ['whose file only passes the number over', [], 300, false],
  [
    'but another switch before',
    [HISTORY[0] as TimelineSwitch, { ...(HISTORY[1] as TimelineSwitch), switchpoint: lsn(190) }],
    300,
    true,
  ],
  ['but fewer switches before', [HISTORY[0] as TimelineSwitch], 300, true],
  ['and the same file, but more WAL than the leader has flushed', HISTORY, 20_001, true],
]
for (const [title, own, at, twice] of OWN_FILES) {
  test(`5.3 the same number ${title}: ${twice ? 'two histories' : 'one history'}`, () => {
    const local = { timeline: timeline(3), lsn: lsn(at), inRecovery: true }
    const { needed, because } = compareHistories(local, LEADER, { history: own, checkpointEnd: lsn(0) })
    assert.deepEqual([needed, because], twice ? [true, 'number-used-twice'] : [false, 'same-timeline'])
  })
}

test('5.3 a long history is shown around the line that decides', () => {
  const long = Array.from({ length: 9 }, (_, i) => ({
    timeline: timeline(i + 1),
    switchpoint: lsn((i + 1) * 16),
    reason: 'r',
  }))
  assert.deepEqual(
    historyExcerpt(long, timeline(4))
      .split('\n')
      .map((line) => line.split('\t')[0]),
    ['3', '4', '5', '9'],
  )
})

test('5.3 what the leader never had is told by timeline, place and size, as far as it is known', () => {
  const loss = (on: number, at: number, inRecovery: boolean, end: number): string | null => {
    const local = { timeline: timeline(on), lsn: lsn(at), inRecovery }
    const found = lossOf(local, compareHistories(local, LEADER, { history: null, checkpointEnd: lsn(end) }), lsn(end))
    return found && lossText(found, 'b')
  }
  assert.equal(loss(2, 200, true, 0), null)
  assert.equal(loss(3, 10_000, false, 0), null)
  assert.equal(loss(2, 255, true, 0), '55 bytes of WAL on timeline 2 from 0/C8 to 0/FF are not in the history of b')
  assert.equal(loss(2, 210, false, 255), '55 bytes of WAL on timeline 2 from 0/C8 to 0/FF are not in the history of b')
  const unknown = 'is not in the history of b, from where on is not known'
  assert.equal(loss(4, 10, true, 0), `WAL on timeline 4 up to 0/A ${unknown}`)
  assert.equal(loss(2, 190, false, 0), `WAL on timeline 2 up to 0/BE ${unknown}`)
})
