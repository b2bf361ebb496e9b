import { later } from '../../src/cluster/time.ts'
import { EMPTY_VIEW } from '../../src/cluster/view.ts'
import { beginRestart } from '../../src/ha/restart.ts'
import { bootHost, crashHost, freezeHost, killAgent } from '../faults/processes.ts'
import { isolate } from '../faults/wires.ts'
import type { Scenario } from '../scenario.ts'
import { STORE } from '../store/service.ts'
import { type Filters, overriding } from '../world/filters.ts'

/** Whoever had the lock once believes to have it until he hears otherwise. */
const ENDLESS_LEASES: Partial<Filters> = {
  dcs: (dcs) =>
    overriding(dcs, {
      acquire: async (...asked) => {
        const outcome = await dcs.acquire(...asked)
        return outcome.kind === 'done' ? { kind: 'done', value: { sentAt: later(outcome.value.sentAt, 1e9) } } : outcome
      },
    }),
}

export const frozenInPromotion: Scenario = {
  name: 'a leader is frozen past its lease and thaws inside its promotion',
  filters: {
    postgres: (postgres, host) =>
      overriding(postgres, {
        // A script before the promotion makes the moment long enough to be hit.
        prePromote: async (signal) => {
          if (host.agent && host.incarnations > 0) await host.agent.ha.world.clock.sleep(2000, signal)
          return true
        },
      }),
  },
  guard: { name: 'a lease has an end, for the agent and for the guard', out: { filters: ENDLESS_LEASES } },
  async play(stage) {
    const { world } = stage
    const old = stage.leader
    const others = stage.standbys
    killAgent(world, old, true)
    old.server.kill()
    await stage.until('somebody else has the lock', () => others.some((host) => host.name === stage.holder))
    const first = others.find((host) => host.name === stage.holder) ?? old
    await stage.run(500)
    first.agent?.process.freeze()
    await stage.until('the third one is the primary', () => others.some((h) => h !== first && h.server.isWritable))
    // It cannot ask anybody in time who has the lock now.
    const well = world.store.trouble(first.name, { kind: 'slow', delayMs: 3000 })
    first.agent?.process.thaw({ timersFirst: false })
    await stage.run(10_000)
    well()
    world.heldDown.clear()
    world.startAgent(old)
    await stage.settled()
  },
}

export const agentKilled: Scenario = {
  name: 'the agent of the primary is killed and nobody starts it again',
  guard: { name: 'the lease guard', out: { options: { fence: false } } },
  async play(stage) {
    const { leader } = stage
    killAgent(stage.world, leader, true)
    await stage.run(60_000)
    stage.expect(stage.leader !== leader, 'somebody else is the primary')
  },
}

export const agentFrozen: Scenario = {
  name: 'the agent of the primary is frozen for a minute',
  guard: { name: 'the lease guard', out: { options: { fence: false } } },
  async play(stage) {
    const { leader } = stage
    leader.agent?.process.freeze()
    await stage.run(60_000)
    leader.agent?.process.thaw({ timersFirst: true })
    await stage.settled()
  },
}

export const leaderBeforeLast: Scenario = {
  name: 'a leader sleeps past its lease, its successor comes and goes, and it wakes with an old view of the store',
  members: ['a', 'b'],
  config: { synchronous_mode: 'quorum' },
  guard: {
    name: 'a lock that has vanished is created anew only while the lease runs',
    out: { filters: { dcs: (dcs) => overriding(dcs, { renew: (view, budget) => dcs.renew(view, budget) }) } },
  },
  async play(stage) {
    const { world, leader: old } = stage
    const [next] = stage.standbys
    if (!next) return
    await stage.run(20_000)
    const wake = freezeHost(stage.scene, old)
    await stage.until('the other one is the primary', () => next.server.isWritable)
    await stage.run(10_000)
    crashHost(world, next)
    await stage.until('its lock has expired', () => stage.holder === undefined)
    const well = world.store.trouble(old.name, { kind: 'stale', lagMs: 120_000 })
    wake()
    await stage.run(30_000)
    well()
    bootHost(world, next)
    await stage.settled()
  },
}

export const hostSlept: Scenario = {
  name: 'the host of the primary sleeps for five minutes',
  guard: { name: 'the lease guard, which counts suspended time', out: { options: { fence: false } } },
  async play(stage) {
    const wake = freezeHost(stage.scene, stage.leader)
    await stage.run(300_000)
    wake()
    await stage.settled()
  },
}

export const oldLeaderBack: Scenario = {
  name: 'an old leader comes back from a network failure with old data',
  guard: {
    name: 'the comparison of timelines before following',
    out: {
      filters: {
        postgres: (postgres) =>
          overriding(postgres, { rewindSource: () => Promise.resolve({ kind: 'unreachable', reason: 'not asked' }) }),
      },
    },
  },
  async play(stage) {
    const old = stage.leader
    const back = isolate(stage.world, old.name)
    await stage.until('another one is the primary', () => stage.primary !== null && stage.primary !== old)
    await stage.run(60_000)
    back()
    await stage.settled()
  },
}

export const clockSetBack: Scenario = {
  name: 'the clock of the primary is set back by five minutes',
  guard: {
    name: 'monotonic time in every wait',
    out: {
      filters: {
        clock: (clock) => {
          const wall = (): ReturnType<typeof clock.now> => (clock.wallMs() - 1.7e12) as ReturnType<typeof clock.now>
          return overriding(clock, {
            now: wall,
            sleep: (ms, signal) => sleepByWall(wall, clock, ms, signal),
          })
        },
      },
    },
  },
  async play(stage) {
    const { leader } = stage
    await stage.run(7000)
    const { postmaster } = leader.server
    leader.clock.wallOffsetMs -= 300_000
    await stage.run(60_000)
    stage.expect(leader.server.postmaster === postmaster, 'the primary was never stopped')
  },
}

/** Waits for a moment on a clock that somebody may set, as programs do that know no other. */
async function sleepByWall(
  wall: () => number,
  clock: { sleep(ms: number, signal: AbortSignal): Promise<void> },
  ms: number,
  signal: AbortSignal,
): Promise<void> {
  const end = wall() + ms
  while (wall() < end && !signal.aborted) await clock.sleep(Math.min(end - wall(), 1000), signal)
}

export const staleView: Scenario = {
  name: 'a member with a stale view believes that there is no leader',
  options: { store: { sessions: 'shared', tellsAll: false, watchDelayMs: 2000 } },
  guard: {
    name: 'the lock is only ever created, never overwritten',
    out: { filters: { dcs: (dcs) => overriding(dcs, { acquire: (budget) => dcs.take(budget) }) } },
  },
  async play(stage) {
    const { world } = stage
    const old = stage.leader
    const [first, second] = stage.standbys
    if (!first || !second) return
    killAgent(world, old, true)
    old.server.kill()
    const undo = [world.network.cutBothWays(first.name, second.name), world.network.cutBothWays(old.name, first.name)]
    // While the one asks members that do not answer, the other has taken the lock: what it read is old by then.
    await stage.until('a new primary', () => second.server.isWritable || first.server.isWritable)
    await stage.run(15_000)
    undo.forEach((one) => one())
    world.heldDown.clear()
    world.startAgent(old)
    await stage.settled()
  },
}

export const oneWayToTheStore: Scenario = {
  name: 'requests of the primary reach the store but no answer comes back',
  guard: {
    name: 'an unanswered renewal is neither won nor lost, and the lease counts from the last answer',
    out: {
      options: { fence: false },
      filters: {
        dcs: (dcs, host) => {
          let last = EMPTY_VIEW
          return overriding(dcs, {
            load: async (budget) => {
              const outcome = await dcs.load(budget)
              if (outcome.kind === 'done') last = outcome.value
              return { kind: 'done', value: last }
            },
            renew: async (view, budget, mayCreate) => {
              const outcome = await dcs.renew(view, budget, mayCreate)
              return outcome.kind === 'unknown' ? { kind: 'done', value: { sentAt: host.clock.now() } } : outcome
            },
          })
        },
      },
    },
  },
  async play(stage) {
    const { leader, world } = stage
    // Requests stop arriving a little later: until then the store goes on prolonging a lock nobody knows of.
    const deaf = world.network.cut(STORE, leader.name)
    await stage.run(8000)
    const back = isolate(world, leader.name)
    await stage.run(60_000)
    deaf()
    back()
    await stage.settled()
  },
}

export const restartedWithoutLock: Scenario = {
  name: 'a restart is asked of a former primary that cannot know that somebody else is the primary',
  guard: {
    name: 'what may take writes is launched only while its lease runs',
    out: {
      filters: { postgres: (postgres) => overriding(postgres, { hasRecoverySignal: () => Promise.resolve(true) }) },
    },
  },
  async play(stage) {
    const { world } = stage
    const old = stage.leader
    const back = isolate(world, old.name)
    crashHost(world, old)
    await stage.until('another one is the primary', () => stage.primary !== null && stage.primary !== old)
    bootHost(world, old)
    await stage.run(3000)
    const { agent } = old
    if (!agent) return stage.expect(false, 'the agent runs')
    agent.process.deliver(() => void agent.ha.mutex.run(() => Promise.resolve(beginRestart(agent.ha, null))))
    await stage.run(30_000)
    back()
    await stage.settled()
  },
}
