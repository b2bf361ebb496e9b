import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type EtcdProcess, startCluster } from '../../test/support/etcd-process.ts'
import { ORDERS } from './testing/world.ts'

const MAIN = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'ctl-test-'))
const calls: { method: string; url: string; body: string; headers: IncomingMessage['headers'] }[] = []
let answer: { status: number; body: string } = { status: 200, body: '' }

/** All members answer at one address. */
const members = createServer((incoming, outgoing) => {
  let body = ''
  incoming.on('data', (chunk: Buffer) => (body += chunk.toString()))
  incoming.on('end', () => {
    calls.push({ method: incoming.method ?? '', url: incoming.url ?? '', body, headers: incoming.headers })
    outgoing.writeHead(answer.status).end(answer.body)
  })
})
let server: EtcdProcess
let apiUrl = ''

before(async () => {
  server = (await startCluster(1))[0] ?? assert.fail()
  await new Promise<void>((resolve) => members.listen(0, '127.0.0.1', resolve))
  apiUrl = `http://127.0.0.1:${(members.address() as AddressInfo).port}/patroni`
})

after(async () => {
  await server.remove()
  members.close()
  rmSync(folder, { recursive: true, force: true })
})

beforeEach(async () => {
  calls.length = 0
  answer = { status: 200, body: '' }
  await seed('orders', ORDERS)
})

function address(): string {
  return `127.0.0.1:${server.clientPort}`
}

const encoded = (text: string): string => Buffer.from(text).toString('base64')
const decoded = (text: string): string => Buffer.from(text, 'base64').toString()

/** The store as somebody else writes and reads it. */
const etcd = {
  put: async (key: string, value: string): Promise<void> => {
    await call('/v3/kv/put', { key: encoded(key), value: encoded(value) })
  },
  /** Keys below a prefix, without it. */
  list: async (prefix: string): Promise<Readonly<Record<string, string>>> => {
    const end = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
    const { kvs = [] } = await call('/v3/kv/range', { key: encoded(prefix), range_end: encoded(end) })
    return Object.fromEntries(kvs.map(({ key, value = '' }) => [decoded(key).slice(prefix.length), decoded(value)]))
  },
}

interface KeyValues {
  readonly kvs?: readonly { readonly key: string; readonly value?: string }[]
}

function call(path: string, body: unknown): Promise<KeyValues> {
  return new Promise((resolve, reject) => {
    const outgoing = request(server.url + path, { method: 'POST', agent: false }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => resolve(JSON.parse(text) as KeyValues))
    })
    outgoing.on('error', reject)
    outgoing.end(JSON.stringify(body))
  })
}

async function seed(cluster: string, keys: typeof ORDERS): Promise<void> {
  for (const [key, value] of Object.entries(keys)) {
    const at = key.startsWith('members/') ? { ...(value as object), api_url: apiUrl } : value
    await etcd.put(`/service/${cluster}/${key}`, typeof at === 'string' ? at : JSON.stringify(at))
  }
}

type Variables = Readonly<Record<string, string | undefined>>

interface Result {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function start(argv: readonly string[], env: Variables = {}): ChildProcessWithoutNullStreams {
  const own = {
    PATH: process.env['PATH'] ?? '',
    TMPDIR: folder,
    HOME: folder,
    PATRONI_SCOPE: 'orders',
    PATRONI_ETCD3_HOST: address(),
    PATRONI_CTL_USERNAME: 'me',
    PATRONI_CTL_PASSWORD: 'secret',
    TZ: 'UTC',
  }
  return spawn(process.execPath, [MAIN, ...argv], { env: { ...own, ...env } })
}

function finished(child: ChildProcessWithoutNullStreams): Promise<Result> {
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })))
}

function ctl(argv: readonly string[], stdin = '', env: Variables = {}): Promise<Result> {
  const child = start(argv, env)
  child.stdin.on('error', () => {})
  child.stdin.end(stdin)
  return finished(child)
}

test('list reads a real etcd', async () => {
  const { code, out, err } = await ctl(['list', '-f', 'tsv'])
  assert.deepEqual([code, err], [0, ''])
  assert.equal(out.split('\n')[3], 'orders\tdb3\t10.20.0.13\tReplica\tstreaming\t4\t0/6000000\t0\t0/5A995C0\t5')
})

test('an interactive switchover takes its answers from a pipe and calls the leader once', async () => {
  answer = { status: 200, body: 'Successfully switched over to "db2"' }
  const { code, out } = await ctl(['switchover', 'orders'], '\ndb2\n\ny\n')
  assert.equal(code, 0)
  assert.match(
    out,
    /\nPrimary \[db1\]: Candidate \['db2', 'db3'\] \[\]: When should the switchover take place \(e\.g\. [\d-]+T[\d:]+ \) {2}\[now\]: Are you sure you want to switchover cluster orders, demoting current leader db1\? \[y\/N\]: [\d-]+ [\d:]+\.\d{5} Successfully switched over to "db2"\n\+ Cluster/,
  )
  assert.equal(calls.length, 1)
  const { method, url, body, headers } = calls[0] ?? assert.fail()
  assert.deepEqual([method, url, JSON.parse(body)], ['POST', '/switchover', { candidate: 'db2', leader: 'db1' }])
  assert.equal(headers.authorization, `Basic ${Buffer.from('me:secret').toString('base64')}`)
  assert.equal(headers['content-type'], undefined)
  assert.match(headers['user-agent'] ?? '', /^Patroni\//)
})

test('a POST without a body says so', async () => {
  answer = { status: 202, body: 'reload scheduled' }
  await ctl(['reload', 'orders', 'db1', '--force'])
  assert.equal(calls[0]?.headers['content-length'], '0')
})

test('the end of input aborts; so does Ctrl-C, on a line of its own', async () => {
  const ended = await ctl(['switchover'], '\n')
  assert.deepEqual([ended.code, ended.err], [1, 'Aborted!\n'])
  const child = start(['switchover'])
  const result = finished(child)
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => chunk.toString().includes('Primary') && resolve())
  })
  child.kill('SIGINT')
  const { code, err } = await result
  assert.deepEqual([code, err], [1, '\nAborted!\n'])
})

test('edit-config writes what the editor leaves, on condition that nobody was faster', async () => {
  const editor = join(folder, 'my editor')
  writeFileSync(editor, '#!/bin/sh\nsed -i "s/^ttl: .*/ttl: 20/" "$1"\n')
  chmodSync(editor, 0o755)
  const edited = await ctl(['edit-config', '--force'], '', { EDITOR: editor })
  assert.match(edited.out, /\n-ttl: 30\n\+ttl: 20\nConfiguration changed\n$/)
  assert.deepEqual(JSON.parse((await etcd.list('/service/orders/'))['config'] ?? ''), {
    ...(ORDERS['config'] as object),
    ttl: 20,
  })
  assert.deepEqual(readdirSync(folder), ['my editor'])
  const asked = start(['edit-config', '-s', 'ttl=25'])
  const result = finished(asked)
  await new Promise<void>((resolve) => {
    asked.stdout.on('data', (chunk: Buffer) => chunk.toString().includes('Apply') && resolve())
  })
  await etcd.put('/service/orders/config', '{"ttl":40}')
  asked.stdin.end('y\n')
  const { code, err } = await result
  assert.deepEqual([code, err], [1, 'Error: Config modification aborted due to concurrent changes\n'])
  const options = await ctl(['edit-config', '--force'], '', { EDITOR: `sh -c 'echo ttl: 50 > "$1"' sh` })
  assert.match(options.out, /\nConfiguration changed\n$/)
  assert.equal((await etcd.list('/service/orders/'))['config'], '{"ttl":50}')
})

test('Ctrl-C while the editor is open is for the editor', async () => {
  const flag = join(folder, 'open')
  const child = start(['edit-config'], {
    EDITOR: `sh -c 'touch ${flag}; while [ -e ${flag} ]; do sleep 0.05; done' sh`,
  })
  const result = finished(child)
  while (!existsSync(flag)) await new Promise((resolve) => setTimeout(resolve, 20))
  child.kill('SIGINT')
  rmSync(flag)
  const { code, out } = await result
  assert.deepEqual([code, out], [0, 'Not changed\n'])
})

test('a leader that refuses connections: the failover key is written', async () => {
  await etcd.put('/service/orders/members/db1', '{"api_url":"http://127.0.0.1:1/patroni","state":"running"}')
  const { code, out, err } = await ctl(['switchover', '--force', '--candidate', 'db3'])
  assert.equal(code, 0)
  assert.match(out, /Could not switchover using Patroni api, falling back to DCS\n\+ Cluster/)
  assert.match(err, / - WARNING - http:\/\/127.0.0.1:1: .*ECONNREFUSED.*\n.* - WARNING - Failing over to DCS\n$/)
  assert.equal((await etcd.list('/service/orders/'))['failover'], '{"leader":"db1","member":"db3"}')
})

test('a formation is read in one go', async () => {
  await seed('shop/0', {
    leader: 'c1',
    initialize: '7412345678901234567',
    'members/c1': { conn_url: 'postgres://h1/x' },
  })
  await seed('shop/12', { leader: 'w1', config: { pause: true }, 'members/w1': { conn_url: 'postgres://h2/x' } })
  const env = { PATRONI_CITUS_GROUP: '0', PATRONI_CITUS_DATABASE: 'd' }
  const { out } = await ctl(['list', 'shop'], '', env)
  assert.match(out, /\n\| +0 \| c1 .*\n\| +12 \| w1 .*\n\+.*\nCitus group: 12\n Maintenance mode: on\n$/)
})

test('remove removes the tree of this cluster alone', async () => {
  await etcd.put('/service/orders2/leader', 'x')
  const { code } = await ctl(['remove', 'orders'], 'orders\nYes I am aware\ndb1\n')
  assert.equal(code, 0)
  assert.deepEqual(await etcd.list('/service/orders/'), {})
  assert.deepEqual(await etcd.list('/service/orders2/'), { leader: 'x' })
})

test('--dcs-url finds the store without any configuration, and problems with it are one line', async () => {
  const env = { PATRONI_ETCD3_HOST: undefined, PATRONI_SCOPE: undefined }
  const found = await ctl(['-d', `etcd3://${address()}`, 'dsn', 'orders'], '', env)
  assert.equal(found.out, 'host=10.20.0.11 port=5432\n')
  const none = await ctl(['list', 'orders'], '', env)
  assert.equal(none.code, 1)
  assert.match(
    none.err,
    /^Error: Can not find suitable configuration of distributed configuration store\nAvailable implementations: .*\n$/,
  )
})

test('somebody who stops reading ends the tool quietly', async () => {
  const child = start(['list', '-w', '0.05'])
  const result = finished(child)
  child.stdout.destroy()
  const { err } = await result
  assert.equal(err, '')
})
