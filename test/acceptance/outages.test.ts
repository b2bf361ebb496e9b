import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import { Cluster } from '../../lab/cluster.ts'
import { ctl } from '../../lab/ctl.ts'
import { sleep, until } from '../../lab/wait.ts'
import { assertLeads, assertNoBug, assertNothingLost, timeline } from '../support/looks.ts'
import { testStore } from '../support/store.ts'
import { story, withLogs } from '../support/story.ts'
import { backElsewhere, whileWriting } from '../support/writing.ts'

const TIMING = { ttl: 20, loopWait: 1, retryTimeout: 3 }
const HEAL_MS = 60_000
const STEP_MS = 30_000

let cluster: Cluster
const told = (title: string, tell: (cluster: Cluster) => Promise<void>): void => story(title, () => cluster, tell)

async function configure(change: Record<string, unknown>): Promise<void> {
  const leader = await cluster.healthy(HEAL_MS)
  assert.equal((await leader.rest('PATCH', '/config', change))?.status, 200)
  await sleep(TIMING.loopWait * 1000 + 500)
}

before(async () => {
  cluster = await Cluster.create({
    checkout: process.cwd(),
    store: testStore(),
    storeOutages: true,
    scope: 'outages',
    members: ['n1', 'n2', 'n3'],
    timing: TIMING,
    purpose: 'outages',
    dcs: { failsafe_mode: true },
  })
  try {
    await cluster.bootstrap(HEAL_MS)
  } catch (error) {
    throw withLogs(error, cluster)
  }
})

after(() => cluster?.destroy())

told(
  '14 failsafe: the store is away longer than the lease and the primary goes on, since every member consents',
  async () => {
    const leader = await cluster.healthy(HEAL_MS)
    const before = { postmaster: leader.postmasterPid(), timeline: await timeline(leader) }
    const failsafe = JSON.parse((await cluster.store.get(cluster.key('failsafe'))) ?? '{}') as Record<string, string>
    assert.deepEqual(Object.keys(failsafe).sort(), ['n1', 'n2', 'n3'])
    const { writer, gap } = await whileWriting(
      cluster,
      async () => cluster.store.stop(),
      async () => sleep((TIMING.ttl + 8) * 1000),
    )
    assert.ok(gap.ms < 1000, `writes stopped for ${Math.round(gap.ms)} ms`)
    assert.equal(leader.postmasterPid(), before.postmaster)
    assert.equal((await leader.rest('GET', '/primary'))?.status, 200)
    const report = (await leader.report()) as { failsafe_mode_is_active?: boolean } | null
    assert.equal(report?.failsafe_mode_is_active, true)
    await cluster.store.start()
    await until(
      'the store has the leader again',
      STEP_MS,
      async () => (await cluster.store.get(cluster.key('leader'))) === leader.name,
    )
    assert.equal(await cluster.healthy(HEAL_MS), leader)
    assert.equal(await timeline(leader), before.timeline)
    assertNothingLost(await writer.account())
  },
)

told(
  '14.2 failsafe: one member that does not consent ends the primary, and the cluster heals with the store',
  async () => {
    const leader = await cluster.healthy(HEAL_MS)
    const other = cluster.members.find((member) => member !== leader)
    assert.ok(other)
    const from = leader.logSize()
    await cluster.store.stop()
    await other.killHost()
    await until('the primary gives up', STEP_MS, () =>
      leader.logSince(from).includes('demoted self because DCS is not accessible and I was a leader'),
    )
    await until('nobody says that it is the primary', STEP_MS, async () => {
      const answers = await Promise.all(
        cluster.members.map(async (member) => (member.isRunning ? await member.rest('GET', '/primary') : null)),
      )
      return answers.every((answer) => answer?.status !== 200)
    })
    await cluster.store.start()
    await other.start()
    await assertLeads(cluster, await cluster.healthy(HEAL_MS))
  },
)

told('14.1 without failsafe a primary ends before the store could give its lock away', async () => {
  await configure({ failsafe_mode: false })
  const leader = await cluster.healthy(HEAL_MS)
  cluster.store.freeze()
  const stoppedAt = performance.now()
  await until('the primary is read-only', (TIMING.ttl + 2) * 1000, async () => {
    const rows = await leader.sql('SELECT pg_is_in_recovery() AS standby').catch(() => [])
    return rows[0]?.['standby'] === true
  })
  assert.ok(performance.now() - stoppedAt < TIMING.ttl * 1000)
  cluster.store.thaw()
  await assertLeads(cluster, await cluster.healthy(HEAL_MS))
})

told('11 pause: nothing is started, nobody is promoted, and a resume puts everything right', async () => {
  const leader = await cluster.healthy(HEAL_MS)
  const paused = await ctl(cluster, ['pause', cluster.scope, '--wait'])
  assert.equal(paused.code, 0, paused.stderr)
  const before = await timeline(leader)
  leader.killPostmaster()
  await until(
    'the leader key is given back',
    STEP_MS,
    async () => (await cluster.store.get(cluster.key('leader'))) === null,
  )
  await sleep(3 * TIMING.loopWait * 1000)
  assert.equal(leader.postmasterPid() === null || (await leader.report())?.state === 'stopped', true)
  assert.equal(await cluster.store.get(cluster.key('leader')), null)
  const resumed = await ctl(cluster, ['resume', cluster.scope, '--wait'])
  assert.equal(resumed.code, 0, resumed.stderr)
  const next = await cluster.healthy(HEAL_MS)
  assert.equal(await timeline(next), before + 1)
})

told('11 pause: a running primary keeps its lock and its clients through the end and start of its agent', async () => {
  const leader = await cluster.healthy(HEAL_MS)
  assert.equal((await ctl(cluster, ['pause', cluster.scope, '--wait'])).code, 0)
  const before = leader.postmasterPid()
  const exit = await leader.stop(STEP_MS)
  assert.equal(exit?.code, 0)
  assert.equal(leader.postmasterPid(), before)
  await sleep((TIMING.ttl + 3) * 1000)
  assert.equal(leader.postmasterPid(), before, 'the lease guard leaves a paused primary alone')
  await leader.start()
  assert.equal(await cluster.healthy(HEAL_MS), leader)
  assert.equal(leader.postmasterPid(), before)
  assert.equal((await ctl(cluster, ['resume', cluster.scope, '--wait'])).code, 0)
  await assertLeads(cluster, leader)
})

told('11 a primary whose agent ended in pause stays the only one when the cluster is resumed without it', async () => {
  const leader = await cluster.healthy(HEAL_MS)
  assert.equal((await ctl(cluster, ['pause', cluster.scope, '--wait'])).code, 0)
  const before = { postmaster: leader.postmasterPid(), timeline: await timeline(leader) }
  assert.equal((await leader.stop(STEP_MS))?.code, 0)
  await sleep((TIMING.ttl + 3) * 1000)
  assert.equal(await cluster.store.get(cluster.key('leader')), null)
  assert.equal((await ctl(cluster, ['resume', cluster.scope, '--wait'])).code, 0)
  const others = cluster.members.filter((member) => member !== leader)
  const postmaster = before.postmaster ?? assert.fail('no postmaster')
  await sleep(3 * TIMING.loopWait * 1000)
  // Nor does anybody when it does not answer for a while.
  process.kill(postmaster, 'SIGSTOP')
  try {
    await sleep(4 * TIMING.loopWait * 1000)
  } finally {
    process.kill(postmaster, 'SIGCONT')
  }
  await sleep(3 * TIMING.loopWait * 1000)
  for (const other of others) assert.ok(other.logSince(0).includes('does not answer now: waiting for it'), other.name)
  const why = `Primary (${leader.name}) is still alive without an agent: it was left in pause`
  for (const other of others) assert.ok(other.logSince(0).includes(why), other.name)
  assert.equal(leader.postmasterPid(), before.postmaster)
  assert.equal(await cluster.store.get(cluster.key('leader')), null, 'nobody takes over from a primary that runs')
  for (const other of others) assert.equal((await other.rest('GET', '/primary'))?.status, 503)
  await leader.start()
  assert.equal(await cluster.healthy(HEAL_MS), leader)
  assert.equal(leader.postmasterPid(), before.postmaster)
  assert.equal(await timeline(leader), before.timeline)
  await assertLeads(cluster, leader)
})

told('12 a switchover planned for a moment happens at that moment', async () => {
  const leader = await cluster.healthy(HEAL_MS)
  const other = cluster.members.find((member) => member !== leader)
  assert.ok(other)
  const at = Date.now() + 6000
  const { writer, result } = await whileWriting(
    cluster,
    () =>
      leader.rest('POST', '/switchover', {
        leader: leader.name,
        candidate: other.name,
        scheduled_at: new Date(at).toISOString(),
      }),
    backElsewhere(leader.name, STEP_MS),
  )
  const late = Date.now() - at
  assert.deepEqual([result?.status, result?.text], [202, 'Switchover scheduled'])
  assert.ok(late > 0 && late < 4000, `${late} ms after the moment`)
  assert.equal(await cluster.healthy(HEAL_MS), other)
  assertNothingLost(await writer.account())
})

told('12 a planned switchover that is cancelled does not happen', async () => {
  const leader = await cluster.healthy(HEAL_MS)
  const scheduled_at = new Date(Date.now() + 5000).toISOString()
  assert.equal((await leader.rest('POST', '/switchover', { leader: leader.name, scheduled_at }))?.status, 202)
  const cancelled = await leader.rest('DELETE', '/switchover')
  assert.deepEqual([cancelled?.status, cancelled?.text], [200, 'scheduled switchover deleted'])
  await sleep(7000)
  assert.equal(await cluster.healthy(HEAL_MS), leader)
})

told('13.2 a planned restart happens once, and the member key tells of it until then', async () => {
  const leader = await cluster.healthy(HEAL_MS)
  const replica = cluster.members.find((member) => member !== leader)
  assert.ok(replica)
  const before = replica.postmasterPid()
  const schedule = new Date(Date.now() + 4000).toISOString()
  const answer = await replica.rest('POST', '/restart', { schedule })
  assert.deepEqual([answer?.status, answer?.text], [202, 'Restart scheduled'])
  const again = await replica.rest('POST', '/restart', { schedule })
  assert.equal(again?.status, 409)
  const key = JSON.parse((await cluster.store.get(cluster.key(`members/${replica.name}`))) ?? '{}') as {
    scheduled_restart?: { schedule: string }
  }
  assert.ok(key.scheduled_restart)
  await until('it was restarted', STEP_MS, () => {
    const now = replica.postmasterPid()
    return now !== null && now !== before
  })
  await cluster.healthy(HEAL_MS)
})

told('13.3 a replica is made anew from the leader on request', async () => {
  const leader = await cluster.healthy(HEAL_MS)
  const replica = cluster.members.find((member) => member !== leader)
  assert.ok(replica)
  const refused = await leader.rest('POST', '/reinitialize', {})
  assert.deepEqual([refused?.status, refused?.text], [503, 'I am the leader, can not reinitialize'])
  const from = replica.logSize()
  const answer = await replica.rest('POST', '/reinitialize', { from_leader: true })
  assert.deepEqual([answer?.status, answer?.text], [200, 'reinitialize started'])
  await until('it was copied', STEP_MS, () =>
    replica.logSince(from).includes('replica has been created using basebackup'),
  )
  await assertLeads(cluster, await cluster.healthy(HEAL_MS))
})

told('13.1 a parameter that needs a restart is told as pending, and a restart applies it', async () => {
  const leader = await cluster.healthy(HEAL_MS)
  await configure({ postgresql: { parameters: { max_connections: 120 } } })
  for (const member of cluster.members) {
    await until(`${member.name} waits for a restart`, STEP_MS, async () => {
      const report = (await member.report()) as { pending_restart_reason?: Record<string, unknown> } | null
      return report?.pending_restart_reason?.['max_connections'] !== undefined
    })
  }
  // The primary last: a standby that has less than its primary would have to stop.
  const order = [...cluster.members.filter((member) => member !== leader), leader]
  for (const member of order) {
    const answer = await member.rest('POST', '/restart', { restart_pending: true }, 60_000)
    assert.deepEqual([answer?.status, answer?.text], [200, 'restarted successfully'], member.name)
    await cluster.healthy(HEAL_MS)
  }
  for (const member of cluster.members) {
    const [row] = await member.sql('SHOW max_connections')
    assert.equal(row?.['max_connections'], '120')
  }
})

told('nothing that happened was a bug', async () => assertNoBug(cluster))
