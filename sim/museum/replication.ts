import { lsn } from '../../src/cluster/lsn.ts'
import { type ClusterView, KEYS, viewFromKeys } from '../../src/cluster/view.ts'
import { unmount } from '../faults/local.ts'
import { requestSwitchover } from '../faults/operator.ts'
import { bootHost, crashHost } from '../faults/processes.ts'
import type { Scenario, Stage } from '../scenario.ts'
import { STORE } from '../store/service.ts'
import { mishearing, misreading, overriding } from '../world/filters.ts'
import { ELECTION_AS_READ } from './blind.ts'

/** Who may be promoted is not looked at: every member believes itself a voter. */
const EVERYBODY_VOTES = misreading((view, host) => electable(view, host.name))

function electable(view: ClusterView, name: string): ClusterView {
  if (view.sync.leader === null || view.sync.leader === name || view.leader?.name === view.sync.leader) return view
  return { ...view, sync: { ...view.sync, voters: [name], quorum: 0 } }
}

export const electionOfYesterday: Scenario = {
  name: 'quorum: members elect by an old copy of the store, and what decided it has changed since',
  config: { synchronous_mode: 'quorum', failsafe_mode: true, ttl: 5, loop_wait: 1, retry_timeout: 1 },
  guard: ELECTION_AS_READ,
  async play(stage) {
    const { world, leader, standbys } = stage
    await stage.run(20_000)
    const back = world.network.cutBothWays(leader.name, STORE)
    await stage.run(15_000)
    const stale = standbys.map(({ name }) => world.store.trouble(name, { kind: 'stale', lagMs: 14_000 }))
    back()
    await stage.until('the leader has its lock again', () => stage.holder === leader.name)
    const alone = standbys.map(({ name }) => world.network.cutBothWays(leader.name, name))
    await stage.run(4000)
    crashHost(world, leader)
    await stage.run(9000)
    for (const end of [...stale, ...alone]) end()
    await stage.run(10_000)
    bootHost(world, leader)
    await stage.settled()
  },
}

export const statusOfYesterday: Scenario = {
  name: 'a member races by an old copy of the store, and a leader that it never heard of has come and gone since',
  members: ['a', 'b'],
  config: { maximum_lag_on_failover: 0, ttl: 5, loop_wait: 1, retry_timeout: 1 },
  guard: ELECTION_AS_READ,
  async play(stage) {
    const { world, leader } = stage
    const [standby] = stage.standbys
    if (!standby) return
    await stage.run(20_000)
    const first = world.network.cutBothWays(leader.name, STORE)
    const away = world.network.cutBothWays(standby.name, STORE)
    await stage.run(8000)
    first()
    await stage.until('the leader has its lock again', () => stage.holder === leader.name)
    const parted = world.network.cutBothWays(leader.name, standby.name)
    await stage.run(4000)
    crashHost(world, leader)
    await stage.run(7000)
    // What it reads now is of when nobody had the lock.
    const stale = world.store.trouble(standby.name, { kind: 'stale', lagMs: 13_000 })
    away()
    await stage.run(8000)
    for (const end of [stale, parted]) end()
    await stage.run(10_000)
    bootHost(world, leader)
    await stage.settled()
  },
}

export const timelineTwice: Scenario = {
  name: 'A fails, B is promoted, B fails, A returns',
  guard: {
    name: 'a member does not race on a timeline that has ended',
    out: { filters: misreading((view) => ({ ...view, history: null })) },
  },
  config: { check_timeline: true },
  members: ['a', 'b'],
  async play(stage) {
    const { world } = stage
    const a = stage.leader
    const [b] = stage.standbys
    if (!b) return
    crashHost(world, a)
    await stage.until('B is the primary', () => b.server.isWritable)
    await stage.run(15_000)
    crashHost(world, b)
    bootHost(world, a)
    await stage.run(60_000)
    stage.expect(!a.server.isWritable, 'A does not take writes without what B has')
    bootHost(world, b)
    await stage.settled()
  },
}

export const candidateDies: Scenario = {
  name: 'the candidate of a switchover dies in the middle of it',
  config: { synchronous_mode: 'quorum' },
  guard: {
    name: 'a candidate that does not answer is not waited for',
    out: {
      filters: mishearing((answer) =>
        answer.kind === 'reachable'
          ? answer
          : {
              kind: 'reachable',
              name: answer.name,
              inRecovery: true,
              lsn: lsn(Number.MAX_SAFE_INTEGER),
              role: 'replica',
              timeline: null,
              tags: {},
              watchdogFailed: false,
            },
      ),
    },
  },
  async play(stage) {
    const { world, leader } = stage
    const [candidate] = stage.standbys
    if (!candidate) return
    requestSwitchover(world, leader, candidate)
    await stage.until('the primary has stopped', () => !leader.server.isWritable)
    crashHost(world, candidate)
    await stage.until('somebody is the primary', () => world.singleWriter.writers().length === 1, 12_000)
    bootHost(world, candidate)
    await stage.settled()
  },
}
export const standbyReconnects: Scenario = {
  name: 'a synchronous standby reconnects in the second in which the primary dies',
  config: { synchronous_mode: true },
  guard: { name: 'only those in the sync key may be promoted', out: { filters: EVERYBODY_VOTES } },
  async play(stage) {
    const { world } = stage
    const { leader } = stage
    const voters = viewFromKeys(world.store.tree.keys).sync.voters
    const away = stage.standbys.find((host) => voters.includes(host.name))
    const other = stage.standbys.find((host) => host !== away)
    if (!away || !other) return
    const back = world.network.cutBothWays(leader.name, away.name)
    await stage.until('another one is synchronous', () => syncVoters(stage).includes(other.name), 120_000)
    await stage.run(5000)
    back()
    await stage.run(30)
    crashHost(world, leader)
    crashHost(world, other)
    await stage.run(60_000)
    bootHost(world, other)
    await stage.until('somebody is the primary', () => world.singleWriter.writers().length === 1, 90_000)
    bootHost(world, leader)
    await stage.settled()
  },
}

export const candidateMissedCommits: Scenario = {
  name: 'the candidate of a switchover is away while others confirm commits, and comes back when the lock is free',
  members: ['a', 'b', 'c'],
  config: { synchronous_mode: 'quorum' },
  guard: {
    name: 'the candidate counts votes as everybody does',
    out: {
      filters: mishearing((answer, host) =>
        answer.kind === 'reachable' && answer.inRecovery && !host.server.isWritable
          ? { ...answer, lsn: lsn(1) }
          : answer,
      ),
    },
  },
  async play(stage) {
    const { world, leader } = stage
    await stage.until('both vote', () => syncVoters(stage).length === 2)
    const [candidate] = stage.standbys
    if (!candidate) return
    leader.server.disk.factor = 100
    requestSwitchover(world, leader, candidate)
    await stage.run(60)
    crashHost(world, candidate)
    await stage.until('the lock is free', () => stage.holder === undefined, 120_000)
    bootHost(world, candidate)
    await stage.run(20_000)
    leader.server.disk.factor = 1
    await stage.settled()
  },
}

export const leaderOfYesterday: Scenario = {
  name: 'quorum: the old leader is back before its successor has written the sync key, and the successor is lost',
  config: { synchronous_mode: 'quorum' },
  guard: {
    name: 'the sync key names the new leader before it is promoted',
    out: {
      filters: {
        // Nobody takes the key over from another.
        dcs: (dcs, { name }) =>
          overriding(dcs, {
            writeSync: async (state, version, budget) => {
              const seen = await dcs.load(budget)
              const owner = seen.kind === 'done' ? seen.value.sync.leader : null
              return owner === null || owner === name
                ? dcs.writeSync(state, version, budget)
                : { kind: 'done', value: version }
            },
          }),
      },
    },
  },
  async play(stage) {
    const { world, leader, standbys } = stage
    await stage.until('everybody votes', () => syncVoters(stage).length === 2)
    crashHost(world, leader)
    await stage.until('there is a successor', () => stage.primary !== null)
    await stage.run(1000)
    for (const host of standbys) crashHost(world, host)
    bootHost(world, leader)
    await stage.run(60_000)
    for (const host of standbys) bootHost(world, host)
    await stage.settled()
  },
}

export const promiseFromBackup: Scenario = {
  name: 'quorum: the store is restored from a backup that lets a standby take over which commits have ceased to wait for',
  members: ['a', 'b'],
  config: { synchronous_mode: 'quorum' },
  guard: {
    name: 'where commits wait for nobody, the sync key names nobody',
    out: {
      filters: {
        dcs: (dcs) =>
          overriding(dcs, {
            writeSync: async (state, version, budget) =>
              state.voters.length > 0 || state.leader === null
                ? dcs.writeSync(state, version, budget)
                : { kind: 'done', value: version },
          }),
      },
    },
  },
  async play(stage) {
    const { world, leader } = stage
    const [standby] = stage.standbys
    if (!standby) return
    await stage.until('the standby may take over', () => syncVoters(stage).length === 1)
    const backup = new Map(world.store.tree.keys)
    const back = world.network.cutBothWays(leader.name, standby.name)
    await stage.run(90_000)
    world.store.tree.restore(backup)
    await stage.run(15_000)
    crashHost(world, leader)
    await stage.run(60_000)
    back()
    bootHost(world, leader)
    await stage.settled()
  },
}

export const voteFromYesterday: Scenario = {
  name: 'quorum: a new primary loses the store in the second of its promotion, and the leader before, with more WAL, asks for its vote',
  members: ['a', 'b'],
  config: { synchronous_mode: 'quorum', ttl: 10, loop_wait: 2, retry_timeout: 3 },
  guard: {
    name: 'a vote counts only on the timeline that both are on',
    out: {
      filters: mishearing((answer, host) =>
        answer.kind === 'reachable' ? { ...answer, timeline: host.agent?.ha.memory.own.timeline ?? null } : answer,
      ),
    },
  },
  async play(stage) {
    const { world, leader } = stage
    const [successor] = stage.standbys
    if (!successor) return
    await stage.until('the standby may take over', () => syncVoters(stage).length === 1)
    await stage.run(20_000)
    successor.server.disk.hang()
    await stage.run(8000)
    world.writer.write(leader.server, 200_000)
    await stage.run(2000)
    const mount = unmount(world, leader)
    await stage.until('the successor is alone in the key', () => syncVoters(stage).length === 0)
    successor.server.disk.recover()
    await stage.until('the successor takes writes', () => successor.server.isWritable)
    await stage.run(500)
    const back = world.network.cutBothWays(successor.name, STORE)
    await stage.until('it has given up', () => !successor.server.isWritable)
    await stage.run(5000)
    mount()
    await stage.run(30_000)
    back()
    await stage.settled()
  },
}

function syncVoters(stage: Stage): readonly string[] {
  return viewFromKeys(stage.world.store.tree.keys).sync.voters
}

export const quorumChanges: Scenario = {
  name: 'the quorum changes while the primary fails',
  members: ['a', 'b', 'c', 'd', 'e'],
  config: { synchronous_mode: 'quorum', synchronous_node_count: 1 },
  guard: {
    name: 'the sync key is written before commits may rest on it',
    out: {
      filters: {
        dcs: (dcs) =>
          overriding(dcs, { writeSync: (_state, version) => Promise.resolve({ kind: 'done', value: version }) }),
        peers: (peers) => peers,
      },
    },
  },
  async play(stage) {
    const { world, leader } = stage
    const [b, c, d, e] = stage.standbys
    if (!b || !c || !d || !e) return
    await stage.until('everybody votes', () => syncVoters(stage).length === 4)
    const gone = [b, c].map((host) => world.network.cutBothWays(leader.name, host.name))
    const before = world.store.tree.keys.get(KEYS.sync)?.version
    for (const host of [d, e]) host.server.disk.factor = 50
    await stage.until('the quorum changes', () => world.store.tree.keys.get(KEYS.sync)?.version !== before, 200_000)
    crashHost(world, leader)
    gone.forEach((one) => one())
    crashHost(world, d)
    for (const host of [d, e]) host.server.disk.factor = 1
    await stage.run(60_000)
    bootHost(world, d)
    bootHost(world, leader)
    await stage.settled()
  },
}
