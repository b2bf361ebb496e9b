import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { type MadeStore, startedStore } from '../../../test/support/etcd-store.ts'
import { FakeEtcd } from '../../../test/support/fake-etcd.ts'
import { budget, systemClock } from '../../../test/support/real.ts'
import type { ClusterView } from '../../cluster/view.ts'
import type { DcsTiming, StoreEvent } from '../../ports/dcs.ts'

const P = '/service/batman/'
const TIMING: DcsTiming = { ttlMs: 30_000, loopWaitMs: 10_000, retryTimeoutMs: 600 }
const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one.close()
})

async function setUp(options: { servers?: number; proxies?: boolean; timing?: DcsTiming } = {}) {
  const etcd = await FakeEtcd.start(options.servers ?? 1)
  opened.push(etcd)
  const section = { hosts: etcd.hosts, use_proxies: options.proxies ?? false }
  const a = await startedStore({ section, timing: options.timing ?? TIMING })
  opened.push(a.store)
  const events: StoreEvent[] = []
  a.store.onChange((event) => events.push(event))
  await view(a)
  return { etcd, a, events }
}

async function view(made: MadeStore, ms = 5000): Promise<ClusterView> {
  const loaded = await made.store.load(budget(ms))
  return loaded.kind === 'done' ? loaded.value : assert.fail(`${loaded.kind}: ${loaded.reason}`)
}

const pause = (ms: number): Promise<void> => systemClock.sleep(ms, budget(ms + 1000).signal)

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 250 && !holds(); i += 1) await pause(20)
  assert.ok(holds(), what)
}

test('3.2 a load at rest asks nothing of the store', async () => {
  const { etcd, a } = await setUp()
  etcd.state.put(`${P}leader`, 'b')
  await pause(50)
  etcd.calls.splice(0)
  for (let i = 0; i < 10; i += 1) assert.equal((await view(a)).leader?.name, 'b')
  assert.deepEqual(etcd.calls, [])
})

test('3.2 a stream that is cut into single bytes is understood', async () => {
  const { etcd, a, events } = await setUp()
  etcd.pieceBytes = 1
  etcd.state.put(`${P}leader`, 'bü')
  etcd.state.put(`${P}failover`, '{"member":"c"}')
  await until('both have arrived', () => events.length === 2)
  assert.equal((await view(a)).leader?.name, 'bü')
  assert.equal((await view(a)).failover?.candidate, 'c')
})

test('1.8 changes that belong together are told together, when all of them can be read', async () => {
  const { etcd, a } = await setUp()
  const lease = etcd.state.grant(30)
  etcd.state.put(`${P}leader`, 'b', lease)
  etcd.state.put(`${P}members/b`, '{}', lease)
  await pause(50)
  const seen: (readonly [StoreEvent, number, string | undefined])[] = []
  a.store.onChange((event) => {
    void view(a).then((now) => seen.push([event, now.members.length, now.leader?.name]))
  })
  etcd.state.expire(lease)
  await until('both events are told', () => seen.length === 2)
  for (const [, members, name] of seen) assert.deepEqual([members, name], [0, undefined])
})

test('3.2 whatever ends the watch, the tree is listed and watched anew, and nothing is missed', async () => {
  const ends: readonly (readonly [string, Parameters<FakeEtcd['endWatches']>[0]])[] = [
    ['the connection is lost', undefined],
    ['no leader', { error: { grpc_code: 14, http_code: 503, message: 'etcdserver: no leader' } }],
    ['cancelled', { result: { header: {}, canceled: true } }],
    ['compacted', { result: { header: {}, canceled: true, compact_revision: '3' } }],
    ['nonsense', { something: 'else' }],
  ]
  for (const [title, message] of ends) {
    const { etcd, a, events } = await setUp()
    etcd.fault = (call) => (call.path.endsWith('/watch') ? { kind: 'slow', ms: 0 } : null)
    etcd.state.put(`${P}leader`, 'b')
    await until('the first leader is told', () => events.length === 1)
    // The change falls into the gap.
    etcd.deaf.add(0)
    etcd.state.put(`${P}leader`, 'c')
    etcd.deaf.delete(0)
    etcd.endWatches(message)
    await until(`${title}: the second leader is told`, () => events.filter((event) => event === 'leader').length === 2)
    assert.equal((await view(a)).leader?.name, 'c', title)
  }
})

test('3.2 a watch that begins in the compacted past is begun anew with a list', async () => {
  const { etcd, a } = await setUp()
  etcd.state.put(`${P}leader`, 'b')
  etcd.state.compactedBelow = etcd.state.revision + 2
  etcd.endWatches()
  await pause(100)
  etcd.state.put(`${P}leader`, 'c')
  etcd.state.put(`${P}leader`, 'd')
  assert.equal((await view(a)).leader?.name, 'd')
})

test('while there is no watch a load waits for it, and says unknown when the budget is over', async () => {
  const { etcd, a } = await setUp()
  etcd.fault = (call) => (call.path.endsWith('/watch') ? { kind: 'hang' } : null)
  etcd.endWatches()
  await pause(20)
  const begun = systemClock.now()
  const outcome = await a.store.load(budget(200))
  assert.equal(outcome.kind, 'unknown')
  assert.ok(systemClock.now() - begun < 1000)
  const later = a.store.load(budget(5000))
  etcd.fault = () => null
  assert.equal((await later).kind, 'done')
})

test('5 a store that hangs is noticed by the keep-alive: the copy is not used any more', async () => {
  const { etcd, a } = await setUp()
  assert.equal((await a.store.acquire(budget(2000))).kind, 'done')
  const seen = await view(a)
  etcd.fault = () => ({ kind: 'hang' })
  etcd.deaf.add(0)
  assert.equal((await a.store.renew(seen, budget(600))).kind, 'unknown')
  assert.equal((await a.store.load(budget(300))).kind, 'unknown')
})

test('a store that is back after somebody was told that it is away is told as an event, once', async () => {
  const { etcd, a, events } = await setUp()
  etcd.fault = () => ({ kind: 'drop' })
  etcd.endWatches()
  await pause(300)
  assert.equal((await a.store.load(budget(200))).kind, 'unknown')
  etcd.fault = () => null
  await until('connection is told', () => events.includes('connection'))
  await view(a)
  assert.deepEqual(events, ['connection'])
})

test('3.2 another server in use: the watch moves there', async () => {
  const { etcd, a } = await setUp({ servers: 3 })
  const first = etcd.callsTo('/watch').at(-1)?.server
  etcd.fault = (call) => (call.server === first ? { kind: 'hang' } : null)
  await a.store.touchMember({ state: 'x' }, budget(3000))
  await a.store.acquire(budget(3000))
  await view(a)
  const now = etcd.callsTo('/watch').at(-1)?.server
  assert.notEqual(now, first)
})

test('6.7 a watch behind a proxy that looks at a hung server is found out by the revision that answers tell', async () => {
  const timing = { ...TIMING, loopWaitMs: 500 }
  const { etcd, a, events } = await setUp({ proxies: true, timing })
  etcd.deaf.add(0)
  etcd.state.put(`${P}leader`, 'b')
  await a.store.touchMember({ state: 'running' }, budget(2000))
  assert.equal((await view(a)).leader, null, 'nobody can know yet')
  await pause(550)
  assert.equal((await view(a)).leader?.name, 'b')
  assert.ok(events.includes('leader'))
})

test('the store of others in the same etcd moves on: that alone makes nobody list in each cycle', async () => {
  const { etcd, a } = await setUp()
  for (let i = 0; i < 5; i += 1) {
    etcd.state.put('/service/other/leader', `x${i}`)
    await a.store.touchMember({ state: String(i) }, budget(2000))
    await view(a)
  }
  assert.equal(etcd.callsTo('/kv/range').length, 1)
})

test('a member that has its own event to tell sees it before the answer of the write arrives, and keeps it to itself', async () => {
  const { etcd, a, events } = await setUp()
  etcd.fault = (call) => (call.path.endsWith('/kv/txn') ? { kind: 'slow', ms: 100 } : null)
  const acquiring = a.store.acquire(budget(2000))
  await acquiring
  await pause(50)
  assert.deepEqual(events, [])
})

test('5 a store restored from a backup is believed: older revisions, lost leases, a lower term', async () => {
  const { etcd, a } = await setUp()
  assert.equal((await a.store.acquire(budget(2000))).kind, 'done')
  await a.store.touchMember({ state: 'running' }, budget(2000))
  for (let i = 0; i < 20; i += 1) etcd.state.put(`${P}config`, `{"ttl":${i}}`)
  const seen = await view(a)
  // The backup is older than all of this.
  etcd.wipe({ revision: 3, term: 1 })
  etcd.state.put(`${P}config`, '{"ttl":7}')
  etcd.endWatches()
  let renewed = await a.store.renew(seen, budget(600))
  for (let i = 0; i < 5 && renewed.kind === 'unknown'; i += 1) renewed = await a.store.renew(seen, budget(600))
  assert.equal(renewed.kind, 'done')
  assert.ok(a.log.has('lower term'))
  assert.equal((await view(a)).config?.document['ttl'], 7)
  assert.equal((await view(a)).leader?.name, 'a')
})

test('another cluster of servers under the same addresses is taken as new, whatever its revisions are', async () => {
  const { etcd, a } = await setUp()
  etcd.state.put(`${P}leader`, 'b')
  await pause(50)
  etcd.wipe({ clusterId: '2002', revision: 500, term: 1 })
  etcd.state.put(`${P}leader`, 'c')
  etcd.endWatches()
  await until('the new cluster is seen', () => a.log.has('The etcd cluster has changed'))
  assert.equal((await view(a)).leader?.name, 'c')
})

test('closing ends the watch and what is waiting', async () => {
  const { etcd, a } = await setUp()
  etcd.fault = () => ({ kind: 'hang' })
  etcd.endWatches()
  // Until the end of the watch is noticed, the copy in memory still answers.
  await pause(500)
  const loading = a.store.load(budget(60_000))
  await pause(20)
  await a.store.close()
  assert.equal((await loading).kind, 'unknown')
  etcd.fault = () => null
  await pause(1100)
  assert.equal(etcd.watchers, 0)
})

test('a listener that throws does not end the watch', async () => {
  const { etcd, a, events } = await setUp()
  const end = a.store.onChange(() => {
    throw new Error('a bug')
  })
  etcd.state.put(`${P}leader`, 'b')
  await until('it is logged', () => a.log.has('Unexpected exception'))
  end()
  etcd.state.put(`${P}leader`, 'c')
  await until('it goes on', () => events.length >= 2)
  assert.equal((await view(a)).leader?.name, 'c')
})
