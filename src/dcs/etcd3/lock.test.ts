import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { type MadeStore, startedStore } from '../../../test/support/etcd-store.ts'
import { type Call, FakeEtcd, type Fault } from '../../../test/support/fake-etcd.ts'
import { budget, systemClock } from '../../../test/support/real.ts'
import type { ClusterView } from '../../cluster/view.ts'
import type { DcsTiming } from '../../ports/dcs.ts'

const LEADER = '/service/batman/leader'
/** Short waits: each hung request costs a part of the retry time. */
const TIMING: DcsTiming = { ttlMs: 30_000, loopWaitMs: 10_000, retryTimeoutMs: 600 }
const opened: { close(): Promise<void> }[] = []

afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one.close()
})

async function member(etcd: FakeEtcd, name = 'a', timing = TIMING): Promise<MadeStore> {
  const made = await startedStore({ section: { hosts: etcd.hosts }, name, timing })
  opened.push(made.store)
  return made
}

async function cluster(servers = 1): Promise<FakeEtcd> {
  const etcd = await FakeEtcd.start(servers)
  opened.push(etcd)
  return etcd
}

async function view(made: MadeStore): Promise<ClusterView> {
  const loaded = await made.store.load(budget(2000))
  return loaded.kind === 'done' ? loaded.value : assert.fail(loaded.kind)
}

/** A member that holds the lock, at rest. */
async function leader(servers = 1): Promise<{ etcd: FakeEtcd; a: MadeStore; seen: ClusterView }> {
  const etcd = await cluster(servers)
  const a = await member(etcd)
  assert.equal((await a.store.acquire(budget(2000))).kind, 'done')
  const seen = await view(a)
  etcd.calls.splice(0)
  return { etcd, a, seen }
}

const on = (path: string, fault: Fault, times = Number.POSITIVE_INFINITY) => {
  let left = times
  return (call: Call): Fault | null => (call.path.endsWith(path) && left-- > 0 ? fault : null)
}

test('3.2 a renewal at rest is one keep-alive and nothing else', async () => {
  const { etcd, a, seen } = await leader()
  for (let i = 0; i < 3; i += 1) assert.equal((await a.store.renew(seen, budget(2000))).kind, 'done')
  assert.deepEqual(
    etcd.calls.map(({ path }) => path),
    Array(3).fill('/v3/lease/keepalive'),
  )
})

test('the lease runs from before the request left that was answered, not from an earlier or later moment', async () => {
  const { etcd, a, seen } = await leader()
  etcd.fault = on(
    '/lease/keepalive',
    { kind: 'status', status: 503, body: '{"error":"etcdserver: no leader","code":14}' },
    1,
  )
  let second = 0
  const plan = etcd.fault
  etcd.fault = (call) => {
    const fault = plan(call)
    if (!fault && call.path.endsWith('/keepalive')) {
      second = systemClock.now()
      return { kind: 'slow', ms: 80 }
    }
    return fault
  }
  const begun = systemClock.now()
  const outcome = await a.store.renew(seen, budget(3000))
  assert.ok(outcome.kind === 'done')
  const { sentAt } = outcome.value
  assert.ok(sentAt > begun + 50 && sentAt <= second && systemClock.now() >= sentAt + 80, 'the second request')
})

/** An answer that says nothing about who has the lock must never be taken for its loss. */
const NOTHING_SAID: readonly (readonly [string, Fault])[] = [
  ['no leader', { kind: 'status', status: 503, body: '{"error":"etcdserver: no leader","code":14}' }],
  ['403 of a proxy', { kind: 'status', status: 403, body: '<html>Forbidden</html>' }],
  ['permission denied', { kind: 'status', status: 403, body: '{"error":"etcdserver: permission denied","code":7}' }],
  ['429', { kind: 'status', status: 429, body: 'Too Many Requests' }],
  ['500', { kind: 'status', status: 500, body: '' }],
  ['an unknown code', { kind: 'status', status: 500, body: '{"error":"what?","code":99}' }],
  ['404 of another program', { kind: 'status', status: 404, body: '404 page not found' }],
  ['a redirect', { kind: 'status', status: 301, body: '' }],
  ['200 with a page', { kind: 'status', status: 200, body: '<html>Welcome</html>' }],
  ['200 with nothing', { kind: 'status', status: 200, body: '' }],
  ['200 with a list', { kind: 'status', status: 200, body: '[]' }],
  ['half a document', { kind: 'half' }],
  ['half a document although it was done', { kind: 'half', applies: true }],
  ['a dropped connection', { kind: 'drop' }],
  ['silence', { kind: 'hang' }],
  ['an invalid token', { kind: 'status', status: 401, body: '{"error":"etcdserver: invalid auth token","code":16}' }],
]

for (const [title, fault] of NOTHING_SAID) {
  test(`1.4 a renewal that is answered by ${title} is unknown, never refused`, async () => {
    const { etcd, a, seen } = await leader()
    etcd.fault = (call) => (call.path.endsWith('/watch') ? null : fault)
    const outcome = await a.store.renew(seen, budget(700))
    assert.equal(outcome.kind, 'unknown', JSON.stringify(outcome))
    etcd.fault = () => null
    assert.equal((await a.store.renew(await view(a), budget(2000))).kind, 'done', 'and it recovers')
  })
}

for (const [title, fault] of NOTHING_SAID) {
  test(`1.4 an acquisition that is answered by ${title} is not done`, async () => {
    const etcd = await cluster()
    const a = await member(etcd)
    etcd.fault = on('/kv/txn', fault)
    const outcome = await a.store.acquire(budget(700))
    const forbidden = title === 'permission denied' || title === 'an invalid token'
    assert.equal(outcome.kind, forbidden ? 'refused' : 'unknown')
  })
}

test('6.4 a lease that has expired is replaced within the renewal, and the key is created anew', async () => {
  const { etcd, a, seen } = await leader()
  for (const id of etcd.state.leases.keys()) etcd.state.expire(id)
  const outcome = await a.store.renew(seen, budget(2000))
  assert.equal(outcome.kind, 'done')
  assert.equal(etcd.state.valueOf(LEADER), 'a')
  assert.equal((await view(a)).leader?.session, [...etcd.state.leases.keys()][0])
})

test('3.2 a renewal is refused when the lease has expired and somebody else has the lock', async () => {
  const { etcd, a, seen } = await leader()
  for (const id of etcd.state.leases.keys()) etcd.state.expire(id)
  etcd.state.put(LEADER, 'b')
  const outcome = await a.store.renew(seen, budget(2000))
  assert.deepEqual(outcome, { kind: 'refused', reason: 'b has the leader key' })
})

test('6.3 a leader key that an operator deleted is noticed by the renewal, which puts it back', async () => {
  const { etcd, a, seen } = await leader()
  etcd.state.remove(LEADER)
  await systemClock.sleep(50, budget(1000).signal)
  assert.equal((await a.store.renew(seen, budget(2000))).kind, 'done')
  assert.equal(etcd.state.valueOf(LEADER), 'a')
})

test('5 a key of ours from a life before this one is bound to the new lease', async () => {
  const etcd = await cluster()
  etcd.state.put(LEADER, 'a', etcd.state.grant(30))
  const a = await member(etcd)
  const seen = await view(a)
  assert.ok(a.log.has('warning: I am the leader but not owner of the lease'))
  assert.equal((await a.store.renew(seen, budget(2000))).kind, 'done')
  assert.notEqual((await view(a)).leader?.session, seen.leader?.session)
})

test('3.2 acquire on a lease that expired meanwhile takes a new lease, once', async () => {
  const etcd = await cluster()
  const a = await member(etcd)
  for (const id of etcd.state.leases.keys()) etcd.state.expire(id)
  assert.equal((await a.store.acquire(budget(2000))).kind, 'done')
  assert.equal(etcd.callsTo('/lease/grant').length, 2)
})

test('5 an acquisition that was applied although its answer was lost is done', async () => {
  const etcd = await cluster()
  const a = await member(etcd)
  etcd.fault = on('/kv/txn', { kind: 'drop', applies: true }, 1)
  assert.equal((await a.store.acquire(budget(2000))).kind, 'done')
  assert.equal(etcd.state.valueOf(LEADER), 'a')
})

test('5 an acquisition that was applied by a server that then hung is ours at the next look', async () => {
  const etcd = await cluster()
  const a = await member(etcd)
  etcd.fault = on('/kv/txn', { kind: 'hang', applies: true })
  assert.equal((await a.store.acquire(budget(600))).kind, 'unknown')
  etcd.fault = () => null
  const seen = await view(a)
  assert.equal(seen.leader?.name, 'a')
  assert.equal((await a.store.renew(seen, budget(2000))).kind, 'done')
})

test('a release is for one incarnation of the lock: it names its revision', async () => {
  const { etcd, a } = await leader()
  assert.equal((await a.store.release(budget(2000))).kind, 'done')
  const [call] = etcd.callsTo('/kv/txn')
  assert.deepEqual(
    ((call?.body['compare'] ?? []) as { target: string }[]).map(({ target }) => target),
    ['VALUE', 'MOD'],
  )
  assert.equal(etcd.state.valueOf(LEADER), null)
})

test('a release whose answer was lost is done when the key is gone', async () => {
  const { etcd, a } = await leader()
  etcd.fault = on('/kv/txn', { kind: 'drop', applies: true }, 1)
  const outcome = await a.store.release(budget(2000))
  assert.notEqual(outcome.kind, 'refused')
  assert.equal(etcd.state.valueOf(LEADER), null)
})

test('3.2 the leader key and the member key share one lease', async () => {
  const { etcd, a } = await leader()
  assert.equal((await a.store.touchMember({ state: 'running' }, budget(2000))).kind, 'done')
  const seen = await view(a)
  assert.equal(seen.members[0]?.session, seen.leader?.session)
  assert.equal(etcd.state.leases.size, 1)
})

test('1.7 a new ttl means a new lease, to which the keys move', async () => {
  const { etcd, a, seen } = await leader()
  await a.store.touchMember({ state: 'running' }, budget(2000))
  a.store.configure({ ...TIMING, ttlMs: 60_000 })
  assert.equal((await a.store.renew(seen, budget(2000))).kind, 'done')
  assert.equal((await a.store.touchMember({ state: 'running' }, budget(2000))).kind, 'done')
  const now = await view(a)
  assert.equal(etcd.state.leases.get(now.leader?.session ?? ''), 60)
  assert.equal(now.members[0]?.session, now.leader?.session)
})

test('two operations at the same time do not end up with two leases', async () => {
  const etcd = await cluster()
  const a = await member(etcd)
  for (const id of etcd.state.leases.keys()) etcd.state.expire(id)
  await a.store.touchMember({ state: 'running' }, budget(2000))
  a.store.configure({ ...TIMING, ttlMs: 60_000 })
  await Promise.all([a.store.acquire(budget(2000)), a.store.touchMember({ state: 'x' }, budget(2000))])
  assert.equal([...etcd.state.leases.values()].filter((ttl) => ttl === 60).length, 1)
})
