import type { ClusterView } from '../../src/cluster/view.ts'
import { KEYS } from '../../src/cluster/view.ts'
import type { Dcs } from '../../src/ports/dcs.ts'
import { requestSwitchover } from '../faults/operator.ts'
import { bootHost, crashHost } from '../faults/processes.ts'
import { isolate } from '../faults/wires.ts'
import type { Scenario, Stage } from '../scenario.ts'
import type { StoreTrouble } from '../store/service.ts'
import { STORE } from '../store/service.ts'
import { overriding } from '../world/filters.ts'
import type { Host } from '../world/host.ts'
import { DEAF_PEERS } from './blind.ts'

/** An answer that says nothing is taken for "somebody else has the lock". */
const ERRORS_ARE_REFUSALS: Scenario['guard'] = {
  name: 'only a refusal means that the lock is lost',
  out: {
    filters: {
      dcs: (dcs) =>
        overriding(dcs, {
          renew: async (view, budget, mayCreate) => {
            const outcome = await dcs.renew(view, budget, mayCreate)
            return outcome.kind === 'unknown' ? { kind: 'refused', reason: outcome.reason } : outcome
          },
          load: async (budget) => {
            const outcome = await dcs.load(budget)
            return outcome.kind === 'unknown' ? dcs.load(budget) : outcome
          },
        }),
    },
  },
}

/** The next renewal of the primary, and nothing else, gets this answer. */
async function spoilOneRenewal(stage: Stage, trouble: StoreTrouble): Promise<void> {
  const { leader, world } = stage
  const branch = leader.server.files?.position.branch
  const end = world.store.troubleOnRenewal(leader.name, trouble)
  await stage.run(12_000)
  end()
  await stage.run(30_000)
  await stage.settled()
  stage.expect(stage.leader.server.files?.position.branch === branch, 'the primary is the same, and was never stopped')
}

function answered(reason: string): Scenario {
  return {
    name: `the store answers ${reason} to a renewal`,
    config: { failsafe_mode: true },
    guard: ERRORS_ARE_REFUSALS,
    play: (stage) => spoilOneRenewal(stage, { kind: 'error', reason, applies: false }),
  }
}

export const tooManyRequests = answered('429')
export const internalError = answered('500')
export const halfAnAnswer = answered('half a JSON document')

export const forbidden: Scenario = {
  name: 'the store answers 403 to a renewal',
  options: { store: { sessions: 'per-key', tellsAll: false, watchDelayMs: 5 } },
  guard: {
    name: 'a refused renewal ends the primary before another one begins',
    out: {
      options: { fence: false },
      filters: {
        dcs: (dcs, host) =>
          overriding(dcs, {
            renew: async (view, budget, mayCreate) => {
              const outcome = await dcs.renew(view, budget, mayCreate)
              return outcome.kind === 'refused' ? { kind: 'done', value: { sentAt: host.clock.now() } } : outcome
            },
            load: async (budget) => {
              const outcome = await dcs.load(budget)
              if (outcome.kind !== 'done') return outcome
              const mine = { name: host.name, version: null, session: null }
              return host.server.isWritable ? { kind: 'done', value: { ...outcome.value, leader: mine } } : outcome
            },
          }),
      },
    },
  },
  async play(stage) {
    const { leader, world } = stage
    const end = world.store.troubleOnRenewal(leader.name, { kind: 'forbidden', reason: '403' })
    const undo = stage.standbys.map((host) => world.network.cutBothWays(leader.name, host.name))
    await stage.run(60_000)
    end()
    undo.forEach((one) => one())
    await stage.settled()
  },
}

/** Who reads a store without a leader the next time he looks. */
const misled = new Set<string>()

function misleads(dcs: Dcs, host: Host): Partial<Dcs> {
  return {
    load: async (budget) => {
      const outcome = await dcs.load(budget)
      const lies = misled.delete(host.name) && outcome.kind === 'done'
      return lies ? { ...outcome, value: { ...outcome.value, leader: null } } : outcome
    },
  }
}

export const noLeader: Scenario = {
  name: 'one read of the store says that there is no leader, to each member',
  filters: { dcs: (dcs, host) => overriding(dcs, misleads(dcs, host)) },
  guard: {
    name: 'the others are asked, and the key is only created',
    out: {
      filters: {
        ...DEAF_PEERS,
        dcs: (dcs, host) => overriding(dcs, { ...misleads(dcs, host), acquire: (budget) => dcs.take(budget) }),
      },
    },
  },
  async play(stage) {
    const { leader } = stage
    for (const host of [leader, ...stage.standbys]) {
      misled.add(host.name)
      await stage.run(12_000)
    }
    await stage.settled()
    stage.expect(stage.leader === leader, 'the primary is still the same')
    stage.expect(stage.world.timelines.promotions === 1, 'nobody was promoted')
  },
}

export const keyDeleted: Scenario = {
  name: 'the leader key is deleted by hand',
  guard: { name: 'a primary that still runs blocks the race', out: { filters: DEAF_PEERS } },
  async play(stage) {
    const { leader, world } = stage
    await stage.run(3000)
    world.store.tree.delete(KEYS.leader, null)
    await stage.run(30_000)
    await stage.settled()
    stage.expect(stage.leader === leader, 'the primary is still the same')
  },
}

export const keyDeletedInPromotion: Scenario = {
  name: 'the leader key is deleted by hand while its owner is about to be promoted',
  filters: {
    postgres: (postgres, host) =>
      overriding(postgres, {
        // A slow answer to who has the lock makes the moment long enough to be hit.
        identifyTimeline: async (signal) => {
          if (host.agent?.ha.memory.lease.taken) await host.agent.ha.world.clock.sleep(2000, signal)
          return postgres.identifyTimeline(signal)
        },
      }),
  },
  guard: {
    name: 'only who has the lock takes the number of a timeline',
    out: { options: { store: { sessions: 'shared', tellsAll: false, watchDelayMs: 5, ignoresHolder: true } } },
  },
  async play(stage) {
    const { world, leader, standbys } = stage
    await stage.run(3000)
    crashHost(world, leader)
    await stage.until('somebody else has the lock', () => standbys.some((host) => host.name === stage.holder))
    await stage.run(200)
    world.store.tree.delete(KEYS.leader, null)
    await stage.run(10_000)
    bootHost(world, leader)
    await stage.settled()
  },
}

export const wiped: Scenario = {
  name: 'the store is wiped',
  guard: { name: 'a primary that still runs blocks the race', out: { filters: DEAF_PEERS } },
  async play(stage) {
    const { leader, world } = stage
    await stage.run(3000)
    world.store.tree.wipe()
    await stage.run(30_000)
    await stage.settled()
    stage.expect(stage.leader === leader, 'the primary is still the same')
    stage.expect(world.store.tree.keys.has(KEYS.config), 'the configuration is back')
  },
}

export const restored: Scenario = {
  name: 'the store is restored from a backup that names the leader of yesterday, while the one of today does not see it',
  guard: {
    name: 'a lock that one did not take oneself makes no primary while another one runs',
    out: { filters: DEAF_PEERS },
  },
  async play(stage) {
    const { world } = stage
    const old = stage.leader
    const backup = new Map(world.store.tree.keys)
    requestSwitchover(world, old, null)
    await stage.until('another one is the primary', () => stage.primary !== null && stage.primary !== old)
    await stage.settled()
    await stage.run(30_000)
    const back = world.network.cutBothWays(stage.leader.name, STORE)
    world.store.tree.restore(backup)
    await stage.run(60_000)
    back()
    await stage.settled()
  },
}

export const isolatedWithBlindStore: Scenario = {
  name: 'the primary is cut off from everybody',
  guard: {
    name: 'a store that does not answer ends a primary, and the lease guard where it does not',
    out: {
      options: { fence: false },
      filters: {
        dcs: (dcs) => {
          let last: ClusterView | null = null
          return overriding(dcs, {
            load: async (budget) => {
              const outcome = await dcs.load(budget)
              if (outcome.kind === 'done') last = outcome.value
              return last ? { kind: 'done', value: last } : outcome
            },
            renew: async (view, budget, mayCreate) => {
              const outcome = await dcs.renew(view, budget, mayCreate)
              return outcome.kind === 'unknown' ? { kind: 'done', value: { sentAt: budget.deadline } } : outcome
            },
          })
        },
      },
    },
  },
  async play(stage) {
    const back = isolate(stage.world, stage.leader.name)
    await stage.run(60_000)
    back()
    await stage.settled()
  },
}
