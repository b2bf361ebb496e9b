import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FaultRecord, Write } from './history.ts'
import { outagesOf } from './outages.ts'

/** Writes at these seconds, and nothing else. */
function outages(
  atSeconds: readonly number[],
  faults: readonly FaultRecord[],
  replicas: readonly string[] = ['n2', 'n3'],
) {
  const rows = atSeconds.map((s, id): Write => {
    return { client: 'rows1', node: 'n1', id, sentAt: s * 1000, at: s * 1000, position: id, timeline: 1 }
  })
  const streams = [{ at: 0, primary: 'n1', replicas }]
  const found = outagesOf({ rows, transfers: [], appends: [], totals: [], streams }, faults)
  return found.map(({ ms, owedMs, faults: during }) => ({ s: ms / 1000, owed: owedMs / 1000, faults: during.length }))
}

function fault(fromSecond: number, toSecond: number, change: Partial<FaultRecord> = {}): FaultRecord {
  const times = { from: fromSecond * 1000, to: toSecond * 1000 }
  return { number: 1, kind: 'kill-host', on: 'n1', members: [], stores: [], isUnavoidable: false, ...times, ...change }
}

test('a gap of less than a second is no outage', () => {
  assert.deepEqual(outages([1, 1.9, 2.8], []), [])
})

test('an outage without a fault is owed in full', () => {
  assert.deepEqual(outages([1, 4], []), [{ s: 3, owed: 3, faults: 0 }])
})

test('with one member gone the others owe writes from the beginning', () => {
  assert.deepEqual(outages([1, 9], [fault(2, 30, { members: ['n1'] })]), [{ s: 8, owed: 7, faults: 1 }])
})

test('without a majority of the store nothing is owed until it is back', () => {
  const gone = fault(2, 20, { stores: ['etcd1', 'etcd2'] })
  assert.deepEqual(outages([1, 25], [gone]), [{ s: 24, owed: 5, faults: 1 }])
  assert.equal(outages([1, 25], [fault(1, 20, { stores: ['etcd1'] })])[0]?.owed, 24, 'one server is no majority')
})

test('with two members gone nothing is owed until one of them is back', () => {
  const faults = [fault(2, 10, { members: ['n1'] }), fault(3, 20, { members: ['n2'] })]
  assert.equal(outages([1, 30], faults)[0]?.owed, 20)
})

test('nothing is owed while only a member that is away holds the last commits', () => {
  const away = fault(2, 20, { members: ['n1'] })
  assert.equal(outages([1, 25], [away], [])[0]?.owed, 5)
  assert.equal(outages([1, 25], [away], ['n3'])[0]?.owed, 23)
})

test('a new fault begins the time anew', () => {
  const faults = [fault(2, 60, { members: ['n1'] }), fault(12, 13, { kind: 'switchover' })]
  assert.equal(outages([1, 20], faults)[0]?.owed, 10)
})

test('what nobody can act against is not owed', () => {
  assert.equal(outages([1, 22], [fault(2, 20, { members: ['n1'], isUnavoidable: true })])[0]?.owed, 2)
})
