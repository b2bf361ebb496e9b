import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lsn } from '../cluster/lsn.ts'
import { timeline } from '../cluster/timeline.ts'
import { Scene } from './testing/scene.ts'

/** A replica whose replay stands still. */
function pausedReplay(version: number): Scene {
  const s = new Scene().leader('b')
  s.server.version = version
  const { postgres } = s.ha.world
  const look = postgres.observe.bind(postgres)
  Object.assign(postgres, {
    observe: async (signal: AbortSignal) => {
      const seen = await look(signal)
      return seen.kind === 'observed' ? { ...seen, observation: { ...seen.observation, replayPaused: true } } : seen
    },
  })
  return s
}

test('7.4 a replay that stands still is looked after from PostgreSQL 14 on, in pause it is left', async () => {
  const s = pausedReplay(140000)
  await s.cycle()
  assert.ok(s.did('resume replay'))
  const old = pausedReplay(130000)
  await old.cycle()
  assert.ok(!old.did('resume replay'))
  const paused = pausedReplay(140000).config({ pause: true })
  await paused.cycle()
  assert.ok(!paused.did('resume replay'))
})

test('7.4 and 11 two primaries in pause are left alone, and told as what they are', async () => {
  const s = new Scene().primary().leader('b').config({ pause: true })
  assert.equal((await s.cycle()).text, 'PAUSE: continue to run as primary without lock')
  assert.ok(s.said('WARNING b has the lock and is a primary too: what is written here, it does not have'))
  const alone = new Scene().primary().leader('b').member('b', { role: 'replica' }).config({ pause: true })
  await alone.cycle()
  assert.ok(!alone.said('WARNING'))
})

test('7.4 and 5.3 histories are compared where the leader is on a timeline that this replica has not seen', async () => {
  const s = new Scene().leader('b').member('b', { role: 'primary', timeline: 2 })
  s.server.rewindSource = { kind: 'primary', timeline: timeline(2), lsn: lsn(5000), history: [] }
  await s.cycle()
  assert.ok(s.did('rewind'))
})

test('7.4 and 5.3 and where this replica is on one that the leader never was on, unless it streams (seed 23000998)', async () => {
  for (const streams of [false, true]) {
    const s = new Scene().leader('b').member('b', { role: 'primary', timeline: 1 })
    Object.assign(s.server, { timeline: 2, streams })
    s.server.rewindSource = { kind: 'primary', timeline: timeline(1), lsn: lsn(5000), history: [] }
    // The first cycle learns the own timeline.
    for (let i = 0; i < 2; i++) await s.cycle()
    assert.equal(s.did('rewind'), !streams)
  }
})

test('7.4 without a standby leader that has an address a replica goes on following the one before', async () => {
  const s = new Scene().config({ standby_cluster: { host: 'far' } }).leader('b')
  s.keys.delete('members/b')
  assert.equal((await s.cycle()).rule, 'old-standby-leader')
})

test('7.4 a standby leader is told as one when it takes over without a restart', async () => {
  const s = new Scene().config({ standby_cluster: { host: 'far' } }).leader('a')
  assert.equal((await s.cycle()).rule, 'standby-leader-had-lock')
  assert.equal(s.server.role, 'standby_leader')
  assert.ok(s.did('on_role_change standby_leader'))
})

test('7.4 and 15.2 a standby that somebody promoted behind our back is found by its own next timeline', async () => {
  const s = new Scene()
    .config({ standby_cluster: { host: 'far' } })
    .leader('b')
    .member('b', { timeline: 1 })
  const asked: number[] = []
  Object.assign(s.ha.world.postgres, {
    localTimelineHistory: async (t: number) => {
      asked.push(t)
      return { switches: [], modifiedAt: '' }
    },
  })
  await s.cycle()
  assert.deepEqual(asked, [2])
  assert.equal(s.ha.memory.divergence.state, 'check')
})
