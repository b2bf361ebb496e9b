import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, copyFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { leaveRoot, newCluster, type TestCluster } from '../../test/support/postgres.ts'
import { freePorts } from '../../test/support/real.ts'
import type { Instant } from '../cluster/time.ts'
import type { Budget } from '../ports/clock.ts'
import { systemClock } from '../system/clock.ts'
import { type LiveConnection, sqlConnector } from './connection.ts'
import type { ConnectionKeywords, SqlOutcome } from './parts.ts'

const exec = promisify(execFile)
const never = new AbortController().signal
const connector = sqlConnector(systemClock)
const opened: LiveConnection[] = []
let cluster: TestCluster
let keys: string

function within(ms: number): Budget {
  return { deadline: (systemClock.now() + ms) as Instant, signal: never }
}

function connection(keywords: ConnectionKeywords = {}): LiveConnection {
  const made = connector.connection({
    host: '127.0.0.1',
    port: String(cluster.port),
    user: 'app',
    password: 'correct horse',
    dbname: 'postgres',
    ...keywords,
  })
  opened.push(made)
  return made
}

function only(outcome: SqlOutcome): unknown {
  assert.equal(outcome.kind, 'rows', JSON.stringify(outcome))
  return outcome.kind === 'rows' ? Object.values(outcome.rows[0] ?? {})[0] : undefined
}

function why(outcome: SqlOutcome | null): string {
  return outcome?.kind === 'unreachable' ? outcome.reason : `not unreachable: ${JSON.stringify(outcome)}`
}

const isEncrypted = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'

/** A certificate authority, a certificate for `localhost` by it, and an authority that signed nothing. */
async function makeKeys(root: string): Promise<string> {
  const at = (name: string): string => join(root, name)
  const openssl = (...args: readonly string[]) => exec('openssl', args)
  for (const name of ['ca', 'other']) {
    const self = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`]
    await openssl(...self, '-keyout', at(`${name}.key`), '-out', at(`${name}.crt`))
  }
  const request = ['req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost']
  await openssl(...request, '-keyout', at('server.key'), '-out', at('server.csr'))
  await writeFile(at('names'), 'subjectAltName = DNS:localhost\n')
  const sign = ['x509', '-req', '-days', '2', '-in', at('server.csr'), '-CA', at('ca.crt'), '-CAkey', at('ca.key')]
  await openssl(...sign, '-CAcreateserial', '-extfile', at('names'), '-out', at('server.crt'))
  return root
}

before(async () => {
  await leaveRoot()
  cluster = await newCluster()
  await writeFile(
    join(cluster.dataDir, 'pg_hba.conf'),
    `local all all trust
hostssl all only_tls 127.0.0.1/32 trust
hostnossl all only_plain 127.0.0.1/32 trust
host all only_tls,only_plain 127.0.0.1/32 reject
host all md5er 127.0.0.1/32 md5
host all all 127.0.0.1/32 scram-sha-256
`,
  )
  await cluster.start()
  await cluster.sql(`CREATE ROLE app LOGIN PASSWORD 'correct horse'`)
  await cluster.sql(`CREATE ROLE only_tls LOGIN; CREATE ROLE only_plain LOGIN`)
  await cluster.sql(`SET password_encryption = 'md5'; CREATE ROLE md5er LOGIN PASSWORD 'old'`)
})

after(async () => {
  for (const one of opened) one.close()
  await cluster?.remove()
})

test('13 scram and md5 passwords log in; a wrong one says so without showing it', async () => {
  assert.equal(only(await connection().query('SELECT 1', [], within(3000))), 1)
  assert.equal(only(await connection({ user: 'md5er', password: 'old' }).query('SELECT 1', [], within(3000))), 1)
  const refused = await connection({ password: 'battery staple' }).query('SELECT 1', [], within(3000))
  assert.equal(refused.kind === 'unreachable' && refused.sqlState, '28P01')
  assert.doesNotMatch(JSON.stringify(refused), /battery/)
})

test('2.11 without a password the password file is asked, and one that others may read is not', async () => {
  const passfile = join(cluster.root, 'pgpass')
  await writeFile(passfile, `127.0.0.1:*:*:app:correct horse\n`, { mode: 0o600 })
  const login = () => connection({ password: '', passfile }).query('SELECT 1', [], within(3000))
  assert.equal(only(await login()), 1)
  await chmod(passfile, 0o644)
  assert.equal((await login()).kind, 'unreachable')
})

test('values come as what JavaScript holds exactly, everything else as text', async () => {
  const outcome = await connection().query(
    `SELECT 9007199254740993 AS big, 42::bigint AS small, true AS yes, NULL AS nothing, '{"a":1}'::json AS doc,
      '0/3000060'::pg_lsn AS lsn, '2025-01-02 03:04:05+00'::timestamptz AS at, $1::text AS given`,
    ["it's"],
    within(3000),
  )
  assert.ok(outcome.kind === 'rows')
  assert.deepEqual(
    { ...outcome.rows[0], at: typeof outcome.rows[0]?.['at'] },
    {
      big: '9007199254740993',
      small: 42,
      yes: true,
      nothing: null,
      doc: { a: 1 },
      lsn: '0/3000060',
      at: 'string',
      given: "it's",
    },
  )
})

test('3.1 an error of the server is an answer, and the connection stays', async () => {
  const one = connection()
  const before = only(await one.query('SELECT pg_backend_pid()', [], within(3000)))
  const failed = await one.query('SELECT nonsense', [], within(3000))
  assert.deepEqual(failed.kind === 'error' && failed.sqlState, '42703')
  assert.equal(only(await one.query('SELECT pg_backend_pid()', [], within(3000))), before)
})

test('a statement that misses its deadline ends in time, and so do those that wait behind it; the next one works', async () => {
  const one = connection()
  assert.equal(only(await one.query('SELECT 1', [], within(3000))), 1)
  const since = performance.now()
  const slow = one.query('SELECT pg_sleep(10)', [], within(300))
  const behind = await one.query('SELECT 2', [], within(100))
  assert.match(why(behind), /no answer in time/)
  assert.ok(performance.now() - since < 250)
  assert.match(why(await slow), /no answer in time/)
  assert.ok(performance.now() - since < 600)
  assert.equal(only(await one.query('SELECT 3', [], within(3000))), 3)
})

test('an aborted signal ends a statement as its deadline does', async () => {
  const one = connection()
  const stop = new AbortController()
  setTimeout(() => stop.abort(), 100)
  const outcome = await one.query('SELECT pg_sleep(10)', [], { ...within(5000), signal: stop.signal })
  assert.match(why(outcome), /cancelled/)
})

test('a server that takes the connection and says nothing costs no more than the deadline', async () => {
  const [port = 0] = await freePorts(1)
  const silent = createServer()
  await new Promise<void>((resolve) => silent.listen(port, '127.0.0.1', resolve))
  const since = performance.now()
  for (const sslmode of ['disable', 'prefer', 'require']) {
    const outcome = await connection({ port: String(port), sslmode, connect_timeout: '1' }).open(within(300))
    assert.match(why(outcome), /no connection in time/)
  }
  assert.ok(performance.now() - since < 1500)
  silent.close()
})

test('the loss of an idle connection is told, our own close is not', async () => {
  const one = connection()
  const losses: number[] = []
  one.onLost(() => losses.push(performance.now()))
  const pid = only(await one.query('SELECT pg_backend_pid()', [], within(3000)))
  assert.ok(one.isOpen)
  await cluster.sql(`SELECT pg_terminate_backend(${String(pid)})`)
  for (let i = 0; i < 100 && losses.length === 0; i++) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.equal(losses.length, 1)
  assert.equal(one.isOpen, false)
  await one.open(within(3000))
  one.close()
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(losses.length, 1)
})

test('2.7 of several hosts the first that fits is taken', async () => {
  const [dead = 0] = await freePorts(1)
  const several = { host: '127.0.0.1,127.0.0.1', port: `${dead},${cluster.port}` }
  const wanted = connection({ ...several, target_session_attrs: 'read-write' })
  assert.equal(only(await wanted.query('SHOW port', [], within(3000))), String(cluster.port))
  const standby = connection({ ...several, target_session_attrs: 'standby' })
  assert.match(why(await standby.open(within(3000))), /not read-only/)
})

test('13 before TLS is set up prefer works without it and require is refused', async () => {
  assert.equal(only(await connection().query(isEncrypted, [], within(3000))), false)
  assert.match(why(await connection({ sslmode: 'require' }).open(within(3000))), /does not support SSL/)
})

test('13 with TLS: prefer encrypts, verify-ca checks the chain and not the name, verify-full both', async () => {
  keys = await makeKeys(cluster.root)
  for (const name of ['server.key', 'server.crt'])
    await copyFile(join(keys, name), join(cluster.dataDir, name)).then(() => chmod(join(cluster.dataDir, name), 0o600))
  await cluster.configure('ssl = on\n')
  await cluster.sql('SELECT pg_reload_conf()')
  const trusted = { sslrootcert: join(keys, 'ca.crt') }
  const stranger = { sslrootcert: join(keys, 'other.crt') }
  // Until the reload is done, and because it is remembered that the server spoke no TLS, prefer may still be in clear.
  for (let i = 0; i < 100; i++) {
    if (why(await connection({ sslmode: 'require' }).open(within(3000))).startsWith('not unreachable')) break
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const fresh = sqlConnector(systemClock)
  const prefers = fresh.connection({
    host: '127.0.0.1',
    port: String(cluster.port),
    user: 'app',
    password: 'correct horse',
    dbname: 'postgres',
  })
  opened.push(prefers)
  assert.equal(only(await prefers.query(isEncrypted, [], within(3000))), true)
  const encrypted = async (keywords: ConnectionKeywords): Promise<unknown> => {
    const outcome = await connection(keywords).query(isEncrypted, [], within(3000))
    return outcome.kind === 'rows' ? Object.values(outcome.rows[0] ?? {})[0] : why(outcome)
  }
  assert.equal(await encrypted({ sslmode: 'require' }), true)
  assert.equal(await encrypted({ sslmode: 'verify-ca', ...trusted }), true)
  assert.match(String(await encrypted({ sslmode: 'verify-ca', ...stranger })), /self-signed|unable to|certificate/)
  assert.match(String(await encrypted({ sslmode: 'require', ...stranger })), /self-signed|unable to|certificate/)
  assert.equal(await encrypted({ sslmode: 'verify-full', ...trusted, host: 'localhost' }), true)
  assert.match(String(await encrypted({ sslmode: 'verify-full', ...trusted })), /does not match|altnames/i)
  assert.equal(await encrypted({ sslmode: 'disable' }), false)
})

test('13 pg_hba.conf that wants the other encryption gets it from prefer and allow', async () => {
  for (const sslmode of ['prefer', 'allow']) {
    assert.equal(only(await connection({ user: 'only_tls', sslmode }).query(isEncrypted, [], within(3000))), true)
    assert.equal(only(await connection({ user: 'only_plain', sslmode }).query(isEncrypted, [], within(3000))), false)
  }
})
