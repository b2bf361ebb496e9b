import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { type MadeStore, startedStore, TIMING } from '../../../test/support/etcd-store.ts'
import { type Call, FakeEtcd, type Fault } from '../../../test/support/fake-etcd.ts'
import { budget } from '../../../test/support/real.ts'
import { lsn } from '../../cluster/lsn.ts'
import type { ClusterView } from '../../cluster/view.ts'

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one.close()
})

async function setUp(mode: 'member' | 'client' = 'member'): Promise<{ etcd: FakeEtcd; a: MadeStore }> {
  const etcd = await FakeEtcd.start(1)
  opened.push(etcd)
  const a = await startedStore({ section: { hosts: etcd.hosts }, timing: { ...TIMING, retryTimeoutMs: 600 }, mode })
  opened.push(a.store)
  await a.store.load(budget(2000))
  return { etcd, a }
}

async function view(made: MadeStore): Promise<ClusterView> {
  const loaded = await made.store.load(budget(2000))
  return loaded.kind === 'done' ? loaded.value : assert.fail(loaded.kind)
}

const lost = (applies: boolean): ((call: Call) => Fault | null) => {
  let left = 1
  return (call) => (call.path.endsWith('/kv/txn') && left-- > 0 ? { kind: 'drop', applies } : null)
}

test('3.2 an unchanged member key, status or failsafe key is not written again', async () => {
  const { etcd, a } = await setUp()
  await a.store.acquire(budget(2000))
  const writeAll = async (extra: number): Promise<void> => {
    await a.store.touchMember({ state: 'running', xlog_location: extra }, budget(2000))
    await a.store.writeStatus({ lastLsn: lsn(extra), slots: { x: lsn(1) }, retainSlots: [] }, budget(2000))
    await a.store.writeFailsafe({ a: `http://a:${extra}/` }, budget(2000))
    await a.store.writeLegacyOptime(lsn(extra), budget(2000))
  }
  await writeAll(1)
  etcd.calls.splice(0)
  await writeAll(1)
  assert.deepEqual(etcd.calls, [])
  await writeAll(2)
  assert.equal(etcd.callsTo('/kv/put').length + etcd.callsTo('/kv/txn').length, 4)
})

test('1.9 a status that another program wrote with numbers as text is the same', async () => {
  const { etcd, a } = await setUp()
  etcd.state.put('/service/batman/status', '{ "slots": {"x": "1"}, "optime": "5" }')
  await new Promise((resolve) => setTimeout(resolve, 50))
  etcd.calls.splice(0)
  await a.store.writeStatus({ lastLsn: lsn(5), slots: { x: lsn(1) }, retainSlots: [] }, budget(2000))
  assert.deepEqual(etcd.calls, [])
})

test('2.1 values are compact JSON with everything beyond ASCII escaped', async () => {
  const { etcd, a } = await setUp()
  await a.store.acquire(budget(2000))
  await a.store.writeFailsafe({ ü: 'http://x/' }, budget(2000))
  assert.equal(etcd.state.valueOf('/service/batman/failsafe'), '{"\\u00fc":"http://x/"}')
  await a.store.writeFailover({ leader: null, candidate: null, scheduledAt: null }, null, budget(2000))
  assert.equal(etcd.state.valueOf('/service/batman/failover'), '{}')
  await a.store.writeSync({ leader: 'a', voters: ['c', 'b'], quorum: 0 }, null, budget(2000))
  assert.equal(etcd.state.valueOf('/service/batman/sync'), '{"leader":"a","quorum":0,"sync_standby":"b,c"}')
})

test('a compare-and-set whose answer was lost is done if it was applied, with the version it made', async () => {
  const { etcd, a } = await setUp()
  etcd.fault = lost(true)
  const first = await a.store.writeSync({ leader: 'a', voters: ['b'], quorum: 0 }, null, budget(3000))
  assert.ok(first.kind === 'done')
  assert.equal(
    (await a.store.writeSync({ leader: 'a', voters: [], quorum: 0 }, first.value, budget(2000))).kind,
    'done',
  )
})

test('a compare-and-set whose answer was lost is refused if somebody else has written since', async () => {
  const { etcd, a } = await setUp()
  const plan = lost(true)
  etcd.fault = (call) => {
    const fault = plan(call)
    if (fault) setTimeout(() => etcd.state.put('/service/batman/sync', '{"leader":"b"}'), 10)
    return fault
  }
  const outcome = await a.store.writeSync({ leader: 'a', voters: ['b'], quorum: 0 }, null, budget(3000))
  assert.equal(outcome.kind, 'refused')
})

test('1.8 a lost compare-and-set means that our copy is outdated: it is read again before the next look', async () => {
  const { etcd, a } = await setUp()
  await a.store.writeConfig({ ttl: 30 }, null, budget(2000))
  const before = (await view(a)).config?.version ?? null
  etcd.deaf.add(0)
  etcd.state.put('/service/batman/config', '{"ttl":99}')
  assert.equal((await view(a)).config?.document['ttl'], 30, 'the watch is deaf')
  assert.equal((await a.store.writeConfig({ ttl: 40 }, before, budget(2000))).kind, 'refused')
  assert.equal((await view(a)).config?.document['ttl'], 99)
})

test('a write that the server refuses for good is refused; one that may have got through before is unknown', async () => {
  const { etcd, a } = await setUp()
  const denied: Fault = { kind: 'status', status: 400, body: '{"error":"etcdserver: request is too large","code":3}' }
  etcd.fault = (call) => (call.path.endsWith('/kv/put') ? denied : null)
  assert.deepEqual(await a.store.writeConfig({}, null, budget(2000)), {
    kind: 'refused',
    reason: 'etcdserver: request is too large',
  })
  let calls = 0
  etcd.fault = (call) => {
    if (!call.path.endsWith('/kv/put')) return null
    calls += 1
    return calls === 1 ? { kind: 'drop', applies: true } : denied
  }
  assert.equal((await a.store.writeInitialize('x', { createOnly: false }, budget(3000))).kind, 'unknown')
})

test('4 a client reads the latest state directly, holds no lease and opens no watch', async () => {
  const { etcd, a } = await setUp('client')
  etcd.state.put('/service/batman/leader', 'pg1')
  assert.equal((await view(a)).leader?.name, 'pg1')
  etcd.state.put('/service/batman/leader', 'pg2')
  assert.equal((await view(a)).leader?.name, 'pg2')
  assert.equal(etcd.state.leases.size, 0)
  assert.equal(etcd.watchers, 0)
  assert.ok(
    etcd.callsTo('/kv/range').every(({ body }) => body['serializable'] === undefined),
    'linearizable',
  )
  assert.equal((await a.store.acquire(budget(1000))).kind, 'refused')
  assert.equal((await a.store.touchMember({}, budget(1000))).kind, 'refused')
  const version = (await view(a)).config?.version ?? null
  assert.equal((await a.store.writeConfig({ ttl: 30 }, version, budget(1000))).kind, 'done')
})

test('an initialization that was begun ends with its member; one that was finished stays', async () => {
  const { etcd, a } = await setUp()
  const expireAll = (): void => {
    for (const id of etcd.state.leases.keys()) etcd.state.expire(id)
  }
  assert.equal((await a.store.writeInitialize('', { createOnly: true }, budget(2000))).kind, 'done')
  expireAll()
  assert.equal((await view((await peer(etcd)).made)).initialize, null, 'the next member may initialize')
  assert.equal((await a.store.writeInitialize('7012345678901234567', { createOnly: false }, budget(2000))).kind, 'done')
  expireAll()
  assert.equal((await view((await peer(etcd)).made)).initialize, '7012345678901234567')
})

async function peer(etcd: FakeEtcd): Promise<{ made: MadeStore }> {
  const made = await startedStore({ section: { hosts: etcd.hosts }, timing: TIMING, mode: 'client' })
  opened.push(made.store)
  return { made }
}
