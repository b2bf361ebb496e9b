import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach } from 'node:test'
import { Cluster } from '../../lab/cluster.ts'
import { longestGap, reigns } from '../../lab/ledger.ts'
import type { Member } from '../../lab/member.ts'
import { freePorts } from '../../lab/ports.ts'
import type { Exit } from '../../lab/processes.ts'
import { serverUser } from '../../lab/server-user.ts'
import { sleep, until } from '../../lab/wait.ts'
import { Writer } from '../../lab/writer.ts'
import { assertLeads, assertNoBug, assertNothingLost } from '../support/looks.ts'
import { testStore } from '../support/store.ts'
import { story, withLogs } from '../support/story.ts'

const TIMING = { ttl: 20, loopWait: 2, retryTimeout: 3 }
const LIMIT_MS = 60_000
/** A busy machine makes single writes slow; less than any failover takes. */
const UNNOTICED_MS = 8000

let cluster: Cluster
let writer: Writer
let begunAt = 0
const told = (title: string, tell: (cluster: Cluster) => Promise<void>): void => story(title, () => cluster, tell)
const primary = (): Member => cluster.member('n1')

before(async () => {
  cluster = await Cluster.create({
    checkout: process.cwd(),
    store: testStore(),
    scope: 'refusals',
    members: ['n1'],
    timing: TIMING,
    purpose: 'refusals',
  })
  try {
    await cluster.bootstrap(LIMIT_MS)
  } catch (error) {
    throw withLogs(error, cluster)
  }
})

beforeEach(async () => {
  writer = await Writer.start(cluster)
  begunAt = performance.now()
})

/** Whatever goes wrong with another member, the primary and its clients must not notice. */
afterEach(async () => {
  await sleep(700)
  await writer.stop()
  assertNothingLost(await writer.account())
  const gap = longestGap(writer.acknowledged, begunAt)
  assert.ok(gap.ms < UNNOTICED_MS, `writes stopped for ${Math.round(gap.ms)} ms`)
  assert.deepEqual(reigns(writer.acknowledged, 0), [primary().name])
  await assertLeads(cluster, primary())
})

after(() => cluster?.destroy())

told('2.1 a second member with a name that is in use ends with exit code 1 and touches nothing', async () => {
  const twin = await cluster.addMember('n1', 'twin')
  await twin.start()
  assert.deepEqual(await ended(twin), { code: 1, signal: null })
  assert.match(twin.logSince(), /CRITICAL.*Can't start; there is already a node named 'n1' running/)
  assert.ok(!existsSync(twin.dataDir))
  assert.equal(await twin.rest('GET', '/liveness'), null)
  await dismiss(twin)
})

told(
  '13.4 a wrong replication password keeps a new member out, is not shown anywhere, and can be put right',
  async () => {
    const member = await cluster.addMember('wrongpass')
    const { replication } = postgresql(member).authentication
    const right = replication.password
    replication.password = 'no-such-secret'
    await member.start()
    await until('the copy has failed', LIMIT_MS, () => /failed to bootstrap from leader 'n1'/.test(member.logSince()))
    assert.ok(!member.logSince().includes('no-such-secret'))
    assert.ok(!existsSync(join(member.dataDir, 'global', 'pg_control')), 'no half-made data directory is left')
    assert.ok(member.isRunning, 'the agent goes on trying')
    replication.password = right
    member.writeConfig()
    member.signalAgent('SIGHUP')
    await cluster.healthy(LIMIT_MS)
    await dismiss(member)
  },
)

told('3.7 a data directory that cannot be read is left alone until it can', async () => {
  const member = await joined('unreadable')
  await member.killHost()
  const before = contents(member.dataDir)
  chmodSync(member.dataDir, 0o000)
  await member.start()
  await until('the agent says so', LIMIT_MS, () => /data directory is not accessible: /.test(member.logSince()))
  chmodSync(member.dataDir, 0o700)
  assert.deepEqual(contents(member.dataDir), before)
  await cluster.healthy(LIMIT_MS)
  await dismiss(member)
})

told("PostgreSQL's port is taken: the member says so, keeps its data and joins when the port is free", async () => {
  const member = await joined('portless')
  await member.stop(LIMIT_MS)
  const squatter = await listenOn(member.pgPort)
  const from = member.logSize()
  await member.start()
  await until('PostgreSQL failed to start', LIMIT_MS, () => /failed to start postgres/.test(member.logSince(from)))
  assert.match(member.logSince(from), /could not bind|Address already in use/)
  assert.ok(existsSync(join(member.dataDir, 'global', 'pg_control')))
  await new Promise((closed) => squatter.close(closed))
  await cluster.healthy(LIMIT_MS)
  await dismiss(member)
})

told('the port of the REST server is taken: the agent ends with one clear line', async () => {
  const member = await cluster.addMember('restless')
  const squatter = await listenOn(member.apiPort)
  await member.start()
  assert.deepEqual(await ended(member), { code: 1, signal: null })
  assert.match(member.logSince(), new RegExp(`Couldn't start a service on '127\\.0\\.0\\.1:${member.apiPort}'`))
  assert.ok(!existsSync(member.dataDir))
  await new Promise((closed) => squatter.close(closed))
  await dismiss(member)
})

told('3.8 a data directory of another cluster is refused with exit code 1 and stays as it was', async () => {
  const member = await cluster.addMember('stranger')
  member.writeConfig()
  initdb(member)
  const before = contents(member.dataDir)
  await member.start()
  assert.deepEqual(await ended(member), { code: 1, signal: null })
  assert.match(
    member.logSince(),
    /CRITICAL.*system ID mismatch, node stranger belongs to a different cluster: \d+ != \d+/,
  )
  assert.deepEqual(contents(member.dataDir), before)
  await dismiss(member)
})

told(
  'a configuration that is no YAML, or lacks what is needed, ends the agent with one line that names file and place',
  async () => {
    const [port = 0] = await freePorts(1)
    const member = await cluster.addMember('misconfigured')
    const cases: readonly [change: Record<string, unknown>, expected: RegExp][] = [
      [{ name: undefined }, /name/],
      [{ scope: undefined }, /scope/],
      [{ postgresql: { listen: `127.0.0.1:${port}` } }, /postgresql\.(data_dir|authentication|connect_address)/],
    ]
    for (const [change, expected] of cases) {
      const kept = { ...member.config }
      Object.assign(member.config, change)
      const from = member.logSize()
      await member.start()
      const exit = await ended(member)
      assert.notEqual(exit.code, 0)
      const said = member.logSince(from)
      assert.match(said, expected)
      assert.ok(!/^\s+at /m.test(said), 'no stack trace')
      Object.assign(member.config, kept)
    }
    await dismiss(member)
  },
)

told('nothing that happened here was a bug of an agent', async () => {
  assertNoBug(cluster)
})

/** A healthy member beside the primary. */
async function joined(name: string): Promise<Member> {
  const member = await cluster.addMember(name)
  await member.start()
  await cluster.healthy(LIMIT_MS)
  return member
}

/** Removes a member from the cluster and from the disk. */
async function dismiss(member: Member): Promise<void> {
  await member.stop(10_000)
  await member.destroy()
  cluster.members.splice(cluster.members.indexOf(member), 1)
  rmSync(member.folder, { recursive: true, force: true })
  if (member.name !== primary().name) await cluster.store.delete(cluster.key(`members/${member.name}`))
  await cluster.store.forget(member.config)
}

async function ended(member: Member): Promise<Exit> {
  await until(`the agent of ${member.name} ends`, LIMIT_MS, () => !member.isRunning)
  return member.agentEnd()
}

interface PostgresqlSection {
  readonly authentication: { readonly replication: { password: string } }
}

function postgresql(member: Member): PostgresqlSection {
  const section = member.config['postgresql'] as PostgresqlSection
  const replication = { ...section.authentication.replication }
  const own = { ...section, authentication: { ...section.authentication, replication } }
  member.config['postgresql'] = own
  return own
}

/** Names, sizes and the control file: what must not have changed. */
function contents(directory: string): unknown {
  const names = readdirSync(directory).filter((name) => name !== 'postmaster.pid')
  return { names, control: readFileSync(join(directory, 'global', 'pg_control')).toString('hex') }
}

function initdb(member: Member): void {
  const user = serverUser()
  execFileSync(join(cluster.programs.postgresBin, 'initdb'), ['-D', member.dataDir, '-U', 'postgres', '--no-sync'], {
    stdio: 'ignore',
    cwd: member.folder,
    ...(user ? { uid: user.uid, gid: user.gid } : {}),
  })
}

function listenOn(port: number): Promise<Server> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}
