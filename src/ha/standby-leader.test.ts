import assert from 'node:assert/strict'
import { test } from 'node:test'
import { printJson } from '../cluster/json.ts'
import { lsn } from '../cluster/lsn.ts'
import { timeline } from '../cluster/timeline.ts'
import type { RewindSource } from '../ports/postgres.ts'
import { Scene } from './testing/scene.ts'

/** The leader of a standby cluster, on timeline 1 at 1000, whose agent was started anew. */
function standbyLeader(streams: boolean, remote: RewindSource): Scene {
  const s = new Scene().config({ standby_cluster: { host: 'far' } }).leader('a')
  Object.assign(s.server, { role: 'standby_leader', streams, rewindSource: remote })
  return s
}

const primary = (on: number, switchpoint: number): RewindSource => ({
  kind: 'primary',
  lsn: lsn(5000),
  timeline: timeline(on),
  history:
    on > 1 ? [{ timeline: timeline(1), switchpoint: lsn(switchpoint), reason: 'no recovery target specified' }] : [],
})

test('7.5 and 5.3 a standby leader to which nothing comes from the remote primary compares histories once that is on a newer timeline', async () => {
  const s = standbyLeader(false, primary(2, 900))
  assert.equal((await s.cycle()).text, 'running pg_rewind from remote_member')
  const again = standbyLeader(false, primary(2, 1000))
  assert.equal((await again.cycle()).rule, 'standby-leader-with-lock')
  assert.equal(again.ha.memory.divergence.state, 'not-needed')
  again.server.lsn = 1100
  assert.equal((await again.cycle()).rule, 'rewind', 'the rest of the local WAL was replayed only then')
})

test('7.5 a standby leader never goes back to an older timeline by itself, and asks nobody while WAL comes', async () => {
  const older = standbyLeader(false, primary(1, 0))
  older.server.timeline = 2
  assert.equal((await older.cycle()).rule, 'standby-leader-with-lock')
  const streaming = standbyLeader(true, primary(2, 900))
  assert.equal((await streaming.cycle()).rule, 'standby-leader-with-lock')
  for (const s of [older, streaming]) assert.equal(s.ha.memory.divergence.state, 'idle')
})

test('7.5 a settled standby leader ends what a sync key of before promised: it would bar all other copies from a promotion', async () => {
  const s = standbyLeader(true, primary(1, 0))
  s.keys.set('sync', printJson({ leader: 'b', sync_standby: 'c', quorum: 0 }))
  await s.cycle()
  assert.ok(!s.keys.has('sync'))
  const settling = standbyLeader(true, primary(1, 0))
  settling.server.role = 'replica'
  settling.keys.set('sync', printJson({ leader: 'b', sync_standby: 'c', quorum: 0 }))
  await settling.cycle()
  assert.ok(settling.keys.has('sync'), 'not before it is one')
})
