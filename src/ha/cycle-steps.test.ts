import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type HistoryRecord, printHistory } from '../cluster/history.ts'
import { printJson } from '../cluster/json.ts'
import { lsn } from '../cluster/lsn.ts'
import { timeline } from '../cluster/timeline.ts'
import { receiveFailsafe } from './failsafe.ts'
import { Scene } from './testing/scene.ts'

const PRIMARY = { name: 'b', conn_url: 'postgres://b:5432/postgres', api_url: 'http://b:8008/patroni' }

test('3.1 and 14.3 whoever promised a primary without a store not to race follows it for one ttl', async () => {
  const s = new Scene().config({ failsafe_mode: true }).leader('b')
  await s.cycle()
  assert.deepEqual(receiveFailsafe(s.ha, PRIMARY), { status: 200, body: 'Accepted', lsn: 1000 })
  s.leader(null)
  assert.equal((await s.cycle()).rule, 'following-leader')
  s.nowMs += 31_000
  assert.equal((await s.cycle()).rule, 'promote-by-acquiring')
})

test('14.3 the promise is refused by a primary, without the mode, and to nobody in particular', async () => {
  const off = new Scene().leader('b')
  await off.cycle()
  assert.deepEqual(receiveFailsafe(off.ha, PRIMARY), { status: 502, body: 'Failsafe mode is disabled', lsn: null })
  const primary = new Scene().config({ failsafe_mode: true }).primary()
  await primary.cycle()
  assert.equal(receiveFailsafe(primary.ha, PRIMARY).status, 500)
  const replica = new Scene().config({ failsafe_mode: true }).leader('b')
  await replica.cycle()
  assert.equal(receiveFailsafe(replica.ha, { name: 'b' }).status, 400)
})

test('3.1 a lease ends when the store says that the lock is somebody else’s', async () => {
  const s = new Scene().primary()
  await s.cycle()
  s.leader('b')
  await s.cycle()
  assert.ok(s.ha.memory.lease.until <= s.nowMs)
})

test('3.2 a member without a key writes one; the lock holder puts back what the cluster lost', async () => {
  const s = new Scene().primary()
  for (const key of ['members/a', 'initialize', 'config']) s.keys.delete(key)
  await s.cycle()
  assert.ok(s.keys.has('members/a'))
  assert.ok(s.did('initialize 7000000000000000001'))
  assert.ok(s.did('config'))
})

test('3.2 in pause the fence is off; after it histories are compared anew', async () => {
  const s = new Scene().primary()
  await s.cycle()
  s.config({ pause: true })
  const result = await s.cycle()
  assert.ok(s.did('fence off'))
  assert.equal(result.text, 'PAUSE: no action. I am (a), the leader with the lock')
  s.ha.memory.divergence.state = 'check'
  s.config({})
  await s.cycle()
  assert.equal(s.ha.memory.wasPaused, false)
})

/** A long action under way, and how the cycle goes on beside it. */
async function during(
  action: string,
  scene: (s: Scene) => void,
): Promise<{ readonly s: Scene; readonly text: string }> {
  const s = new Scene().primary()
  scene(s)
  s.ha.actions.begin(action, (signal) => new Promise((end) => signal.addEventListener('abort', () => end(undefined))))
  const { text } = await s.cycle()
  return { s, text }
}

test('3.3 while something long runs the lock is kept', async () => {
  const { s, text } = await during('restart', () => {})
  assert.equal(text, 'updated leader lock during restart')
  assert.ok(s.did('renew') && !s.did('status'))
})

test('3.3 a primary that loses the lock while something long runs ends, and what would launch it is cancelled', async () => {
  const { s, text } = await during('starting primary after failure', (scene) => {
    scene.answers.renew = 'refused'
  })
  assert.equal(text, 'lost leader lock during starting primary after failure')
  assert.ok(s.said('Demoting primary during starting primary after failure'))
  assert.ok(s.did('cancel start') && s.did('stop immediate'))
})

test('3.3 a replica goes on with what it does', async () => {
  const { s, text } = await during('reinitialize', (scene) => {
    scene.leader('b')
    Object.assign(scene.server, { role: 'replica', inRecovery: true })
  })
  assert.equal(text, 'reinitialize in progress')
  assert.ok(!s.did('stop'))
})

test('3.3 and 9 a promotion whose lock is lost before its script ended does not happen', async () => {
  const s = new Scene().leader(null)
  let release = (): void => {}
  Object.assign(s.ha.world.postgres, { prePromote: () => new Promise((end) => (release = () => end(true))) })
  assert.equal((await s.cycle()).rule, 'promote-by-acquiring')
  s.keys.set('leader', 'b')
  assert.equal((await s.cycle()).text, 'lost leader before promote')
  release()
  await s.cycle()
  assert.ok(!s.did('promote'))
})

test('3.4 and 11 in pause a server that somebody started or stopped by hand is what it is', async () => {
  const s = new Scene().config({ pause: true }).leader('b')
  s.server.state = 'stopped'
  await s.cycle()
  assert.equal(s.server.state, 'running')
  s.server.alive = false
  await s.cycle()
  assert.equal(s.server.state, 'stopped')
})

test('3.6 a crash recovery that did not help is not made a second time before the server runs again', async () => {
  const s = new Scene().leader('b').stopped('in production')
  Object.assign(s.server, { inRecovery: false, recoverySignal: false })
  Object.assign(s.ha.world.postgres, { follow: async () => 'failed' })
  const rules: string[] = []
  for (let i = 0; i < 5; i++) rules.push((await s.cycle()).rule)
  assert.equal(rules.filter((rule) => rule === 'single-user-recovery').length, 1)
  assert.ok(rules.includes('start-secondary'))
})

test('3.11 the first good cycle tells the start of a server that was found running', async () => {
  const s = new Scene().leader('b')
  s.server.callbackAttempted = false
  await s.cycle()
  assert.ok(s.did('on_start replica'))
})

test('3.11 slots that are missing are copied from the leader, unless the store is out of reach', async () => {
  const s = new Scene().leader('b')
  Object.assign(s.ha.world.postgres, { syncSlots: async () => ['x', 'y'] })
  assert.equal((await s.cycle()).text, "Copying logical slots ['x', 'y'] from the primary")
})

test('3.10 and 13.2 a restart that is due waits while the store is away', async () => {
  const s = new Scene().config({ failsafe_mode: true }).primary().peer('b').peer('c')
  s.keys.set('failsafe', printJson({ a: 'http://a:8008/patroni', b: 'http://b:8008/patroni' }))
  s.ha.memory.restart.scheduled = {
    at: '2026-01-02T12:00:00+00:00',
    request: {},
    role: null,
    postgresVersion: null,
    restartPending: false,
    timeoutMs: null,
    postmasterStartTime: null,
  }
  s.answers.renew = 'unknown'
  assert.equal((await s.cycle()).rule, 'failsafe-primary')
  assert.ok(!s.did('restart'))
  s.answers.renew = 'done'
  assert.equal((await s.cycle()).text, 'restart initiated')
})

test('3.12 what nobody expected ends the cycle, is told once as a bug, and the next cycle goes on', async () => {
  const s = new Scene().leader('b')
  const { postgres } = s.ha.world
  const syncSlots = postgres.syncSlots.bind(postgres)
  Object.assign(postgres, {
    syncSlots: async () => {
      throw new Error('a surprise')
    },
  })
  assert.equal((await s.cycle()).text, 'Unexpected exception raised, please report it as a BUG')
  assert.ok(s.said('ERROR Unexpected exception: Error: a surprise'))
  assert.match(s.keys.get('members/a') ?? '', /"xlog_location":1000/, 'the others still see this member')
  Object.assign(postgres, { syncSlots })
  assert.equal((await s.cycle()).rule, 'following-leader')
})

test('3.12 after a good cycle the member key shows what is now', async () => {
  const s = new Scene().leader('b')
  s.server.lsn = 4711
  await s.cycle()
  assert.match(s.keys.get('members/a') ?? '', /"xlog_location":4711/)
})

test('6.4 the timeline on which a member was a replica is forgotten when it is primary, also while the store is away', async () => {
  const s = new Scene().primary()
  s.ha.memory.own.timeline = timeline(2)
  s.server.timeline = 3
  s.answers.load = 'unknown'
  await s.cycle()
  assert.notEqual(s.ha.memory.own.timeline, 2)
})

test('7.2, postgres 6.6 after a promotion one checkpoint is made, and others are told to wait for it', async () => {
  const s = new Scene().primary()
  s.ha.memory.divergence.state = 'idle'
  s.server.timeline = 2
  Object.assign(s.ha.world.postgres, {
    controlData: async () => ({ checkpointTimeline: 1, clusterState: 'in production' }),
  })
  await s.cycle()
  assert.ok(s.did('checkpoint'))
  assert.match(s.keys.get('members/a') ?? '', /"checkpoint_after_promote":false/)
  await s.cycle()
  assert.doesNotMatch(s.keys.get('members/a') ?? '', /checkpoint_after_promote/)
})

test('7.5 the lock holder of a standby cluster follows the remote primary, a former primary is demoted to it', async () => {
  const settled = new Scene().config({ standby_cluster: { host: 'far' } }).leader(null)
  assert.equal((await settled.cycle()).rule, 'standby-leader-by-acquiring')
  assert.ok(!settled.did('promote'))
  const primary = new Scene().primary().config({ standby_cluster: { host: 'far' } })
  assert.equal((await primary.cycle()).text, 'cannot be a real primary in standby cluster')
  assert.ok(primary.said('Demoting self (demote-cluster)'))
})

test('18.1 the history is written with time and name of the switch that this primary made, and cut as configured', async () => {
  const s = new Scene().primary().config({ max_timelines_history: 2 })
  s.server.timeline = 4
  s.keys.set('history', printJson([[1, 100, 'first', '2026-01-01T00:00:00+00:00', 'c']]))
  const switches = [1, 2, 3].map((on) => ({ timeline: on, switchpoint: lsn(on * 100), reason: 'no recovery target' }))
  let written: readonly unknown[] = []
  Object.assign(s.ha.world.postgres, {
    localTimelineHistory: async () => ({ switches, modifiedAt: '2026-01-02T12:00:00+00:00' }),
  })
  Object.assign(s.ha.world.dcs, {
    writeHistory: async (records: readonly unknown[]) => {
      written = records
      return { kind: 'done', value: undefined }
    },
  })
  await s.cycle()
  assert.deepEqual(written, [
    { timeline: 2, lsn: 200, reason: 'no recovery target', at: null, leader: null },
    { timeline: 3, lsn: 300, reason: 'no recovery target', at: '2026-01-02T12:00:00+00:00', leader: 'a' },
  ])
})

test('18.1 a history with a number that was passed over is written once, and names that number (seed 32050548)', async () => {
  const s = new Scene().primary()
  s.server.timeline = 3
  const switches = [{ timeline: timeline(1), switchpoint: lsn(100), reason: 'no recovery target' }]
  Object.assign(s.ha.world.postgres, {
    localTimelineHistory: async () => ({ switches, modifiedAt: '2026-01-02T12:00:00+00:00' }),
  })
  let writes = 0
  Object.assign(s.ha.world.dcs, {
    writeHistory: async (records: readonly HistoryRecord[]) => {
      writes += 1
      s.keys.set('history', printJson(printHistory(records)))
      return { kind: 'done', value: undefined }
    },
  })
  await s.cycle()
  await s.cycle()
  assert.equal(writes, 1)
  assert.equal(
    s.keys.get('history'),
    '[[1,100,"no recovery target"],[2,100,"passed over, the number may be in use elsewhere","2026-01-02T12:00:00+00:00","a"]]',
  )
})

test('18.1 on the first timeline a history of another life is cleared', async () => {
  const s = new Scene().primary()
  s.keys.set('history', printJson([[1, 100, 'first', '2026-01-01T00:00:00+00:00', 'c']]))
  await s.cycle()
  // The stored history says that the cluster is on timeline 2 already, but the lock is ours.
  assert.ok(s.did('history 0'))
})

test('12.3 whether anybody could take over: reachable, willing, not far behind', async () => {
  const crash = async (scene: (s: Scene) => void): Promise<Scene> => {
    const s = new Scene().primary().config({ primary_start_timeout: 0 }).stopped('in production')
    s.keys.set('status', printJson({ optime: 5_000_000 }))
    scene(s)
    await s.cycle()
    return s
  }
  const unreachable = await crash(() => {})
  assert.ok(unreachable.said('Member b is not reachable') && !unreachable.said('Primary crashed. Failing over.'))
  const unwilling = await crash((s) => s.peer('b', { lsn: lsn(5_000_000), tags: { nofailover: true } }))
  assert.ok(unwilling.said('Member b is not allowed to promote'))
  const unguarded = await crash((s) => s.peer('b', { lsn: lsn(5_000_000), watchdogFailed: true }))
  assert.ok(unguarded.said('Member b is not watchdog capable'))
  const behind = await crash((s) => s.peer('b', { lsn: lsn(1000) }))
  assert.ok(behind.said('Member b exceeds maximum replication lag'))
  const left = await crash((s) => {
    s.keys.set('history', '[[1,1000,"no recovery target specified"]]')
    s.peer('b', { lsn: lsn(4_900_000), timeline: timeline(1) })
  })
  assert.ok(left.said('Member b exceeds maximum replication lag'), 'on a timeline that the cluster has left')
  const fit = await crash((s) => s.peer('b', { lsn: lsn(4_900_000) }))
  assert.ok(fit.said('Primary crashed. Failing over.'))
  const alone = await crash((s) => {
    s.keys.delete('members/b')
    s.keys.delete('members/c')
  })
  assert.ok(alone.said('WARNING failover: candidates list is empty'))
})

test('14.1 a replica without the store learns its timeline all the same: others that have the store ask for it', async () => {
  const s = new Scene().leader('b')
  s.answers.load = 'unknown'
  s.server.timeline = 6
  assert.equal((await s.cycle()).rule, 'store-inaccessible')
  assert.equal(s.ha.memory.own.timeline, timeline(6))
})

test('14.2 a primary without the store also asks whom only the record names that it wrote itself', async () => {
  const s = new Scene().config({ failsafe_mode: true }).primary()
  s.keys.set('failsafe', printJson({ a: 'http://a:8008/patroni' }))
  s.keys.delete('members/c')
  assert.equal((await s.cycle()).rule, 'leader-with-lock')
  s.answers.load = 'unknown'
  assert.equal((await s.cycle()).rule, 'demoted-store-inaccessible', 'b does not answer')

  const consenting = new Scene().config({ failsafe_mode: true }).primary().peer('b')
  consenting.keys.set('failsafe', printJson({ a: 'http://a:8008/patroni' }))
  consenting.keys.delete('members/c')
  await consenting.cycle()
  consenting.answers.load = 'unknown'
  assert.equal((await consenting.cycle()).rule, 'failsafe-primary')
})
