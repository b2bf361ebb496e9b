import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type JsonObject, printJson } from '../cluster/json.ts'
import { lsn } from '../cluster/lsn.ts'
import { MINIMUM_GUARDED_TIMING } from '../cluster/settings.ts'
import { type Instant, LONG_AGO, later } from '../cluster/time.ts'
import { timeline } from '../cluster/timeline.ts'
import type { Budget } from '../ports/clock.ts'
import type { PeerAddress } from '../ports/peers.ts'
import type { ServerRole } from '../ports/postgres.ts'
import { receiveFailsafe } from './failsafe.ts'
import { Scene } from './testing/scene.ts'

const NEVER = new AbortController().signal

test('6.1 a replica that followed until now waits first when the lock is gone, and races when the time is over', async () => {
  const s = new Scene().config({ primary_race_backoff: 15 }).leader('b')
  assert.equal((await s.cycle()).rule, 'following-leader')
  s.leader(null)
  const waiting = await s.cycle()
  assert.equal(waiting.text, 'My (a) wal position moved since last heart beat loop, 15 seconds until leader race')
  // No WAL came in since, and a whole loop_wait is over.
  s.nowMs += 10_500
  assert.equal((await s.cycle()).rule, 'promote-by-acquiring')
})

test('6.1 while WAL still comes in, a replica waits until the time is over', async () => {
  const s = new Scene().config({ primary_race_backoff: 15 }).leader('b')
  await s.cycle()
  s.leader(null)
  await s.cycle()
  s.nowMs += 12_000
  s.server.lsn += 8
  assert.equal((await s.cycle()).rule, 'race-backoff')
  s.nowMs += 4000
  s.server.lsn += 8
  assert.equal((await s.cycle()).rule, 'promote-by-acquiring')
})

test('6.1 a lock that is back starts the time anew', async () => {
  const s = new Scene().config({ primary_race_backoff: 15 }).leader('b')
  await s.cycle()
  s.leader(null)
  await s.cycle()
  s.nowMs += 14_000
  s.leader('b')
  assert.equal((await s.cycle()).rule, 'following-leader')
  s.leader(null)
  assert.equal((await s.cycle()).rule, 'race-backoff')
})

test('6.3 WAL on a number that the cluster passed over, or from where the cluster went on, does not count (seed 32050548)', async () => {
  const race = async (history: string, left: number): Promise<string> => {
    const s = new Scene().config({ maximum_lag_on_failover: 500 }).leader(null)
    s.server.streams = false
    s.server.lsn = 1000
    s.keys.set('status', '{"optime":1000}').set('history', history)
    const switches = [{ timeline: timeline(1), switchpoint: lsn(left), reason: 'no recovery target' }]
    Object.assign(s.ha.world.postgres, {
      identifyTimeline: async () => 2,
      localTimelineHistory: async () => ({ switches, modifiedAt: '' }),
    })
    return (await s.cycle()).rule
  }
  assert.equal(await race('[[1,600,"why"]]', 600), 'promote-by-acquiring')
  assert.equal(await race('[[1,600,"why"],[2,600,"passed over"]]', 600), 'promote-by-acquiring')
  assert.equal(await race('[[1,400,"why"],[2,400,"passed over"]]', 400), 'follow-not-healthiest')
  assert.equal(await race('[[1,600,"why"],[2,600,"passed over"]]', 400), 'follow-not-healthiest')
})

test('6.3 check_timeline: who is on an older timeline than the cluster, or does not know its own, does not race', async () => {
  const scene = (timelineOf: number | null): Scene => {
    const s = new Scene().config({ check_timeline: true }).leader(null)
    s.keys.set('history', '[[1,500,"no recovery target specified"]]')
    s.server.streams = false
    Object.assign(s.ha.world.postgres, { identifyTimeline: async () => timelineOf })
    return s
  }
  const behind = scene(1)
  assert.equal((await behind.cycle()).rule, 'follow-not-healthiest')
  assert.ok(behind.said('INFO My timeline 1 is behind last known cluster timeline 2'))
  const unknown = scene(null)
  assert.equal((await unknown.cycle()).rule, 'follow-not-healthiest')
  assert.ok(unknown.said('INFO Can not figure out my timeline'))
  const level = scene(2)
  assert.equal((await level.cycle()).rule, 'promote-by-acquiring')
})

test('6.3 maximum_lag_on_failover: WAL beyond the end of a timeline that the cluster has left does not count', async () => {
  const scene = (ended: number): Scene => {
    const s = new Scene().config({ maximum_lag_on_failover: 100 }).leader(null)
    s.keys.set('history', `[[1,${ended},"no recovery target specified"]]`)
    s.keys.set('status', printJson({ optime: 1050 }))
    return s
  }
  const near = scene(950)
  assert.equal((await near.cycle()).rule, 'promote-by-acquiring')
  const far = scene(900)
  assert.equal((await far.cycle()).rule, 'follow-not-healthiest')
  assert.ok(far.said('INFO My wal position exceeds maximum replication lag'))
})

test('6.3 in a standby cluster nobody is too far behind: the remote primary has everything', async () => {
  const s = new Scene().config({ standby_cluster: { host: 'far' }, maximum_lag_on_failover: 0 }).leader(null)
  s.keys.set('history', '[[1,900,"no recovery target specified"]]')
  s.keys.set('status', printJson({ optime: 5_000_000 }))
  assert.equal((await s.cycle()).rule, 'standby-leader-by-acquiring')
})

test('6.4 the leader before, that says nothing, holds a race up for 0.7 s, another member for 2 s', async () => {
  for (const [silent, waits] of [
    ['b', 700],
    ['c', 2000],
  ] as const) {
    const s = new Scene().leader('b')
    await s.cycle()
    const { peers } = s.ha.world
    Object.assign(s.ha.world, {
      peers: {
        ...peers,
        statuses: async (members: readonly PeerAddress[], { deadline }: Budget) => {
          if (members.some(({ name }) => name === silent)) s.nowMs = Math.max(s.nowMs, deadline)
          return peers.statuses(members, { deadline, signal: NEVER })
        },
      },
    })
    s.leader(null)
    const before = s.nowMs
    await s.cycle()
    assert.equal(s.nowMs - before, waits, silent)
  }
})

test('6.5 and 2.2 a member that may not take over waits for a leader, but not so long that its next cycle is late', async () => {
  for (const [loopWait, waits] of [
    [1, 500],
    [10, 2000],
  ] as const) {
    const s = new Scene().config({ loop_wait: loopWait, retry_timeout: 3, ttl: 20 }).leader(null)
    s.tags = { nofailover: true }
    const before = s.nowMs
    assert.equal((await s.cycle()).rule, 'follow-not-allowed')
    assert.equal(s.nowMs - before, waits)
  }
})

test('6.2 and 14.3 who is not in the failsafe record does not take over by a switchover either; an ordered failover may', async () => {
  const scene = (request: JsonObject, record: JsonObject): Scene => {
    const s = new Scene().config({ failsafe_mode: true }).leader(null).peer('c')
    s.keys.set('failsafe', JSON.stringify(record))
    return s.request(request)
  }
  const [others, all] = [{ b: 'http://b:8008' }, { a: 'http://a:8008', b: 'http://b:8008' }]
  for (const request of [{ leader: 'b' }, { leader: 'b', member: 'a' }]) {
    assert.equal((await scene(request, others).cycle()).rule, 'follow-not-healthiest')
    assert.equal((await scene(request, all).cycle()).rule, 'promote-by-acquiring')
  }
  assert.equal((await scene({ member: 'a' }, others).cycle()).rule, 'promote-by-acquiring')
})

test('7.3 a member that gave the lock back because its fence cannot work leaves the race to others for one loop_wait', async () => {
  const s = new Scene().leader(null)
  s.fenceWorks = false
  assert.equal((await s.cycle()).rule, 'not-promoting-fence')
  s.calls.length = 0
  assert.equal((await s.cycle()).rule, 'follow-not-healthiest')
  assert.ok(!s.did('acquire'))
  assert.ok(s.said('WARNING Watchdog device is not usable'))
  s.fenceWorks = true
  s.nowMs += 10_000
  assert.equal((await s.cycle()).rule, 'promote-by-acquiring')
})

test('12.4 even an ordered failover waits while a primary without the lock says that it is there', async () => {
  const s = new Scene().leader(null).peer('b', { inRecovery: false }).peer('c').request({ member: 'a' })
  assert.equal((await s.cycle()).rule, 'follow-not-healthiest')
  assert.ok(s.said('WARNING Primary (b) is still alive'))
  s.peer('b')
  assert.equal((await s.cycle()).rule, 'promote-by-acquiring')
})

test('12.4 and 14.3 an ordered failover waits for the lease of a primary that was alive a moment ago, and for consents', async () => {
  const s = new Scene().config({ failsafe_mode: true, ttl: 20, loop_wait: 5, retry_timeout: 5 }).leader(null)
  s.peer('b', { inRecovery: false }).peer('c').request({ member: 'a' })
  assert.equal((await s.cycle()).rule, 'follow-not-healthiest')
  const seenAt = s.nowMs
  s.peers.delete('b')
  s.nowMs = seenAt + 15_000
  assert.equal((await s.cycle()).rule, 'follow-not-healthiest')
  assert.ok(s.said('WARNING Primary (b) was alive less than ttl ago'))
  s.peer('c', { failsafeActive: true })
  s.nowMs = seenAt + 30_000
  assert.equal((await s.cycle()).rule, 'follow-not-healthiest')
  assert.ok(s.said('WARNING c has consented that a primary goes on without the store'))
  s.peer('c')
  assert.equal((await s.cycle()).rule, 'promote-by-acquiring')
})

test('12.4 an ordered failover does not wait for a primary that has become a standby', async () => {
  const s = new Scene().leader(null).peer('b', { inRecovery: false }).peer('c').request({ member: 'a' })
  assert.equal((await s.cycle()).rule, 'follow-not-healthiest')
  s.peer('b')
  assert.equal((await s.cycle()).rule, 'promote-by-acquiring')
})

test('12.4 a candidate of a switchover that did not get what the leader wrote last leaves the lock to who has it', async () => {
  const scene = (lastLsn: number): Scene => {
    const s = new Scene()
      .config({ maximum_lag_on_failover: 100 })
      .leader(null)
      .peer('b', { lsn: lsn(lastLsn) })
    s.keys.set('status', printJson({ optime: lastLsn }))
    return s.request({ leader: 'b', member: 'a' })
  }
  assert.equal((await scene(1100).cycle()).rule, 'promote-by-acquiring')
  const late = scene(1101)
  assert.equal((await late.cycle()).rule, 'follow-not-healthiest')
  assert.ok(late.said('WARNING switchover: I am 101 bytes behind what the leader has left, anybody may take over now'))
  assert.equal(late.keys.get('failover'), '{}')
})

/** Something happens while the request for the lock is on its way. */
function beforeTheLock(s: Scene, happens: () => unknown): void {
  const { dcs } = s.ha.world
  const acquire = dcs.acquire.bind(dcs)
  Object.assign(dcs, {
    acquire: async (...asked: Parameters<typeof acquire>) => {
      happens()
      return acquire(...asked)
    },
  })
}

for (const [key, text] of [
  ['status', '{"optime":1000}'],
  ['sync', '{"leader":"b"}'],
  ['failsafe', '{"b":"http://b:8008"}'],
] as const) {
  test(`6.2 the lock is not taken where ${key} in the store is not what decided the election`, async () => {
    const s = new Scene().config({ failsafe_mode: true }).leader(null)
    beforeTheLock(s, () => s.keys.set(key, text))
    assert.equal((await s.cycle()).rule, 'follow-race-lost')
    assert.ok(!s.did('promote'))
  })
}

test('14.3 who promises a primary without a store not to race, while the lock is on its way, gives the lock back', async () => {
  const s = new Scene().config({ failsafe_mode: true }).leader(null)
  let answer = 0
  beforeTheLock(s, () => {
    answer = receiveFailsafe(s.ha, { name: 'b', conn_url: 'postgres://b/', api_url: 'http://b:8008/patroni' }).status
  })
  assert.equal((await s.cycle()).rule, 'follow-race-lost')
  assert.equal(answer, 200)
  assert.ok(s.did('release') && !s.did('promote'))
})

test('14.3 who has the lock, or is being promoted, promises nothing', () => {
  const asked = { name: 'b', conn_url: 'postgres://b/', api_url: 'http://b:8008/patroni' }
  const holder = new Scene().config({ failsafe_mode: true }).leader('a')
  holder.ha.memory.settings = { ...holder.ha.memory.settings, failsafeMode: true }
  assert.equal(receiveFailsafe(holder.ha, asked).status, 200)
  holder.ha.memory.lease.until = later(holder.nowMs as Instant, 1000)
  assert.equal(receiveFailsafe(holder.ha, asked).status, 500)
  holder.ha.memory.lease.until = LONG_AGO
  holder.server.role = 'promoted'
  assert.equal(receiveFailsafe(holder.ha, asked).status, 500)
})

test('6.2 and 14.3 who was started a moment ago does not know what it promised a primary without a store, and waits one ttl', async () => {
  const scene = (more: JsonObject = { failsafe_mode: true }): Scene => {
    const s = new Scene().config(more).leader(null).peer('c')
    s.keys.set('failsafe', JSON.stringify({ a: 'http://a:8008', b: 'http://b:8008', c: 'http://c:8008' }))
    Object.assign(s.ha.memory, { startedAt: s.nowMs })
    return s
  }
  const s = scene()
  assert.equal((await s.cycle()).rule, 'follow-not-healthiest')
  assert.ok(s.said('INFO Was started less than ttl ago: b may be a primary without a store'))
  assert.equal(s.ha.memory.alarm, s.nowMs + 30_000)
  s.nowMs += 30_000
  assert.equal((await s.cycle()).rule, 'promote-by-acquiring')
  assert.equal((await scene().peer('b').cycle()).rule, 'promote-by-acquiring', 'everybody says that he is no primary')
  assert.equal((await scene({}).cycle()).rule, 'promote-by-acquiring', 'without failsafe mode there are no promises')
  assert.equal((await scene().request({ member: 'a' }).cycle()).rule, 'promote-by-acquiring', 'an order')
  assert.equal((await scene().request({ leader: 'b', member: 'a' }).cycle()).rule, 'follow-not-healthiest')
})

test('6.4 a member that does not answer holds up a race for 2 s, or for retry_timeout where that is shorter', async () => {
  for (const [timing, limitMs] of [
    [{ ttl: 30, loop_wait: 10, retry_timeout: 10 }, 2000],
    [{ ttl: 5, loop_wait: 1, retry_timeout: 1 }, 1000],
  ] as const) {
    const s = new Scene().config(timing).leader(null)
    const { peers } = s.ha.world
    const statuses = peers.statuses.bind(peers)
    let waitedMs = 0
    Object.assign(s.ha.world, { minimumTiming: MINIMUM_GUARDED_TIMING })
    Object.assign(peers, {
      statuses: (...[members, budget]: Parameters<typeof statuses>) => {
        waitedMs = budget.deadline - s.nowMs
        return statuses(members, budget)
      },
    })
    assert.equal((await s.cycle()).rule, 'promote-by-acquiring')
    assert.equal(waitedMs, limitMs)
  }
})

test('9 a number of a timeline that nobody can have reached does not stop a promotion', async () => {
  const s = new Scene().leader(null).member('ghost', { timeline: 4_294_967_295 })
  s.keys.set('status', '{"optime":1000,"timeline":4294967295}')
  const written: unknown[] = []
  Object.assign(s.ha.world.dcs, {
    writeStatus: async (status: { timeline?: number }) => {
      written.push(status.timeline)
      return { kind: 'done', value: undefined }
    },
  })
  assert.equal((await s.cycle()).rule, 'promote-by-acquiring')
  assert.deepEqual(written, [2])
})

test('6.2 and 11 a primary that was left in pause by its agent is asked itself: its lock ends, it does not (seed 22007750)', async () => {
  const end = async (left: { readonly pause: boolean; readonly server: ServerRole; readonly order?: boolean }) => {
    const s = await leftAlone({ pause: left.pause })
    if (left.order) s.keys.set('failover', printJson({ member: 'a' }))
    s.server.remoteRole = left.server
    const { rule } = await s.cycle()
    return { rule, s }
  }
  for (const order of [false, true]) {
    const { rule, s } = await end({ pause: true, server: 'primary', order })
    assert.equal(rule, 'follow-not-healthiest')
    assert.ok(
      s.said('WARNING Primary (b) is still alive without an agent: it was left in pause. Start its agent, or stop it'),
    )
    assert.equal((await end({ pause: true, server: 'not-running', order })).rule, 'promote-by-acquiring')
    assert.equal((await end({ pause: true, server: 'standby', order })).rule, 'promote-by-acquiring')
  }
  assert.equal(
    (await end({ pause: false, server: 'primary' })).rule,
    'promote-by-acquiring',
    'nobody else is asked twice',
  )
})

test('6.2 and 11 a primary left in pause that is late with its answer is not passed over: silence counts after a ttl', async () => {
  const ttlMs = 30_000
  const s = await leftAlone({ pause: true })
  const rule = async (server: ServerRole, afterMs: number): Promise<string> => {
    s.server.remoteRole = server
    s.nowMs += afterMs
    return (await s.cycle()).rule
  }
  assert.equal(await rule('unknown', 0), 'follow-not-healthiest', 'never heard: the first question begins the wait')
  assert.ok(
    s.said(
      'WARNING Primary (b) was left in pause without an agent and does not answer now: waiting for it, at most ttl',
    ),
  )
  assert.equal(await rule('primary', ttlMs - 1000), 'follow-not-healthiest')
  assert.equal(await rule('unknown', ttlMs - 1), 'follow-not-healthiest', 'counted from its last word')

  s.leader('b').member('b', { pause: true })
  await s.cycle()
  s.leader(null)
  assert.equal(await rule('unknown', ttlMs), 'follow-not-healthiest', 'left another time, waited for another time')
  assert.equal(await rule('unknown', ttlMs), 'promote-by-acquiring')
})

/** A cluster whose leader `b` has lost its lock and its member key. */
async function leftAlone(leader: { readonly pause: boolean }): Promise<Scene> {
  const s = new Scene().leader('b').member('b', leader)
  await s.cycle()
  s.peers.delete('b')
  return s.leader(null)
}

test('6.3 in a race a member compares by the timeline that its server is on, not by what it remembers (seed 24001043)', async () => {
  const s = new Scene().leader('b')
  await s.cycle()
  s.peer('c', { lsn: lsn(5000), timeline: timeline(2) })
  s.leader(null)
  Object.assign(s.server, { timeline: 3, streams: false })
  s.ha.memory.own.timeline = timeline(2)
  assert.equal((await s.cycle()).rule, 'promote-by-acquiring', 'c has more WAL, of a timeline that has ended')
})
