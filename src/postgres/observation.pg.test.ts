import assert from 'node:assert/strict'
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { leaveRoot, newCluster, type TestCluster } from '../../test/support/postgres.ts'
import { freePorts } from '../../test/support/real.ts'
import { runStatement, serverOf, type TestServer } from '../../test/support/server.ts'
import { timeline } from '../cluster/timeline.ts'
import type { Observation } from '../ports/postgres.ts'
import { passTimelines } from './passed-timelines.ts'

/** Needs initdb, pg_ctl and postgres only, so that it can be run for every major version: PG_BIN=… */
const never = new AbortController().signal
const START = { timeoutMs: null, callback: false } as const
const STOP = { mode: 'fast', checkpoint: false, limitMs: null } as const
let primary: TestCluster
let standbyRoot = ''
let standbyPort = 0
const servers: TestServer[] = []

async function look({ server }: TestServer): Promise<Observation> {
  const seen = await server.look(never)
  assert.ok(seen.kind === 'observed', JSON.stringify(seen))
  return seen.observation
}

async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  const since = performance.now()
  while (!(await holds())) {
    if (performance.now() - since > 15_000) assert.fail(`not in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

before(async () => {
  await leaveRoot()
  primary = await newCluster()
})

after(async () => {
  for (const { server } of servers) {
    await server.stop({ mode: 'immediate', checkpoint: false, limitMs: 3000 }, never)
    server.close()
  }
  await primary?.remove()
  await rm(standbyRoot, { recursive: true, force: true })
})

/** A standby made by copying the data directory of the stopped primary. */
async function copyAsStandby(): Promise<TestCluster> {
  standbyRoot = await mkdtemp('/tmp/mt-')
  const dataDir = join(standbyRoot, 'data')
  await cp(primary.dataDir, dataDir, { recursive: true })
  await rm(join(dataDir, 'postmaster.pid'), { force: true })
  const [port = 0] = await freePorts(1)
  standbyPort = port
  const lines = [
    `port = ${port}`,
    `primary_conninfo = 'host=${primary.socketDir} port=${primary.port} user=postgres application_name=standby'`,
    `primary_slot_name = 'standby'`,
    `restore_command = 'false'`,
    `wal_retrieve_retry_interval = '100ms'`,
    `hot_standby_feedback = on`,
  ]
  await writeFile(join(dataDir, 'postgresql.auto.conf'), `${lines.join('\n')}\n`)
  await writeFile(join(dataDir, 'standby.signal'), '')
  return { ...primary, root: standbyRoot, dataDir, port }
}

test('3.2 and 12: primary and standby of this major version are seen as they are, and the standby is promoted', async (t) => {
  const one = serverOf(primary)
  servers.push(one)
  assert.equal(await one.server.start(START, never), 'running')
  await runStatement(primary.root, `SELECT pg_create_physical_replication_slot('standby', true)`)
  await runStatement(primary.root, `SELECT pg_create_physical_replication_slot('unused')`)
  await one.server.stop(STOP, never)
  const two = serverOf(await copyAsStandby())
  servers.push(two)
  assert.equal(await one.server.start(START, never), 'running')
  assert.equal(await two.server.start(START, never), 'running')
  await until(async () => (await look(one)).walSenders.some(({ state }) => state === 'streaming'), 'streaming')
  await until(async () => (await look(two)).walReceiver?.status === 'streaming', 'receiving')

  const above = await look(one)
  t.diagnostic(`server version ${one.server.version}`)
  assert.deepEqual(
    { inRecovery: above.inRecovery, timeline: above.timeline, paused: above.replayPaused, receiver: above.walReceiver },
    { inRecovery: false, timeline: 1, paused: false, receiver: null },
  )
  assert.equal(above.synchronousCommit, 'on')
  assert.equal(above.synchronousStandbyNames, '')
  assert.equal(above.hasRestoreCommand, false)
  const [sender] = above.walSenders
  assert.equal(sender?.applicationName, 'standby')
  assert.equal(sender?.syncState, 'async')
  assert.ok((sender?.flushLsn ?? 0) > 0)
  const slots = above.slots.map(({ name, type, active, failover }) => `${name} ${type} ${active} ${failover}`)
  assert.deepEqual(new Set(slots), new Set(['standby physical true false', 'unused physical false false']))
  const slot = above.slots.find(({ name }) => name === 'standby')
  assert.ok((slot?.restartLsn ?? 0) > 0)
  assert.equal(slot?.walStatus ?? null, one.server.version >= 130000 ? 'reserved' : null)

  const below = await look(two)
  assert.equal(below.inRecovery, true)
  assert.equal(below.timeline, 0)
  assert.equal(below.primaryLsn, 0)
  assert.ok(below.receivedLsn > 0 && below.replayedLsn > 0)
  assert.equal(below.hasRestoreCommand, true)
  assert.equal(below.walReceiver?.slotName, 'standby')
  assert.equal(below.walReceiver?.timeline, 1)
  assert.match(below.walReceiver?.conninfo ?? '', /application_name=standby/)
  assert.equal(await two.server.identifyTimeline(never), 1)

  two.tools.memory.setRole('replica')
  await one.server.nudgeWal(never)
  const flushed = (await look(one)).primaryLsn
  await until(async () => (await look(two)).receivedLsn >= flushed, 'the standby has what was written')
  await one.server.stop(STOP, never)
  assert.equal(await two.server.promote(10_000, never, timeline(4)), 'promoted')
  const now = await look(two)
  assert.equal(now.inRecovery, false)
  assert.equal(now.timeline, 4, 'the numbers in between are passed over')
  assert.ok(now.primaryLsn > 0)
  assert.equal(await two.server.checkpoint(never), 'done')
})

test('a standby follows over the timelines that were passed over, and starts again on them', async () => {
  const [old, promoted] = servers as [TestServer, TestServer]
  await writeFile(join(primary.dataDir, 'standby.signal'), '')
  const settings = [
    `primary_conninfo = 'host=${primary.socketDir} port=${standbyPort} user=postgres application_name=standby'`,
    `wal_retrieve_retry_interval = '100ms'`,
  ]
  await writeFile(join(primary.dataDir, 'postgresql.auto.conf'), `${settings.join('\n')}\n`)
  for (const round of ['first', 'second']) {
    // A promotion that never happened has left this: PostgreSQL would take 5 for its goal and end.
    if (round === 'second') await passTimelines(primary.dataDir, timeline(4), timeline(6))
    assert.equal(await old.server.start(START, never), 'running', round)
    await until(async () => (await look(promoted)).walSenders.some(({ state }) => state === 'streaming'), 'streaming')
    await until(async () => (await look(old)).walReceiver?.timeline === 4, `on the new timeline, ${round} start`)
    await old.server.stop(STOP, never)
  }
  const names = (await readdir(join(primary.dataDir, 'pg_wal'))).filter((name) => name.endsWith('.history'))
  assert.deepEqual(new Set(names), new Set(['00000002.history', '00000003.history', '00000004.history']))
})

test('3.2 and 14.13 a standby whose replay is paused shows it; what somebody paused stays paused', async () => {
  const one = servers[0] as TestServer
  await servers[1]?.server.stop(STOP, never)
  await writeFile(join(primary.dataDir, 'standby.signal'), '')
  assert.equal(await one.server.start(START, never), 'running')
  await runStatement(primary.root, 'SELECT pg_wal_replay_pause()')
  await until(async () => (await look(one)).replayPaused, 'paused')
  await one.server.resumeReplay(never)
  assert.ok((await look(one)).replayPaused)
})
