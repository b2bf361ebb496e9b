import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../cluster/json.ts'
import { memberData } from './member-key.ts'
import { Scene } from './testing/scene.ts'

const never = new AbortController().signal

test('18.2 the key of a replica: names, order and values', async () => {
  const s = new Scene().leader('b')
  s.tags = { nosync: true, region: 'north' }
  await s.cycle()
  assert.equal(
    JSON.stringify(await memberData(s.ha, never)),
    '{"conn_url":"postgres://a:5432/postgres","api_url":"http://a:8008/patroni","state":"running","role":"replica",' +
      '"version":"5.0.0","tags":{"nosync":true,"region":"north"},"xlog_location":1000,"replay_lsn":1000,' +
      '"receive_lsn":1000,"replication_state":"streaming","timeline":1}',
  )
})

test('18.2 the key of a primary has its position and timeline, and a mark until its first checkpoint', async () => {
  const s = new Scene().primary()
  const data = await memberData(s.ha, never)
  assert.deepEqual(Object.keys(data), 'conn_url,api_url,state,role,version,xlog_location,timeline'.split(','))
  s.ha.memory.divergence.state = 'idle'
  assert.equal((await memberData(s.ha, never))['checkpoint_after_promote'], false)
  s.nowMs += 30_000
  assert.equal('checkpoint_after_promote' in (await memberData(s.ha, never)), false, 'only a leader says so')
})

test('18.2 what waits for a restart, a planned restart and a pause are told', async () => {
  const s = new Scene().leader('b').config({ pause: true })
  await s.cycle()
  const reason = { max_connections: { old_value: '100', new_value: '101' } }
  Object.assign(s.ha.world.postgres, { pendingRestart: reason })
  s.ha.memory.restart.scheduled = {
    at: '2026-01-02T13:00:00+00:00',
    request: { restart_pending: true },
    role: null,
    postgresVersion: null,
    restartPending: true,
    timeoutMs: null,
    postmasterStartTime: '2026-01-02 11:00:00+00',
  }
  const data = await memberData(s.ha, never)
  const told: JsonObject = {
    pending_restart: true,
    pending_restart_reason: reason,
    scheduled_restart: {
      restart_pending: true,
      schedule: '2026-01-02T13:00:00+00:00',
      postmaster_start_time: '2026-01-02 11:00:00+00',
    },
    pause: true,
  }
  for (const [key, value] of Object.entries(told)) assert.deepEqual(data[key], value, key)
})

test('18.2 a server that is not asked, or does not answer, has no position', async () => {
  const positions = async (s: Scene): Promise<boolean> => 'xlog_location' in (await memberData(s.ha, never))
  assert.ok(await positions(new Scene().leader('b')))
  const mute = new Scene().leader('b')
  mute.server.reachable = false
  assert.ok(!(await positions(mute)))
  const stopped = new Scene().leader('b')
  stopped.server.state = 'stopped'
  assert.ok(!(await positions(stopped)))
  const busy = new Scene().leader('b')
  busy.ha.actions.begin('restart', () => new Promise(() => {}))
  assert.ok(!(await positions(busy)))
  const promoting = new Scene().leader('b')
  promoting.ha.actions.begin('promote', () => new Promise(() => {}))
  assert.ok(await positions(promoting))
})

test('18.2 and 6.3 what a server is being promoted from is told, and not remembered: it may have begun the next timeline (seed 22057871)', async () => {
  const s = new Scene().leader('b')
  await s.cycle()
  const { own } = s.ha.memory
  assert.equal(own.timeline, 1)
  Object.assign(s.server, { role: 'promoted', streams: false })
  assert.equal((await memberData(s.ha, never))['timeline'], 1)
  assert.equal(own.timeline, null, 'nobody gets its vote as one of timeline 1')
  Object.assign(s.server, { role: 'replica', timeline: 2 })
  assert.equal((await memberData(s.ha, never))['timeline'], 2)
  assert.equal(own.timeline, 2)
})

test('18.2 and 6.3 a replica that does not stream asks its server for its timeline, whatever it and the leader said last (seed 24001043)', async () => {
  const s = new Scene().leader('b').member('b', { timeline: 1 })
  await s.cycle()
  const { own } = s.ha.memory
  assert.equal(own.timeline, 1)
  Object.assign(s.server, { streams: false, timeline: 2 })
  assert.equal((await memberData(s.ha, never))['timeline'], 2)
  assert.equal(own.timeline, 2)
})
