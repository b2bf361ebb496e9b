import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { type MadeStore, makeStore, startedStore } from '../../../test/support/etcd-store.ts'
import { FakeEtcd } from '../../../test/support/fake-etcd.ts'
import { budget, systemClock } from '../../../test/support/real.ts'
import type { DcsTiming } from '../../ports/dcs.ts'

const TIMING: DcsTiming = { ttlMs: 30_000, loopWaitMs: 10_000, retryTimeoutMs: 900 }
const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one.close()
})

async function cluster(servers: number): Promise<FakeEtcd> {
  const etcd = await FakeEtcd.start(servers)
  opened.push(etcd)
  return etcd
}

/** Without lease and watch, so that every call is one that the test has made. */
async function client(etcd: FakeEtcd, more: Readonly<Record<string, string | boolean>> = {}): Promise<MadeStore> {
  const made = await startedStore({ section: { hosts: etcd.hosts, ...more }, mode: 'client', timing: TIMING })
  opened.push(made.store)
  etcd.calls.splice(0)
  return made
}

test('1.6 a call goes to the server in use, then to the others in the order of the list', async () => {
  const etcd = await cluster(3)
  const { store, log } = await client(etcd)
  await store.load(budget(2000))
  const current = etcd.calls[0]?.server
  etcd.calls.splice(0)
  etcd.fault = (call) => (call.server === current ? { kind: 'drop' } : null)
  assert.equal((await store.load(budget(2000))).kind, 'done')
  assert.ok(log.has('info: Retrying on http://'))
  assert.ok(log.has('info: Selected new etcd server http://'))
  etcd.calls.splice(0)
  assert.equal((await store.load(budget(2000))).kind, 'done')
  const [first] = etcd.callsTo('/kv/range')
  assert.notEqual(first?.server, current, 'the one that answered stays in use')
})

test('1.6 a hung server costs its share of the time, not all of it', async () => {
  const etcd = await cluster(3)
  const { store } = await client(etcd)
  await store.load(budget(2000))
  const current = etcd.calls[0]?.server
  etcd.fault = (call) => (call.server === current ? { kind: 'hang' } : null)
  const begun = systemClock.now()
  assert.equal((await store.load(budget(900))).kind, 'done')
  const took = systemClock.now() - begun
  assert.ok(took >= 250 && took < 700, `${took} ms`)
})

test('1.6 when all fail the call is repeated after a pause until the time is over, and not longer', async () => {
  const etcd = await cluster(2)
  const { store } = await client(etcd)
  etcd.fault = (call) => (call.path.endsWith('/kv/range') ? { kind: 'status', status: 503, body: '' } : null)
  const begun = systemClock.now()
  const outcome = await store.load(budget(2000))
  assert.equal(outcome.kind, 'unknown')
  assert.ok(systemClock.now() - begun < 2100)
  const calls = etcd.callsTo('/kv/range').length
  assert.ok(calls >= 4 && calls <= 12, `${calls} attempts`)
})

test('a server that is down for a moment does not fail the call', async () => {
  const etcd = await cluster(1)
  const { store } = await client(etcd)
  const end = systemClock.now() + 300
  etcd.fault = () => (systemClock.now() < end ? { kind: 'drop' } : null)
  assert.equal((await store.load(budget(5000))).kind, 'done')
})

test('3.1 a server that is behind the raft term is passed over', async () => {
  const etcd = await cluster(3)
  const { store, log } = await client(etcd)
  etcd.state.term = 7
  await store.load(budget(2000))
  const current = etcd.calls[0]?.server ?? 0
  etcd.terms.set(current, 6)
  assert.equal((await store.load(budget(2000))).kind, 'done')
  assert.ok(log.has('Connected to Etcd node with term 6. Old known term 7. Switching to another node.'))
  etcd.calls.splice(0)
  await store.load(budget(2000))
  assert.notEqual(etcd.callsTo('/kv/range')[0]?.server, current)
})

test('only when every server is behind it is us who are wrong', async () => {
  const etcd = await cluster(3)
  const { store, log } = await client(etcd)
  etcd.state.term = 7
  await store.load(budget(2000))
  etcd.state.term = 2
  etcd.fault = (call) => (call.server === 2 && call.path.endsWith('/kv/range') ? { kind: 'drop' } : null)
  assert.equal((await store.load(budget(700))).kind, 'unknown', 'one of them may know better')
  etcd.fault = () => null
  assert.equal((await store.load(budget(3000))).kind, 'done')
  assert.ok(log.has('All etcd servers have a lower term'))
})

test('6.5 an expired token is renewed and the call repeated, without the caller noticing', async () => {
  const etcd = await cluster(1)
  etcd.users = { admin: 'secret' }
  const { store } = await client(etcd, { username: 'admin', password: 'secret' })
  assert.equal((await store.load(budget(2000))).kind, 'done')
  etcd.tokens.clear()
  assert.equal((await store.load(budget(2000))).kind, 'done')
  assert.equal(etcd.callsTo('/auth/authenticate').length, 1)
  assert.ok(etcd.callsTo('/kv/range').every(({ token }) => token === undefined || token.startsWith('token-')))
})

test('6.5 a real lack of permission does not make us log in again and again', async () => {
  const etcd = await cluster(1)
  etcd.users = { admin: 'secret' }
  const { store } = await client(etcd, { username: 'admin', password: 'secret' })
  const denied = '{"error":"etcdserver: permission denied","code":7}'
  etcd.fault = (call) => (call.path.endsWith('/kv/put') ? { kind: 'status', status: 403, body: denied } : null)
  const outcome = await store.writeInitialize('x', { createOnly: false }, budget(2000))
  assert.deepEqual(outcome, { kind: 'refused', reason: 'etcdserver: permission denied' })
  assert.equal(etcd.callsTo('/auth/authenticate').length, 1)
  assert.equal(etcd.callsTo('/kv/put').length, 2)
})

test('a password that was changed and reloaded is used for the next login', async () => {
  const etcd = await cluster(1)
  etcd.users = { admin: 'old' }
  const section = { hosts: etcd.hosts, username: 'admin', password: 'old' }
  const made = await startedStore({ section, mode: 'client', timing: TIMING })
  opened.push(made.store)
  etcd.users = { admin: 'new' }
  etcd.tokens.clear()
  assert.equal((await made.store.load(budget(500))).kind, 'unknown')
  made.store.reload({ ...section, password: 'new' })
  assert.equal((await made.store.load(budget(2000))).kind, 'done')
})

test('no line of the log and no reason holds a password or a token', async () => {
  const etcd = await cluster(1)
  etcd.users = { admin: 'hunter2' }
  const { store, log } = await client(etcd, { username: 'admin', password: 'hunter2' })
  etcd.fault = () => ({ kind: 'drop' })
  const outcome = await store.load(budget(500))
  assert.equal(outcome.kind, 'unknown')
  const said = [...log.lines, JSON.stringify(outcome)].join('\n')
  assert.ok(!said.includes('hunter2') && !said.includes('token-'), said)
})

test('3.1 at start the member list replaces what is configured; nobody listed is left out', async () => {
  const etcd = await cluster(3)
  const made = await startedStore({ section: { host: etcd.hosts[0] ?? '' }, mode: 'client', timing: TIMING })
  opened.push(made.store)
  etcd.fault = (call) => (call.server === 0 ? { kind: 'drop' } : null)
  assert.equal((await made.store.load(budget(2000))).kind, 'done')
})

test('3.1 proxies are used as they are configured', async () => {
  const etcd = await cluster(2)
  const made = await startedStore({ section: { proxy: etcd.urls[0] ?? '' }, mode: 'client', timing: TIMING })
  opened.push(made.store)
  await made.store.load(budget(2000))
  assert.equal(etcd.callsTo('/cluster/member/list').length, 0)
  etcd.fault = (call) => (call.server === 0 ? { kind: 'drop' } : null)
  assert.equal((await made.store.load(budget(500))).kind, 'unknown')
})

test('3.1 once all known servers are gone the configured ones are asked again', async () => {
  const old = await cluster(1)
  const next = await cluster(1)
  const section = { hosts: [...old.hosts, ...next.hosts] }
  next.fault = () => ({ kind: 'drop' })
  const made = await startedStore({ section, mode: 'client', timing: TIMING })
  opened.push(made.store)
  await made.store.load(budget(2000))
  assert.ok(old.callsTo('/kv/range').length > 0)
  next.fault = () => null
  next.state.clusterId = old.state.clusterId
  old.fault = () => ({ kind: 'drop' })
  assert.equal((await made.store.load(budget(3000))).kind, 'done')
  assert.ok(next.callsTo('/kv/range').length > 0)
})

test('3.2 older servers are spoken to by their path', async () => {
  const etcd = await cluster(1)
  etcd.version = { etcdserver: '3.3.27', etcdcluster: '3.3.0' }
  const { store } = await client(etcd)
  assert.equal((await store.load(budget(2000))).kind, 'done')
  assert.deepEqual([...new Set(etcd.calls.map(({ path }) => path))], ['/v3beta/kv/range'])
})

test('start waits for the store, says so, and ends when it is there', async () => {
  const etcd = await cluster(1)
  etcd.fault = () => ({ kind: 'status', status: 503, body: '' })
  const made = makeStore({ section: { hosts: etcd.hosts }, timing: TIMING })
  opened.push(made.store)
  const outcome = await made.store.start(budget(500).signal)
  assert.equal(outcome.kind, 'stopped')
  assert.ok(made.log.has('info: waiting on etcd'))
})

test('3.2 wrong credentials at start are fatal, with the known text', async () => {
  const etcd = await cluster(1)
  etcd.users = { admin: 'secret' }
  const made = makeStore({ section: { hosts: etcd.hosts, username: 'admin', password: 'guess' }, timing: TIMING })
  opened.push(made.store)
  assert.deepEqual(await made.store.start(budget(5000).signal), {
    kind: 'fatal',
    text: 'Etcd3 authentication failed: etcdserver: authentication failed, invalid user ID or password',
  })
})

test('3.2 credentials where authentication is off are no problem; missing ones where it is on are waited for', async () => {
  const off = await cluster(1)
  const fine = await startedStore({ section: { hosts: off.hosts, username: 'u', password: 'p' }, timing: TIMING })
  opened.push(fine.store)
  const on = await cluster(1)
  on.users = { admin: 'secret' }
  const made = makeStore({ section: { hosts: on.hosts }, timing: TIMING })
  opened.push(made.store)
  const outcome = await made.store.start(budget(300).signal)
  assert.equal(outcome.kind, 'stopped')
  assert.ok(made.log.has('Username or password not set, authentication is not possible'))
})

test('3.2 a version that is not supported is waited out, behind a proxy it is fatal', async () => {
  const etcd = await cluster(1)
  etcd.version = { etcdserver: '2.3.8', etcdcluster: '2.3.0' }
  const made = makeStore({ section: { hosts: etcd.hosts }, timing: TIMING })
  opened.push(made.store)
  assert.equal((await made.store.start(budget(300).signal)).kind, 'stopped')
  assert.ok(made.log.has('Detected Etcd version 2.3.8 is lower than 3.0.4'))
  const proxied = makeStore({ section: { proxy: etcd.urls[0] ?? '' }, timing: TIMING })
  opened.push(proxied.store)
  assert.equal((await proxied.store.start(budget(3000).signal)).kind, 'fatal')
})

test('a server that stays away is mentioned now and then, not with each attempt', async () => {
  const etcd = await cluster(1)
  const { store, log } = await client(etcd)
  etcd.fault = () => ({ kind: 'status', status: 503, body: '' })
  await store.load(budget(1500))
  await store.load(budget(1500))
  const warnings = log.lines.filter((line) => line.startsWith('warning: Request to server'))
  assert.ok(etcd.callsTo('/kv/range').length >= 4)
  assert.equal(warnings.length, 1, warnings.join('\n'))
})

test('a caller who gives up does not make the copy doubtful, nor the log loud', async () => {
  const etcd = await cluster(1)
  const made = await startedStore({ section: { hosts: etcd.hosts }, timing: TIMING })
  opened.push(made.store)
  await made.store.load(budget(2000))
  etcd.fault = (call) => (call.path.endsWith('/kv/put') ? { kind: 'hang' } : null)
  const stop = new AbortController()
  setTimeout(() => stop.abort(), 50)
  const outcome = await made.store.writeConfig({}, null, { deadline: budget(5000).deadline, signal: stop.signal })
  assert.equal(outcome.kind, 'unknown')
  assert.equal(made.log.lines.filter((line) => line.startsWith('warning')).length, 0)
  etcd.calls.splice(0)
  assert.equal((await made.store.load(budget(500))).kind, 'done')
  assert.deepEqual(etcd.callsTo('/kv/range'), [])
})
