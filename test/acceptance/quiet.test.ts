import assert from 'node:assert/strict'
import { availableParallelism, loadavg } from 'node:os'
import { after, before } from 'node:test'
import { Cluster } from '../../lab/cluster.ts'
import { ctl } from '../../lab/ctl.ts'
import type { ConfigDocument, Member } from '../../lab/member.ts'
import { watchTheft } from '../../lab/stolen-time.ts'
import { sleep, until } from '../../lab/wait.ts'
import { Writer } from '../../lab/writer.ts'
import { assertNothingLost } from '../support/looks.ts'
import { testStore } from '../support/store.ts'
import { story, withLogs } from '../support/story.ts'

// A member that may not take over waits half a `loop_wait` for a leader: what is left must do for the work of a cycle in
// which the leader changes, with four servers on two processors.
const TIMING = { ttl: 20, loopWait: 2, retryTimeout: 3 }
const LIMIT_MS = 60_000
/** As many cycles as show what a member says again and again. */
const A_WHILE_MS = 8000

const theft = watchTheft()
let cluster: Cluster
const told = (title: string, tell: () => Promise<void>): void => story(title, () => cluster, tell)

before(async () => {
  cluster = await Cluster.create({
    checkout: process.cwd(),
    store: testStore(),
    scope: 'quiet',
    members: ['n1', 'n2', 'nosync', 'nofailover'],
    timing: TIMING,
    purpose: 'quiet',
    parameters: { log_line_prefix: '%m [%p] %h ' },
    dcs: {
      synchronous_mode: true,
      slots: {
        fixed: { type: 'physical' },
        changes: { type: 'logical', database: 'postgres', plugin: 'test_decoding' },
      },
      postgresql: {
        use_pg_rewind: true,
        parameters: { wal_log_hints: 'on', shared_buffers: '16MB', wal_level: 'logical', hot_standby_feedback: 'on' },
      },
    },
  })
  for (const { config } of cluster.members) (config['postgresql'] as ConfigDocument)['use_unix_socket'] = true
  cluster.member('nosync').config['tags'] = { nosync: true }
  cluster.member('nofailover').config['tags'] = { nofailover: true }
  try {
    await cluster.bootstrap(LIMIT_MS)
  } catch (error) {
    throw withLogs(error, cluster)
  }
})

after(async () => {
  theft.end()
  await cluster?.destroy()
})

/**
 * Lines of an agent that are louder than INFO, and of PostgreSQL about a failure that an agent caused: its own sessions
 * alone come by the socket. That they end with their server is no failure.
 */
function loudLines(member: Member): readonly string[] {
  return member
    .logSince()
    .split('\n')
    .filter((line) => / (WARNING|ERROR|CRITICAL): |\[local\] (WARNING|ERROR|FATAL|PANIC): {2}/.test(line))
    .filter((line) => !line.endsWith('terminating connection due to administrator command'))
    .filter((line) => !(overloaded() && line.includes('Loop time exceeded')))
    .filter((line) => !(isRobbed() && / Request to server \S+ failed: timed out$/.test(line)))
    .map((line) => `${member.name}: ${line}`)
}

/** On a machine with far too much to do, or whose processors others use, a cycle of more than a second is no news, and true. */
function overloaded(): boolean {
  const [lastMinute = 0] = loadavg()
  const isOverloaded = lastMinute > 4 * availableParallelism() || isRobbed()
  if (isOverloaded)
    process.stdout.write(`load ${lastMinute}, stolen ${theft.worst.toFixed(2)}: late cycles are not counted\n`)
  return isOverloaded
}

/** Not only the agents are late then, the servers of the store are as well. */
function isRobbed(): boolean {
  return theft.worst > 0.2
}

/** What is true, and told, where servers are stopped and started on purpose (spec ha.md 20, 21). */
const OF_PLANNED_STOPS: readonly RegExp[] = [
  /WARNING: Postgresql is not running\.$/,
  /WARNING: failover: candidates list is empty$/,
  /WARNING: Request failed to \S+ GET \S+ \(connect ECONNREFUSED/,
  // The agent that stops does not wait for the answer to its last question.
  /FATAL: {2}connection to client lost$/,
  // So PostgreSQL calls it when it stops while somebody is about to log in.
  /FATAL: {2}canceling authentication due to timeout$/,
  // The members are the store: without two of them there is none.
  ...(testStore() === 'raft' ? [/ERROR: Error communicating with DCS$/, /WARNING: Updating member state failed/] : []),
]

function assertQuiet(): void {
  assert.deepEqual(cluster.members.flatMap(loudLines), [])
}

async function synchronous(leader: Member): Promise<Member> {
  return until('a synchronous standby', LIMIT_MS, async () => {
    const sync = JSON.parse((await cluster.store.get(cluster.key('sync'))) ?? '{}') as { sync_standby?: string }
    const [row] = await leader.sql("SELECT application_name FROM pg_stat_replication WHERE sync_state = 'sync'")
    const name = row?.['application_name']
    return sync.sync_standby === name ? cluster.members.find((member) => member.name === name) : null
  })
}

/** Somebody whom a synchronous commit has waited for can take over. */
async function electable(leader: Member): Promise<void> {
  await until('a synchronous standby that may take over', LIMIT_MS, async () => {
    const sync = JSON.parse((await cluster.store.get(cluster.key('sync'))) ?? '{}') as { sync_standby?: string | null }
    return ['n1', 'n2'].some((name) => name !== leader.name && sync.sync_standby?.split(',').includes(name))
  })
}

told('21 a cluster that is made and runs says nothing louder than INFO', async () => {
  await synchronous(await cluster.healthy(LIMIT_MS))
  await sleep(A_WHILE_MS)
  assertQuiet()
})

told('21 nor does one that is switched over', async () => {
  const writer = await Writer.start(cluster)
  for (let turn = 0; turn < 2; turn += 1) {
    const from = await cluster.healthy(LIMIT_MS)
    const to = await synchronous(from)
    const answer = await from.rest('POST', '/switchover', { leader: from.name, candidate: to.name }, 30_000)
    assert.deepEqual([answer?.status, answer?.text], [200, `Successfully switched over to "${to.name}"`])
    assert.equal(await cluster.healthy(LIMIT_MS), to)
    await sleep(A_WHILE_MS)
  }
  await writer.stop()
  assertNothingLost(await writer.account())
  assertQuiet()
})

told('21 nor one that is reloaded, configured anew and restarted', async () => {
  for (const member of cluster.members) member.signalAgent('SIGHUP')
  const leader = await cluster.healthy(LIMIT_MS)
  const change = { postgresql: { parameters: { work_mem: '5MB', max_connections: 110 } }, synchronous_mode: 'quorum' }
  assert.equal((await leader.rest('PATCH', '/config', change))?.status, 200)
  for (const member of cluster.members)
    await until(`${member.name} waits for a restart`, LIMIT_MS, async () => {
      const report = (await member.report()) as { pending_restart?: boolean } | null
      return report?.pending_restart === true
    })
  for (const member of [...cluster.members.filter((one) => one !== leader), leader]) {
    const answer = await member.rest('POST', '/restart', { restart_pending: true }, LIMIT_MS)
    assert.deepEqual([answer?.status, answer?.text], [200, 'restarted successfully'], member.name)
    await cluster.healthy(LIMIT_MS)
  }
  await sleep(A_WHILE_MS)
  assertQuiet()
})

told('21 nor one that is paused, resumed, and of which a replica is made anew', async () => {
  assert.equal((await ctl(cluster, ['pause', cluster.scope, '--wait'])).code, 0)
  await sleep(A_WHILE_MS)
  assert.equal((await ctl(cluster, ['resume', cluster.scope, '--wait'])).code, 0)
  const leader = await cluster.healthy(LIMIT_MS)
  const replica = cluster.members.find((member) => member !== leader)
  assert.ok(replica)
  const from = replica.logSize()
  assert.equal((await replica.rest('POST', '/reinitialize', {}))?.status, 200)
  await until('it was copied', LIMIT_MS, () => replica.logSince(from).includes('bootstrapped from'))
  await cluster.healthy(LIMIT_MS)
  await sleep(A_WHILE_MS)
  assertQuiet()
})

told('20 and 21 one that is stopped and started, member by member, says only that servers are not there', async () => {
  for (const member of cluster.members) {
    await electable(await cluster.healthy(LIMIT_MS))
    assert.deepEqual(await member.stop(LIMIT_MS), { code: 0, signal: null }, member.name)
    await cluster.writable(LIMIT_MS)
    await member.start()
    await cluster.healthy(LIMIT_MS)
  }
  await sleep(A_WHILE_MS)
  const leader = await cluster.healthy(LIMIT_MS)
  for (const member of cluster.members.filter((one) => one !== leader)) await member.stop(LIMIT_MS)
  await leader.stop(LIMIT_MS)
  const lines = cluster.members.flatMap(loudLines)
  const unexpected = lines.filter((line) => !OF_PLANNED_STOPS.some((expected) => expected.test(line)))
  assert.deepEqual(unexpected, [])
})
