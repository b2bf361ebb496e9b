import assert from 'node:assert/strict'
import { after, before, beforeEach } from 'node:test'
import { Cluster } from '../../lab/cluster.ts'
import { ctl } from '../../lab/ctl.ts'
import { isLostTail, longestGap, reigns } from '../../lab/ledger.ts'
import type { Member } from '../../lab/member.ts'
import { processTitle, processTree, signalAll } from '../../lab/processes.ts'
import { sleep, until } from '../../lab/wait.ts'
import { Writer } from '../../lab/writer.ts'
import { assertLeads, assertNoBug, assertNothingLost, history, timeline } from '../support/looks.ts'
import { testStore } from '../support/store.ts'
import { story, withLogs } from '../support/story.ts'
import { backElsewhere, type Written, whileWriting as written } from '../support/writing.ts'

/** The shortest that a patroni.yml may ask for. */
const TIMING = { ttl: 20, loopWait: 2, retryTimeout: 3 }
const HEAL_MS = 60_000
/** pg_rewind syncs the whole data directory, whatever `fsync` says: on a saturated disk it has taken more than 22 s. */
const REWIND_MS = 100_000
/** Writes are acknowledged before they are sent on; what is younger than this when the primary dies may be lost. */
const ASYNC_WINDOW_MS = 500

let cluster: Cluster
const told = (title: string, tell: (cluster: Cluster) => Promise<void>): void => story(title, () => cluster, tell)

before(async () => {
  cluster = await Cluster.create({
    checkout: process.cwd(),
    store: testStore(),
    storeOutages: true,
    scope: 'acceptance',
    members: ['n1', 'n2', 'n3'],
    timing: TIMING,
    purpose: 'acceptance',
  })
  try {
    await cluster.bootstrap(HEAL_MS)
  } catch (error) {
    throw withLogs(error, cluster)
  }
})

/** A case that failed must not take the next ones with it. */
beforeEach(() => cluster.revive())

after(() => cluster?.destroy())

told('8.3 and 18.2 three members bootstrap: one primary, two streaming replicas, and the store says so', async () => {
  const leader = await cluster.healthy(HEAL_MS)
  // Where the members are the store themselves, it takes several to begin.
  if (cluster.store.membersNeeded === 1) assert.equal(leader.name, 'n1', 'the first one started')
  const others = ['n1', 'n2', 'n3'].filter((name) => name !== leader.name)
  await assertLeads(cluster, leader)
  const [row] = await leader.sql('SELECT system_identifier::text AS id FROM pg_control_system()')
  assert.equal(await cluster.store.get(cluster.key('initialize')), row?.['id'])
  const config = JSON.parse((await cluster.store.get(cluster.key('config'))) ?? '{}') as { ttl?: number }
  assert.equal(config.ttl, TIMING.ttl)
  const rows = await cluster.rows()
  assert.deepEqual(
    rows.map(({ name, role, state, timeline }) => [name, role, state, timeline]),
    ['n1', 'n2', 'n3'].map((name) =>
      name === leader.name ? [name, 'leader', 'running', 1] : [name, 'replica', 'streaming', 1],
    ),
  )
  const slots = await leader.sql('SELECT slot_name, active FROM pg_replication_slots ORDER BY 1')
  assert.deepEqual(
    slots,
    others.map((slot_name) => ({ slot_name, active: true })),
  )
  const list = await ctl(cluster, ['list'])
  assert.equal(list.code, 0, list.stderr)
  assert.match(
    list.stdout,
    new RegExp(`\\| ${leader.name} +\\| 127\\.0\\.0\\.1:\\d+ +\\| Leader +\\| running +\\| +1 \\|`),
  )
})

told(
  '10.4 and 12.2 a switchover by REST moves the primary to the candidate, loses nothing, and stops writes only briefly',
  async () => {
    const [from, to] = await leaderAndOther()
    const before = await timeline(from)
    const {
      writer,
      gap,
      result: answer,
    } = await whileWriting(
      async () => from.rest('POST', '/switchover', { leader: from.name, candidate: to.name }, 30_000),
      backElsewhere(from.name, HEAL_MS),
    )
    assert.deepEqual([answer?.status, answer?.text], [200, `Successfully switched over to "${to.name}"`])
    assert.equal(await cluster.healthy(HEAL_MS), to)
    assertNothingLost(await writer.account())
    assert.deepEqual(reigns(writer.acknowledged, 0), [from.name, to.name])
    assert.ok(gap.ms < 5000, `writes stopped for ${Math.round(gap.ms)} ms`)
    await assertLeads(cluster, to)
    assert.equal(await timeline(to), before + 1)
    await until('the history has the switch', 10_000, async () => (await history(cluster)).at(-1)?.[0] === before)
    assert.equal((await history(cluster)).at(-1)?.at(4), to.name)
    assert.match((await cluster.store.get(cluster.key('failover'))) ?? '{}', /^\{\}$/)
  },
)

told('a switchover by matriarchctl ends with exit code 0 and says who leads now', async () => {
  const [from, to] = await leaderAndOther()
  const { writer, result } = await whileWriting(
    () => ctl(cluster, ['switchover', cluster.scope, '--leader', from.name, '--candidate', to.name, '--force']),
    backElsewhere(from.name, HEAL_MS),
  )
  assert.equal(result.code, 0, `${result.stdout}${result.stderr}`)
  assert.match(result.stdout, new RegExp(`Successfully switched over to "${to.name}"`))
  assert.equal(await cluster.healthy(HEAL_MS), to)
  assertNothingLost(await writer.account())
  assert.deepEqual(reigns(writer.acknowledged, 0), [from.name, to.name])
})

told('12.1 a switchover is refused with a reason while nothing changes', async () => {
  const [leader, other] = await leaderAndOther()
  const wrong = await leader.rest('POST', '/switchover', { leader: other.name, candidate: leader.name })
  assert.deepEqual([wrong?.status, wrong?.text], [412, 'leader name does not match'])
  const absent = await leader.rest('POST', '/switchover', { leader: leader.name, candidate: 'nobody' })
  assert.deepEqual([absent?.status, absent?.text], [412, 'candidate does not exists'])
  const same = await leader.rest('POST', '/switchover', { leader: leader.name, candidate: leader.name })
  assert.deepEqual([same?.status, same?.text], [400, 'Switchover target and source are the same'])
  await assertLeads(cluster, leader)
})

told('5.1 a killed postmaster is started again in place, on the same timeline', async () => {
  const [leader] = await leaderAndOther()
  const before = await timeline(leader)
  const { writer, gap } = await whileWriting(async () => leader.killPostmaster(), backOn(leader))
  assert.equal(await cluster.healthy(HEAL_MS), leader)
  assertNothingLost(await writer.account())
  assert.deepEqual(reigns(writer.acknowledged, 0), [leader.name])
  assert.ok(gap.ms < 15_000, `writes stopped for ${Math.round(gap.ms)} ms`)
  assert.equal(await timeline(leader), before)
  await assertLeads(cluster, leader)
})

told('5.1 with primary_start_timeout 0 a killed postmaster leads to a failover at once', async () => {
  const [leader] = await leaderAndOther()
  const before = await timeline(leader)
  assert.equal((await leader.rest('PATCH', '/config', { primary_start_timeout: 0 }))?.status, 200)
  await sleep(TIMING.loopWait * 1000 + 500)
  const { writer, gap, since } = await whileWriting(
    async () => leader.killPostmaster(),
    backElsewhere(leader.name, HEAL_MS),
  )
  const next = await cluster.healthy(HEAL_MS)
  assert.notEqual(next, leader)
  assert.ok(gap.ms < 10_000, `writes stopped for ${Math.round(gap.ms)} ms`)
  assert.equal(await timeline(next), before + 1)
  assert.deepEqual(reigns(writer.acknowledged, 0), [leader.name, next.name])
  const account = await writer.account()
  assert.ok(isLostTail(account, writer.acknowledged, { node: leader.name, at: since, windowMs: ASYNC_WINDOW_MS }))
  await assertLeads(cluster, next)
  assert.equal((await next.rest('PATCH', '/config', { primary_start_timeout: null }))?.status, 200)
})

told(
  '8.1 the host of the primary is lost: another takes over after the lease, and the old one comes back as a replica',
  async () => {
    const [leader] = await leaderAndOther()
    const before = await timeline(leader)
    const { writer, gap, since } = await whileWriting(() => leader.killHost(), backElsewhere(leader.name, HEAL_MS))
    const next = await cluster.healthy(HEAL_MS)
    assert.ok(gap.ms < (TIMING.ttl + 5) * 1000, `writes stopped for ${Math.round(gap.ms)} ms`)
    assert.equal(await timeline(next), before + 1)
    await leader.start()
    assert.equal(await cluster.healthy(HEAL_MS), next)
    const account = await writer.account()
    assert.ok(isLostTail(account, writer.acknowledged, { node: leader.name, at: since, windowMs: ASYNC_WINDOW_MS }))
    assert.deepEqual(reigns(writer.acknowledged, 0), [leader.name, next.name])
    await assertLeads(cluster, next)
  },
)

told('5.3 an old primary with rows that nobody else has is rewound, and only those rows are gone', async () => {
  const [leader] = await leaderAndOther()
  const writer = await Writer.start(cluster)
  await until('the writer writes', HEAL_MS, () => writer.acknowledged.length > 20)
  await writer.stop()
  // The senders stand still: what is written now does not leave this primary.
  const senders = walSenders(leader)
  assert.equal(senders.length, cluster.members.length - 1)
  signalAll(senders, 'SIGSTOP')
  await leader.sql('CREATE TABLE only_here AS SELECT generate_series(1, 1000) AS id')
  const logFrom = leader.logSize()
  await leader.killHost()
  const next = await cluster.writable(HEAL_MS, { otherThan: leader })
  await next.sql('CREATE TABLE after_failover AS SELECT 1 AS id')
  await leader.start()
  assert.equal(await cluster.healthy(REWIND_MS), next)
  const log = leader.logSince(logFrom)
  assert.match(log, new RegExp(`running pg_rewind from ${next.name}`))
  assertNothingLost(await writer.account())
  for (const member of cluster.members) {
    await until(`${member.name} has the history of the new primary`, 10_000, async () => {
      const [row] = await member.sql("SELECT to_regclass('only_here') AS gone, to_regclass('after_failover') AS there")
      return row?.['gone'] === null && row['there'] !== null
    })
  }
  await assertLeads(cluster, next)
})

told(
  '1.4 an agent killed and started again under a running primary leaves PostgreSQL and its clients alone',
  async () => {
    const [leader] = await leaderAndOther()
    const before = { postmaster: leader.postmasterPid(), timeline: await timeline(leader) }
    const { writer, gap } = await whileWriting(async () => {
      leader.signalAgent('SIGKILL')
      await leader.agentEnd()
      await leader.start()
      await until(
        'its REST server answers as primary',
        HEAL_MS,
        async () => (await leader.rest('GET', '/primary'))?.status === 200,
      )
    })
    assert.equal(await cluster.healthy(HEAL_MS), leader)
    assert.deepEqual({ postmaster: leader.postmasterPid(), timeline: await timeline(leader) }, before)
    assert.ok(gap.ms < 3000, `writes stopped for ${Math.round(gap.ms)} ms`)
    assertNothingLost(await writer.account())
    assert.deepEqual(reigns(writer.acknowledged, 0), [leader.name])
    await assertLeads(cluster, leader)
  },
)

told(
  '14.1 without the store the primary stops taking writes before its lease ends; when the store is back, so is a primary',
  async () => {
    const writer = await Writer.start(cluster)
    await sleep(500)
    const cutAt = performance.now()
    await cluster.store.stop()
    await until('nobody takes writes', TIMING.ttl * 1000, () => {
      const last = writer.acknowledged.at(-1)?.at ?? 0
      return last > cutAt && performance.now() - last > 3000
    })
    const lastWrite = writer.acknowledged.at(-1)?.at ?? 0
    assert.ok(lastWrite - cutAt < TIMING.ttl * 1000, `${Math.round(lastWrite - cutAt)} ms after the store was lost`)
    for (const member of cluster.members) {
      assert.equal((await member.rest('GET', '/primary'))?.status, 503, `${member.name} /primary`)
      assert.notEqual(await member.rest('GET', '/liveness'), null, `${member.name} answers`)
    }
    await cluster.store.start()
    const next = await cluster.healthy(HEAL_MS)
    await until('writes go on', HEAL_MS, () => writer.firstWrite(next.name, lastWrite))
    await writer.stop()
    assertNothingLost(await writer.account())
    assert.equal(reigns(writer.acknowledged, 0).length <= 2, true, 'never two primaries')
    await assertLeads(cluster, next)
  },
)

told('4.2 a member added while the cluster is written to is copied, streams, and has every row', async () => {
  const [leader] = await leaderAndOther()
  const added = await cluster.addMember('n4')
  const { writer } = await whileWriting(async () => {
    await added.start()
    await until(
      'the new member streams',
      HEAL_MS,
      async () => (await added.report())?.replication_state === 'streaming',
    )
  })
  assert.equal(await cluster.healthy(HEAL_MS), leader)
  assertNothingLost(await writer.account())
  const total = async (member: Member): Promise<unknown> =>
    (await member.sql('SELECT count(*)::int AS n FROM ledger'))[0]?.['n']
  const wanted = await total(leader)
  await until('the new member has every row', 10_000, async () => (await total(added)) === wanted)
  await assertLeads(cluster, leader)
})

told(
  '2.4 and 20 an agent that is told to end stops its PostgreSQL, and the leader gives its lock away at once',
  async () => {
    const [leader] = await leaderAndOther()
    const {
      writer,
      gap,
      result: exit,
    } = await whileWriting(() => leader.stop(30_000), backElsewhere(leader.name, HEAL_MS))
    assert.deepEqual(exit, { code: 0, signal: null })
    assert.equal(leader.postmasterPid(), null)
    const next = await cluster.healthy(HEAL_MS)
    assertNothingLost(await writer.account())
    assert.ok(gap.ms < 8000, `writes stopped for ${Math.round(gap.ms)} ms`)
    await leader.start()
    assert.equal(await cluster.healthy(HEAL_MS), next)
  },
)

told('nothing that happened here was a bug of the agent', async () => {
  assertNoBug(cluster)
})

async function leaderAndOther(): Promise<readonly [leader: Member, other: Member]> {
  const leader = await cluster.healthy(HEAL_MS)
  const other = cluster.members.find((member) => member !== leader)
  assert.ok(other)
  return [leader, other]
}

/** Lets the writer write, does something, and waits until it is `over`. */
function whileWriting<T>(
  happens: () => Promise<T>,
  over: (writer: Writer, since: number) => Promise<unknown> = (writer, since) =>
    until('writes go on', HEAL_MS, () => writer.firstWrite(null, since)),
): Promise<Written<T>> {
  return written(cluster, happens, over)
}

/** The same member takes writes again after a time without. */
function backOn(member: Member) {
  return (writer: Writer, since: number): Promise<unknown> =>
    until(`${member.name} takes writes again`, HEAL_MS, () => {
      const gap = longestGap(writer.acknowledged, since)
      return gap.ms > 100 && writer.firstWrite(member.name, gap.to)
    })
}

/** Processes that send this primary's WAL to standbys. */
function walSenders(member: Member): readonly number[] {
  const postmaster = member.postmasterPid()
  return postmaster === null ? [] : processTree(postmaster).filter((pid) => processTitle(pid).includes('walsender'))
}
