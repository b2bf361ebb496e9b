import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { configOf } from '../../test/support/member.ts'
import { leaveRoot, postgresBinDir } from '../../test/support/postgres.ts'
import { freePorts } from '../../test/support/real.ts'
import { type Recorded, recordedLog, runStatement } from '../../test/support/server.ts'
import { memberDataFrom } from '../cluster/member.ts'
import { version } from '../cluster/stored.ts'
import { timeline } from '../cluster/timeline.ts'
import type { Upstream } from '../ports/postgres.ts'
import { systemClock } from '../system/clock.ts'
import { createPostgres, type PostgresAdapter } from './server.ts'

const HBA = [
  'local all all trust',
  'local replication all trust',
  'host all,replication all 127.0.0.1/32 scram-sha-256',
]
const never = new AbortController().signal

interface Node {
  readonly postgres: PostgresAdapter
  readonly root: string
  readonly log: Recorded
  readonly upstream: Upstream
  /** What the callbacks were called with, in order. */
  calls(): Promise<readonly string[]>
}

async function newNode(name: string): Promise<Node> {
  const root = await mkdtemp('/tmp/mt-')
  await mkdir(join(root, 'socket'))
  const [port = 0] = await freePorts(1)
  const record = `sh -c 'echo "$@" >> ${root}/calls' sh`
  const names = ['on_start', 'on_stop', 'on_restart', 'on_reload', 'on_role_change']
  const callbacks = Object.fromEntries(names.map((one) => [one, record]))
  const made = configOf(name, root, port, await postgresBinDir(), { postgresql: { callbacks, pgHba: HBA } })
  const timing = { ttl: 30, loopWait: 10, retryTimeout: 10 }
  const log = recordedLog()
  const data = memberDataFrom({ conn_url: `postgres://127.0.0.1:${port}/postgres`, state: 'running', role: 'primary' })
  return {
    postgres: await createPostgres({ ...made, timing }, { clock: systemClock, log }),
    root,
    log,
    upstream: { kind: 'member', member: { name, version: version('1'), session: null, data } },
    calls: async () => (await readFile(join(root, 'calls'), 'utf8').catch(() => '')).split('\n').slice(0, -1),
  }
}

async function until(holds: () => boolean | Promise<boolean>, what: string, limitMs = 10_000): Promise<void> {
  const since = performance.now()
  while (!(await holds())) {
    if (performance.now() - since > limitMs) assert.fail(`not in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

async function look({ postgres }: Node) {
  const seen = await postgres.look(never)
  assert.ok(seen.kind === 'observed', JSON.stringify(seen))
  return seen.observation
}

let a: Node
let b: Node

before(async () => {
  await leaveRoot()
  a = await newNode('node-a')
  b = await newNode('node-b')
})

after(async () => {
  for (const node of [a, b]) {
    if (!node) continue
    await node.postgres.stop({ mode: 'immediate', checkpoint: false, limitMs: 5000 }, never)
    node.postgres.close()
    await rm(node.root, { recursive: true, force: true, maxRetries: 3 })
  }
})

test('4 the first member is made, opened and running; no callback is called meanwhile', async () => {
  const { postgres } = a
  await postgres.adopt(never)
  assert.equal(postgres.role, 'uninitialized')
  assert.deepEqual(await postgres.dataDirectory(), { kind: 'empty' })
  assert.equal(await postgres.controlData(never), null)
  assert.ok(postgres.hasBootstrapSection())
  assert.equal(await postgres.bootstrap(never), true)
  assert.equal(postgres.state, 'running')
  assert.equal(await postgres.postBootstrap(never), true)
  assert.match((await postgres.systemIdentifier(never)) ?? '', /^\d{10,}$/)
  assert.equal((await look(a)).timeline, 1)
  assert.equal(postgres.callbackAttempted, false)
  assert.deepEqual(await a.calls(), [])
  assert.match(postgres.localAddress(), /^localhost:\d+$/)
})

test('1.5 no password and no variable of the agent is in the arguments or the environment of the server', async () => {
  const pid = Number.parseInt(await readFile(join(a.root, 'data', 'postmaster.pid'), 'utf8'), 10)
  for (const what of ['cmdline', 'environ']) {
    const text = await readFile(`/proc/${pid}/${what}`, 'utf8')
    assert.doesNotMatch(text, /super secret|rep'l|PATRONI/, what)
  }
  assert.doesNotMatch(a.log.lines.join('\n'), /super secret|rep'l/)
})

test('5 and 1.10 a second member is copied and follows; on_start tells it', async () => {
  const { postgres } = b
  await postgres.adopt(never)
  assert.equal(await postgres.clone({ source: a.upstream }, never), true)
  assert.equal(postgres.state, 'stopped')
  // The slot is the primary's to make, in its next cycle.
  await runStatement(a.root, `SELECT pg_create_physical_replication_slot('node_b', true)`)
  const follow = { upstream: a.upstream, role: 'replica', timeoutMs: null, reload: false } as const
  assert.equal(await postgres.follow(follow, never), 'running')
  assert.equal(postgres.role, 'replica')
  await until(async () => (await b.calls()).join() === 'on_start replica demo', 'on_start')
  assert.equal(await postgres.systemIdentifier(never), await a.postgres.systemIdentifier(never))
  assert.equal(await postgres.recoveryDifference(a.upstream, 'replica', never), 'none')
  assert.equal(await postgres.identifyTimeline(never), 1)
})

test('1.7, 1.9 and 9.1 the two change their roles; each step calls its callback in order', async () => {
  await until(async () => (await look(a)).walSenders.some(({ state }) => state === 'streaming'), 'node-b streams')
  // As PostgreSQL prints an address; its text has the length of the network behind it.
  assert.equal((await look(a)).walSenders[0]?.clientAddr, '127.0.0.1')
  a.postgres.setRole('primary')
  a.postgres.fireCallback('on_start', 'primary')
  await until(async () => (await a.calls()).length === 1, 'on_start of the first member')

  const stopped = await a.postgres.stop(
    {
      mode: 'fast',
      checkpoint: true,
      limitMs: null,
      onShutdownCheckpoint: async ({ checkpoint }) => {
        const { receivedLsn } = await look(b)
        if (receivedLsn < checkpoint) return false
        a.postgres.setRole('demoted')
        return true
      },
    },
    never,
  )
  assert.equal(stopped, 'stopped')
  assert.equal(await b.postgres.promote(10_000, never, timeline(2)), 'promoted')
  assert.equal(b.postgres.role, 'primary')
  assert.equal((await b.postgres.localTimelineHistory((await look(b)).timeline))?.switches.length, 1)
  a.postgres.setRole('demoted')
  const follow = { upstream: b.upstream, role: 'replica', timeoutMs: null, reload: false } as const
  assert.equal(await a.postgres.follow(follow, never), 'running')
  await until(async () => (await a.calls()).length === 3, 'three callbacks')
  assert.match(
    (await a.calls()).join('; '),
    /^on_start primary demo; on_stop (demoted|primary) demo; on_role_change replica demo$/,
  )
  await until(async () => (await b.calls()).includes('on_role_change primary demo'), 'the promotion is told')
})

test('2.10 another upstream is followed by a reload from 13 on, without a callback for it but on_reload', async () => {
  const { postgres } = a
  assert.equal(await postgres.recoveryDifference(null, 'replica', never), 'reload')
  const before = (await a.calls()).length
  const pid = (await look(a)).postmasterStartTime
  assert.equal(
    await postgres.follow({ upstream: null, role: 'replica', timeoutMs: null, reload: true }, never),
    'running',
  )
  postgres.forgetObservation()
  await until(async () => (await postgres.recoveryDifference(null, 'replica', never)) === 'none', 'it follows nobody')
  assert.equal((await look(a)).postmasterStartTime, pid)
  await until(async () => (await a.calls()).length === before + 1, 'on_reload')
  assert.equal((await a.calls()).at(-1), 'on_reload replica demo')
})

test('1.11 a killed primary is told at once and starts in place on its timeline', async () => {
  const { postgres } = b
  let told = 0
  const forget = postgres.onEvent(() => (told += 1))
  const pid = Number.parseInt(await readFile(join(b.root, 'data', 'postmaster.pid'), 'utf8'), 10)
  const since = performance.now()
  process.kill(pid, 'SIGKILL')
  await until(() => told === 1, 'the end is told', 500)
  assert.equal(postgres.isAlive(), false)
  postgres.setState('crashed')
  assert.equal(await postgres.startAsPrimary(60_000, never), 'running')
  assert.ok(performance.now() - since < 3000)
  const seen = await look(b)
  assert.equal(seen.inRecovery, false)
  assert.equal(seen.timeline, 2)
  forget()
})

test('2.13 a changed configuration is in force after it was given', async () => {
  const { postgres } = b
  const port = Number(postgres.localAddress().split(':')[1])
  const changed = configOf('node-b', b.root, port, await postgresBinDir(), { parameters: { work_mem: '7MB' } })
  const timing = { ttl: 30, loopWait: 10, retryTimeout: 10 }
  await postgres.reconfigure({ ...changed, timing }, { sighup: false }, never)
  await until(async () => (await runStatement(b.root, 'SHOW work_mem')) === '7MB', 'the server knows it')
})
