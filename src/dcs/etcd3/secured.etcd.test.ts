import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type Certificates, makeCertificates } from '../../../test/support/certificates.ts'
import { EtcdProcess, hasEtcd, hasEtcdctl, startCluster } from '../../../test/support/etcd-process.ts'
import { type MadeStore, makeStore, type StoreWish, TIMING } from '../../../test/support/etcd-store.ts'
import { budget } from '../../../test/support/real.ts'

const opened: MadeStore[] = []

function open(section: StoreWish['section'], name = 'a'): MadeStore {
  const made = makeStore({ section, name, timing: TIMING })
  opened.push(made)
  return made
}

function etcdctl(url: string, ...args: readonly string[]): void {
  execFileSync('etcdctl', ['--endpoints', url, ...args], {
    env: { ...process.env, ETCDCTL_API: '3' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
}

const missing = hasEtcd() ? (hasEtcdctl() ? false : 'etcdctl is not installed') : 'etcd is not installed'

describe('etcd with authentication', { skip: missing }, () => {
  let server: EtcdProcess
  before(async () => {
    const [first] = await startCluster(1, ['--auth-token-ttl', '2'])
    server = first as EtcdProcess
    etcdctl(server.url, 'user', 'add', 'root:root-secret')
    etcdctl(server.url, 'user', 'add', 'patroni:secret')
    etcdctl(server.url, 'role', 'add', 'patroni')
    etcdctl(server.url, 'role', 'grant-permission', 'patroni', '--prefix=true', 'readwrite', '/service/batman/')
    etcdctl(server.url, 'user', 'grant-role', 'patroni', 'patroni')
    etcdctl(server.url, 'auth', 'enable')
  })
  after(async () => {
    await Promise.all(opened.splice(0).map(({ store }) => store.close()))
    await server.remove()
  })
  const credentials = { username: 'patroni', password: 'secret' }
  const hosts = (): readonly string[] => [`127.0.0.1:${server.clientPort}`]

  test('3.2 a member with user name and password does everything it must', async () => {
    const { store } = open({ hosts: hosts(), ...credentials })
    assert.deepEqual(await store.start(budget(5000).signal), { kind: 'ready' })
    assert.equal((await store.acquire(budget(3000))).kind, 'done')
    assert.equal((await store.touchMember({ state: 'running' }, budget(3000))).kind, 'done')
    const loaded = await store.load(budget(3000))
    assert.ok(loaded.kind === 'done' && loaded.value.leader?.name === 'a')
    assert.equal((await store.renew(loaded.value, budget(3000))).kind, 'done')
  })

  test('3.2 a token that has expired is replaced, for requests and for the watch', async () => {
    const { store, log } = open({ hosts: hosts(), ...credentials }, 'b')
    assert.equal((await store.start(budget(5000).signal)).kind, 'ready')
    assert.equal((await store.load(budget(3000))).kind, 'done')
    await pause(5000)
    assert.equal((await store.touchMember({ state: 'running' }, budget(3000))).kind, 'done')
    const loaded = await store.load(budget(3000))
    assert.ok(loaded.kind === 'done' && loaded.value.members.some(({ name }) => name === 'b'))
    assert.equal(log.lines.filter((line) => /^(warning|error).*(auth|token|user)/i.test(line)).join('\n'), '')
  })

  test('3.2 a wrong password is fatal and is not shown', async () => {
    const { store, log } = open({ hosts: hosts(), username: 'patroni', password: 'my guess' })
    assert.deepEqual(await store.start(budget(5000).signal), {
      kind: 'fatal',
      text: 'Etcd3 authentication failed: etcdserver: authentication failed, invalid user ID or password',
    })
    assert.ok(!log.has('my guess'))
  })

  test('what the user may not write is refused with the reason', async () => {
    const made = makeStore({ section: { hosts: hosts(), ...credentials }, prefix: '/service/other/', mode: 'client' })
    opened.push(made)
    assert.equal((await made.store.start(budget(5000).signal)).kind, 'ready')
    const outcome = await made.store.writeConfig({ ttl: 30 }, null, budget(3000))
    assert.deepEqual(outcome, { kind: 'refused', reason: 'etcdserver: permission denied' })
    assert.equal((await made.store.load(budget(3000))).kind, 'unknown')
  })
})

describe('etcd with TLS', { skip: hasEtcd() ? false : 'etcd is not installed' }, () => {
  let files: Certificates
  let server: EtcdProcess
  before(async () => {
    files = makeCertificates()
    server = await EtcdProcess.create('secure', { ...files.server, clientCa: files.ca })
    server.start([server])
  })
  after(async () => {
    await Promise.all(opened.splice(0).map(({ store }) => store.close()))
    await server.remove()
    files.remove()
  })
  const section = (): StoreWish['section'] => ({
    hosts: [`127.0.0.1:${server.clientPort}`],
    protocol: 'https',
    cacert: files.ca,
    cert: files.client.cert,
    key: files.client.key,
  })

  test('3.1 with authority and client certificate all goes over TLS, the watch too', async () => {
    const { store } = open(section())
    assert.deepEqual(await store.start(budget(15_000).signal), { kind: 'ready' })
    assert.equal((await store.acquire(budget(3000))).kind, 'done')
    const loaded = await store.load(budget(3000))
    assert.ok(loaded.kind === 'done' && loaded.value.leader?.name === 'a')
  })

  test('3.1 a combined file serves as certificate and key', async () => {
    const { key: _, ...rest } = section()
    const { store } = open({ ...rest, cert: files.client.both }, 'b')
    assert.deepEqual(await store.start(budget(5000).signal), { kind: 'ready' })
  })

  test('a server of another authority, or a client without a certificate, is waited for with the reason', async () => {
    const stranger = open({ ...section(), cacert: files.stranger.cert })
    const outcome = await stranger.store.start(budget(500).signal)
    assert.ok(outcome.kind === 'stopped')
    assert.match(outcome.reason, /certificate|issuer|self/)
    const { cert: _, key: __, ...bare } = section()
    assert.equal((await open(bare).store.start(budget(500).signal)).kind, 'stopped')
    const missing = await open({ ...section(), cacert: '/no/such/file' }).store.start(budget(500).signal)
    assert.ok(missing.kind === 'stopped' && missing.reason.includes('cannot read /no/such/file: ENOENT'))
  })
})
