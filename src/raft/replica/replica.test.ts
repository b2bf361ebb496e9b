import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Instant } from '../../cluster/time.ts'
import { type Body, type Entry, NOTHING_RESTORED, nodeId } from '../core/types.ts'
import { KeyValues } from '../kv/key-values.ts'
import { Replica } from './replica.ts'

const [A, B] = [nodeId('a#1'), nodeId('b#1')]

test('a snapshot of the leader that arrives while earlier entries are being written takes their place', () => {
  const raft = { id: B, heartbeatTicks: 2, electionTicks: 5, jitterTicks: 0, appendBytesMax: 1e6, random: () => 0 }
  const options = { raft, now: () => 0 as Instant, firstRead: 1, snapshotEvery: 2, keepEntries: 1 }
  const replica = new Replica(options, NOTHING_RESTORED)
  const step = (body: Body): void => replica.step({ from: A, to: B, term: 1, body })
  const entries: Entry[] = [1, 2, 3].map((index) => ({ index, term: 1, body: { kind: 'nothing' } }))
  step({ kind: 'append', prevIndex: 0, prevTerm: 0, entries, commit: 3 })
  const first = replica.ready()
  assert.equal(first?.committed.length, 3)
  const data = new KeyValues().image()
  const membership = { voters: [A, B], learners: [] }
  step({ kind: 'snapshot', snapshot: { index: 10, term: 1, membership, data } })
  assert.equal(first && replica.finish(first), null)
  const second = replica.ready()
  assert.equal(second?.snapshot?.index, 10)
  if (second) replica.finish(second)
  assert.equal(replica.kvs.index, 10)
  assert.equal(replica.raft.status.applied, 10)
})
