import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { type EtcdProcess, hasEtcd, startCluster, whenHealthy } from '../../../test/support/etcd-process.ts'
import { type MadeStore, startedStore } from '../../../test/support/etcd-store.ts'
import { budget, systemClock } from '../../../test/support/real.ts'
import type { ClusterView } from '../../cluster/view.ts'
import type { DcsTiming } from '../../ports/dcs.ts'

const TIMING: DcsTiming = { ttlMs: 20_000, loopWaitMs: 2000, retryTimeoutMs: 3000 }
let servers: EtcdProcess[] = []
let members: MadeStore[] = []
let trees = 0

async function join(name: string, timing = TIMING): Promise<MadeStore> {
  const section = { hosts: servers.map(({ clientPort }) => `127.0.0.1:${clientPort}`) }
  const made = await startedStore({ section, name, prefix: `/service/real-${trees}/`, timing })
  members.push(made)
  return made
}

async function view(made: MadeStore, ms = 5000): Promise<ClusterView> {
  const loaded = await made.store.load(budget(ms))
  return loaded.kind === 'done' ? loaded.value : assert.fail(`${loaded.kind}: ${loaded.reason}`)
}

const pause = (ms: number): Promise<void> => systemClock.sleep(ms, budget(ms + 1000).signal)

/** The server that a member uses now, by its last word about it. */
function serverOf({ log }: MadeStore): EtcdProcess {
  const line = log.lines.findLast((one) => one.includes('Selected new etcd server')) ?? ''
  return servers.find(({ clientPort }) => line.endsWith(`:${clientPort}`)) ?? assert.fail(line)
}

describe('three etcd servers', { skip: hasEtcd() ? false : 'etcd is not installed' }, () => {
  before(async () => {
    servers = await startCluster(3)
  })
  beforeEach(async () => {
    await Promise.all(members.map(({ store }) => store.close()))
    members = []
    trees += 1
    // All of them first: none is healthy without the others.
    for (const server of servers) server.thaw()
    for (const server of servers) {
      if (!(await server.isHealthy())) {
        await server.kill()
        server.restart()
      }
      await whenHealthy(server)
    }
  })
  after(async () => {
    await Promise.all(members.map(({ store }) => store.close()))
    await Promise.all(servers.map((server) => server.remove()))
  })

  for (const how of ['frozen', 'killed'] as const) {
    test(`a renewal goes through although the server in use is ${how}, within the retry time`, async () => {
      const a = await join('a')
      assert.equal((await a.store.acquire(budget(3000))).kind, 'done')
      const seen = await view(a)
      const server = serverOf(a)
      if (how === 'frozen') await server.freeze()
      else await server.kill()
      const begun = systemClock.now()
      const outcome = await a.store.renew(seen, budget(3000))
      assert.equal(outcome.kind, 'done', JSON.stringify(outcome))
      assert.ok(systemClock.now() - begun < 3000)
      assert.notEqual(serverOf(a), server)
      assert.equal((await view(a)).leader?.name, 'a', 'and the tree is watched elsewhere')
    })
  }

  test('a member whose server is frozen learns of a new leader after its next touch', async () => {
    const [a, b] = [await join('a'), await join('b')]
    await view(b)
    const frozen = serverOf(b)
    await frozen.freeze()
    assert.equal((await a.store.acquire(budget(6000))).kind, 'done')
    await pause(TIMING.loopWaitMs / 2)
    assert.equal((await b.store.touchMember({ state: 'running' }, budget(3000))).kind, 'done')
    assert.equal((await view(b)).leader?.name, 'a')
  })

  test('without a quorum nothing is done and nothing is refused; with it again all goes on', async () => {
    const a = await join('a')
    assert.equal((await a.store.acquire(budget(3000))).kind, 'done')
    const seen = await view(a)
    const [first, second] = servers
    await Promise.all([first?.kill(), second?.kill()])
    // For an election time-out the last one may believe that it leads, and prolong leases. No harm: whoever is elected
    // after it gives every lease its whole ttl again.
    await pause(1500)
    const outcome = await a.store.renew(seen, budget(3000))
    assert.equal(outcome.kind, 'unknown', JSON.stringify(outcome))
    assert.equal((await a.store.acquire(budget(2000))).kind, 'unknown')
    assert.equal((await a.store.writeConfig({ ttl: 30 }, null, budget(2000))).kind, 'unknown')
    assert.equal((await a.store.load(budget(1000))).kind, 'unknown', 'a member without a leader is not believed')
    first?.restart()
    second?.restart()
    await Promise.all(servers.map(whenHealthy))
    assert.equal((await a.store.renew(await view(a, 10_000), budget(5000))).kind, 'done')
  })

  test('all frozen: unknown within the budget; thawed: the same member goes on without a restart', async () => {
    const a = await join('a')
    assert.equal((await a.store.acquire(budget(3000))).kind, 'done')
    const seen = await view(a)
    await Promise.all(servers.map((server) => server.freeze()))
    const begun = systemClock.now()
    assert.equal((await a.store.renew(seen, budget(3000))).kind, 'unknown')
    const took = systemClock.now() - begun
    assert.ok(took < 3300, `${took} ms`)
    assert.equal((await a.store.load(budget(500))).kind, 'unknown')
    for (const server of servers) server.thaw()
    const now = await view(a, 10_000)
    assert.equal((await a.store.renew(now, budget(3000))).kind, 'done')
  })

  test('of five members that race through three servers exactly one acquires, each time', async () => {
    const racers = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => join(name)))
    for (let round = 0; round < 10; round += 1) {
      const outcomes = await Promise.all(racers.map(({ store }) => store.acquire(budget(3000))))
      assert.equal(outcomes.filter(({ kind }) => kind === 'done').length, 1)
      assert.equal(outcomes.filter(({ kind }) => kind === 'refused').length, 4)
      const winner = racers[outcomes.findIndex(({ kind }) => kind === 'done')]
      assert.equal((await winner?.store.release(budget(3000)))?.kind, 'done')
    }
  })

  test('a race while the leader of the servers is killed has at most one winner, and he knows it', async () => {
    const racers = await Promise.all(['a', 'b', 'c'].map((name) => join(name)))
    const racing = Promise.all(racers.map(({ store }) => store.acquire(budget(6000))))
    await servers[0]?.kill()
    const outcomes = await racing
    const winners = racers.filter((_, i) => outcomes[i]?.kind === 'done')
    assert.ok(winners.length <= 1)
    const { leader } = await view(racers[0] as MadeStore, 10_000)
    if (winners[0]) assert.equal(leader?.name, ['a', 'b', 'c'][racers.indexOf(winners[0])])
  })

  test('a member at rest costs one keep-alive for each cycle and nothing else', async () => {
    const [a, b] = [await join('a'), await join('b')]
    await a.store.acquire(budget(3000))
    const cycle = async ({ store }: MadeStore, holds: boolean): Promise<void> => {
      const seen = await store.load(budget(3000))
      assert.ok(seen.kind === 'done')
      if (holds) assert.equal((await store.renew(seen.value, budget(3000))).kind, 'done')
      if (holds) await store.writeStatus({ lastLsn: 5 as never, slots: null, retainSlots: [] }, budget(3000))
      assert.equal((await store.touchMember({ state: 'running', xlog_location: 5 }, budget(3000))).kind, 'done')
    }
    await cycle(a, true)
    await cycle(b, false)
    const calls = async (): Promise<Record<string, number>> => {
      const total: Record<string, number> = {}
      for (const server of servers) {
        for (const [name, count] of Object.entries(await server.calls())) total[name] = (total[name] ?? 0) + count
      }
      return total
    }
    await pause(TIMING.loopWaitMs / 2)
    const before = await calls()
    const cycles = 3
    for (let i = 0; i < cycles; i += 1) {
      await cycle(a, true)
      await cycle(b, false)
      await pause(TIMING.loopWaitMs)
    }
    const after = await calls()
    const spent = Object.fromEntries(
      Object.entries(after)
        .map(([name, count]) => [name, count - (before[name] ?? 0)] as const)
        .filter(([, count]) => count > 0),
    )
    assert.deepEqual(spent, { LeaseKeepAlive: 2 * cycles })
  })
})
