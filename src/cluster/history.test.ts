import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clusterTimeline, parseHistory, printHistory, sharedWalEnd, withPassedOver } from './history.ts'
import { lsn } from './lsn.ts'
import { version } from './stored.ts'
import { timeline } from './timeline.ts'

const stored = (text: string) => parseHistory({ text, version: version('1'), session: null })

test('ha 1.3 the timeline of a cluster is one after the last of its history; 1 for an empty one, 0 for none', () => {
  const cases: readonly (readonly [text: string | null, timeline: number])[] = [
    [null, 0],
    ['[]', 1],
    ['{}', 0],
    ['no list', 0],
    ['[[1,100,"why"]]', 2],
    ['[[1,100,"why"],[4,200,"why","2026-01-02T03:04:05+00:00","b"]]', 5],
  ]
  for (const [text, timeline] of cases)
    assert.equal(clusterTimeline(text === null ? null : stored(text)), timeline, String(text))
})

test('ha 6.3 WAL of a timeline that the cluster has left is shared up to where it was left', () => {
  const history = stored('[[2,200,"why"],[4,400,"why"]]')
  const cases: readonly (readonly [own: number, position: number, shared: number])[] = [
    [5, 900, 900],
    [6, 900, 900],
    [4, 900, 400],
    [4, 300, 300],
    [3, 900, 200],
    [2, 900, 200],
    [1, 900, 200],
  ]
  for (const [own, position, shared] of cases)
    assert.equal(sharedWalEnd(history, timeline(own), lsn(position)), shared, `timeline ${own} at ${position}`)
  assert.equal(sharedWalEnd(null, timeline(1), lsn(900)), 900)
  assert.equal(sharedWalEnd(stored('[]'), timeline(1), lsn(900)), 900)
})

test('ha 6.3 who left a timeline where the cluster went on shares only what was before', () => {
  const history = stored('[[1,300,"why"],[2,300,"passed over"]]')
  const left = (at: number) => [{ timeline: timeline(1), switchpoint: lsn(at), reason: 'why' }]
  const shared = (cameBy: ReturnType<typeof left> | null): number =>
    sharedWalEnd(history, timeline(2), lsn(900), cameBy)
  assert.equal(shared(null), 300)
  assert.equal(shared(left(200)), 200)
  assert.equal(shared(left(400)), 300)
  assert.equal(sharedWalEnd(history, timeline(3), lsn(900), left(300)), 900)
})

test('ha 18.1 numbers passed over on the way to a timeline are in its history, as timelines without WAL', () => {
  const one = (number: number, at: number) => ({ timeline: timeline(number), switchpoint: lsn(at), reason: 'why' })
  const numbers = (current: number, ...switches: ReturnType<typeof one>[]): (readonly [number, number])[] =>
    withPassedOver(switches, timeline(current)).map((line) => [line.timeline, line.switchpoint])
  assert.deepEqual(numbers(3, one(1, 100), one(2, 200)), [
    [1, 100],
    [2, 200],
  ])
  assert.deepEqual(numbers(6, one(1, 100), one(3, 200)), [
    [1, 100],
    [2, 100],
    [3, 200],
    [4, 200],
    [5, 200],
  ])
  assert.deepEqual(numbers(4_000_000_000, one(1, 100)), [[1, 100]], 'nobody has passed over so many')
})

test('ha 18.1 records of three, four and five fields are kept as they are, what is none is passed over', () => {
  const text = '[[1,100,"why"],[2,200,"why","2026-01-02T03:04:05+00:00"],[3,300,"why","2026-01-02T03:04:05+00:00","b"]]'
  assert.equal(JSON.stringify(printHistory(stored(text)?.records ?? [])), text)
  assert.deepEqual(
    stored('[["x"],7,[2,"y","z"],[5,6,"why"]]')?.records?.map((record) => record.timeline),
    [5],
  )
  assert.equal(stored(text)?.whole, true)
  for (const damaged of ['{}', 'no list', '[[1]]']) assert.equal(stored(damaged)?.whole, false)
})
