import { type ClusterView, failsafeMembers } from '../../src/cluster/view.ts'
import { orderFailover, requestSwitchover } from '../faults/operator.ts'
import { freezeHost, killAgent, release } from '../faults/processes.ts'
import { isolate } from '../faults/wires.ts'
import type { Scenario } from '../scenario.ts'
import { STORE } from '../store/service.ts'
import { mishearing, misreading, overriding } from '../world/filters.ts'
import { deaf, ELECTION_AS_READ } from './blind.ts'

function withoutFailsafe(view: ClusterView): ClusterView {
  return { ...view, failsafe: view.failsafe && { ...view.failsafe, document: null } }
}

export const failsafeMemberGone: Scenario = {
  name: 'failsafe: the store is lost to the primary, and one member as well',
  members: ['a', 'b'],
  config: { failsafe_mode: true },
  guard: {
    name: 'every member must consent',
    out: {
      filters: {
        peers: (peers) =>
          overriding(peers, {
            askFailsafe: async (members, body, budget) =>
              (await peers.askFailsafe(members, body, budget)).map((answer) => ({ ...answer, accepted: true })),
          }),
      },
    },
  },
  async play(stage) {
    await stage.run(11_000)
    const back = isolate(stage.world, stage.leader.name)
    await stage.run(90_000)
    back()
    await stage.settled()
  },
}

export const failsafeOutsider: Scenario = {
  name: 'failsafe: a member that the primary without a store never asked is told to take over by a switchover',
  members: ['a', 'b'],
  config: { failsafe_mode: true },
  guard: {
    name: 'only members of the failsafe record may take over',
    out: {
      filters: misreading((view, host) => (host.name in (failsafeMembers(view) ?? {}) ? view : withoutFailsafe(view))),
    },
  },
  async play(stage) {
    const { world, leader: old } = stage
    const [other] = stage.standbys
    if (!other) return
    killAgent(world, other, true)
    await stage.run(40_000)
    const parted = world.network.cutBothWays(old.name, other.name)
    const back = world.network.cutBothWays(old.name, STORE)
    release(world, other)
    await stage.run(30_000)
    requestSwitchover(world, old, null)
    await stage.run(30_000)
    back()
    parted()
    await stage.settled()
  },
}

export const failsafeOrdered: Scenario = {
  name: 'failsafe: a failover is ordered to a member that was never asked, and the agent of the primary without a store is lost',
  config: { failsafe_mode: true },
  guard: {
    name: 'even an order waits while there is a sign of a primary',
    out: {
      // No consents are told, and a primary is not seen.
      filters: mishearing((answer) => {
        if (answer.kind === 'unreachable') return answer
        const { failsafeActive: _, ...rest } = answer
        return rest.inRecovery ? rest : { kind: 'unreachable', name: rest.name }
      }),
    },
  },
  async play(stage) {
    const { world, leader, standbys } = stage
    const [, outsider] = standbys
    if (!outsider) return
    killAgent(world, outsider, true)
    await stage.run(40_000)
    const back = world.network.cutBothWays(leader.name, STORE)
    release(world, outsider)
    await stage.run(30_000)
    orderFailover(world, outsider)
    await stage.run(10_000)
    killAgent(world, leader, true)
    await stage.run(30_000)
    back()
    release(world, leader)
    await stage.settled()
  },
}

export const failsafeHeir: Scenario = {
  name: 'failsafe: the primary is cut off, its successors give the lock back, and their record does not name who has the last commits',
  config: { failsafe_mode: true },
  guard: {
    name: 'who is not in the record asks those who are whether one of them is a primary',
    out: { filters: { peers: (peers, host) => (host.name === 'a' ? deaf(peers) : peers) } },
  },
  async play(stage) {
    const { world } = stage
    if (stage.leader.name !== 'a') requestSwitchover(world, stage.leader, stage.host('a'))
    await stage.until('a is the primary', () => stage.primary?.name === 'a')
    await stage.settled()
    await stage.run(11_000)
    for (const { server } of stage.standbys) server.prePromote = { ms: 100, passes: false }
    const back = isolate(world, 'a')
    await stage.until('a successor has the lock', () => ['b', 'c'].includes(stage.holder ?? ''))
    await stage.until('the successors have given it back', () => stage.holder === undefined)
    await stage.run(4000)
    back()
    for (const { server } of world.hosts.values()) server.prePromote = { ms: 1, passes: true }
    await stage.settled()
  },
}

export const failsafeForgotten: Scenario = {
  name: 'failsafe: the members that consented are started anew while the primary without a store is frozen',
  config: { failsafe_mode: true },
  guard: {
    name: 'an agent that may have promised something before it was started waits',
    // Whoever races does not know who could have asked for a promise.
    out: { filters: misreading((view) => (view.leader ? view : withoutFailsafe(view))) },
  },
  async play(stage) {
    const { world, scene, leader, standbys } = stage
    await stage.run(11_000)
    const back = world.network.cutBothWays(leader.name, STORE)
    await stage.run(41_000)
    const wake = freezeHost(scene, leader)
    for (const standby of standbys) killAgent(world, standby, true)
    for (const standby of standbys) release(world, standby)
    await stage.run(9000)
    wake()
    await stage.run(10_000)
    back()
    await stage.settled()
  },
}

export const failsafeOfYesterday: Scenario = {
  name: 'failsafe: a member is told to race by an old copy of the store, and has been left out of the record since',
  config: { failsafe_mode: true, ttl: 5, loop_wait: 1, retry_timeout: 1 },
  // It is not asked how far it is.
  tags: { a: { nofailover: true } },
  guard: ELECTION_AS_READ,
  async play(stage) {
    const { world, leader, standbys } = stage
    const [, outsider] = standbys
    if (!outsider) return
    await stage.run(20_000)
    // Everybody consents, nobody has the lock: that is what the outsider will read.
    const first = world.network.cutBothWays(leader.name, STORE)
    await stage.run(14_000)
    const away = world.network.cutBothWays(outsider.name, STORE)
    first()
    await stage.until('the leader has its lock again', () => stage.holder === leader.name)
    await stage.run(9000)
    const second = world.network.cutBothWays(leader.name, STORE)
    await stage.run(7000)
    const parted = world.network.cutBothWays(leader.name, outsider.name)
    const stale = world.store.trouble(outsider.name, { kind: 'stale', lagMs: 20_000 })
    away()
    await stage.run(6000)
    for (const end of [stale, second, parted]) end()
    await stage.settled()
  },
}

export const failsafeHolds: Scenario = {
  name: 'failsafe: the store is gone for five minutes and everybody consents',
  config: { failsafe_mode: true },
  guard: { name: 'failsafe mode', out: { options: { dynamicConfig: { ttl: 20, loop_wait: 5, retry_timeout: 5 } } } },
  async play(stage) {
    const { leader, world } = stage
    await stage.run(11_000)
    const back = world.store.trouble('*', { kind: 'hung', applies: false })
    await stage.run(300_000)
    stage.expect(world.singleWriter.writers()[0] === leader.server, 'the primary went on')
    back()
    await stage.settled()
  },
}
