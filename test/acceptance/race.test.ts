import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach } from 'node:test'
import { Cluster } from '../../lab/cluster.ts'
import type { ConfigDocument, Member } from '../../lab/member.ts'
import { processTitle, processTree, signalAll } from '../../lab/processes.ts'
import { sleep, until } from '../../lab/wait.ts'
import { assertLeads, assertNoBug, timeline } from '../support/looks.ts'
import { interceptProgram } from '../support/programs.ts'
import { script } from '../support/scripts.ts'
import { testStore } from '../support/store.ts'
import { story, withLogs } from '../support/story.ts'

const TIMING = { ttl: 20, loopWait: 1, retryTimeout: 3 }
const LIMIT_MS = 60_000

let cluster: Cluster
const told = (title: string, tell: () => Promise<void>): void => story(title, () => cluster, tell)

before(async () => {
  cluster = await Cluster.create({
    checkout: process.cwd(),
    store: testStore(),
    witnesses: 2,
    scope: 'race',
    members: ['n1', 'n2', 'n3'],
    timing: TIMING,
    purpose: 'race',
    dcs: { maximum_lag_on_failover: 1048576 },
  })
  for (const member of cluster.members) {
    const slow = slowStart(member)
    interceptProgram(cluster, member, 'postgres', [`if [ "$1" = -D -a -e ${slow} ]; then rm ${slow}; sleep 60; fi`])
  }
  try {
    await cluster.bootstrap(LIMIT_MS)
  } catch (error) {
    throw withLogs(error, cluster)
  }
})

/** A case that failed must not take the next ones with it. */
beforeEach(async () => {
  for (const member of cluster.members) member.config['tags'] = {}
  await cluster.revive()
})

after(() => cluster?.destroy())

told('6.2 a member tagged nofailover never takes over, and says so', async () => {
  const [leader, plain, tagged] = await members()
  await tag(tagged, { nofailover: true })
  const from = tagged.logSize()
  await leader.stop(LIMIT_MS)
  assert.equal(await newLeader(), plain)
  await until('it followed', LIMIT_MS, () =>
    tagged.logSince(from).includes('following a different leader because I am not allowed to promote'),
  )
  await plain.stop(LIMIT_MS)
  await sleep(5000)
  assert.equal((await tagged.rest('GET', '/primary'))?.status, 503, 'not even when it is alone')
  assert.equal(await cluster.store.get(cluster.key('leader')), null)
  await tag(tagged, {})
  assert.equal(await newLeader(), tagged)
  await cluster.revive()
  await cluster.healthy(LIMIT_MS)
})

told('6.3 of members with the same position the one with the higher failover_priority takes over', async () => {
  const [leader, low, high] = await members()
  await tag(low, { failover_priority: 1 })
  await tag(high, { failover_priority: 2 })
  const from = low.logSize()
  await leader.stop(LIMIT_MS)
  assert.equal(await newLeader(), high)
  const said = low.logSince(from)
  // The other one may be so quick that this one never raced.
  const raced = said.includes('following a different leader because i am not the healthiest node')
  const reason = `${high.name} has equally tolerable WAL position and priority 2, while this node has priority 1`
  if (raced) assert.ok(said.includes(reason), said)
  await cluster.revive()
  await cluster.healthy(LIMIT_MS)
  await untag()
})

told('6.3 a contradiction between nofailover and failover_priority is warned of, and the first one wins', async () => {
  const [, , other] = await members()
  const from = other.logSize()
  await tag(other, { nofailover: false, failover_priority: 0 })
  await until('it is warned of', LIMIT_MS, () =>
    other
      .logSince(from)
      .includes(
        'Conflicting configuration between nofailover: False and failover_priority: 0. Defaulting to nofailover: False',
      ),
  )
  await untag()
})

told(
  '6.3 a member that lags by more than maximum_lag_on_failover does not take over before it has caught up',
  async () => {
    const [leader, lagging, other] = await members()
    await tag(other, { nofailover: true })
    const from = lagging.logSize()
    const receivers = children(lagging, 'walreceiver')
    assert.equal(receivers.length, 1)
    signalAll(receivers, 'SIGSTOP')
    await leader.sql('CREATE TABLE big AS SELECT repeat(md5(i::text), 20) AS text FROM generate_series(1, 6000) AS i')
    await sleep(2 * TIMING.loopWait * 1000 + 500)
    await leader.killHost()
    await until('it says why not', LIMIT_MS, () =>
      lagging.logSince(from).includes('My wal position exceeds maximum replication lag'),
    )
    signalAll(receivers, 'SIGCONT')
    await sleep(2000)
    assert.equal((await lagging.rest('GET', '/primary'))?.status, 503)
    await leader.start()
    assert.equal(await cluster.healthy(LIMIT_MS), leader)
    await untag()
  },
)

told('6.1 primary_race_backoff: while WAL has just come in, a member waits before it races', async () => {
  const [leader] = await members()
  await configure({ primary_race_backoff: 4 })
  await leader.sql('CREATE TABLE backoff AS SELECT 1 AS id')
  const sizes = new Map(cluster.members.map((member) => [member, member.logSize()]))
  await leader.stop(LIMIT_MS)
  const next = await newLeader()
  const said = next.logSince(sizes.get(next))
  assert.match(
    said,
    new RegExp(`My \\(${next.name}\\) wal position moved since last heart beat loop, [1-4] seconds until leader race`),
  )
  await cluster.revive()
  await cluster.healthy(LIMIT_MS)
  await configure({ primary_race_backoff: null })
})

told('6.3 check_timeline: members on the timeline of the cluster take over as without it', async () => {
  const [leader, other] = await members()
  await configure({ check_timeline: true })
  assert.equal((await leader.rest('GET', '/config'))?.status, 200)
  await leader.stop(LIMIT_MS)
  const next = await newLeader()
  assert.ok(next !== leader)
  await cluster.revive()
  assert.equal(await cluster.healthy(LIMIT_MS), next)
  assert.equal((await timeline(next)) > 1, true)
  assert.ok(other)
  await configure({ check_timeline: null })
})

told('9 a pre_promote that fails releases the lock: another member takes over and this one sits out', async () => {
  const [leader, failing, other] = await members()
  const bad = script(cluster, 'pre-promote', 'exit 1')
  change(failing, { pre_promote: bad.path })
  await tag(other, { nofailover: true })
  const from = failing.logSize()
  await leader.stop(LIMIT_MS)
  await until('the script has failed', LIMIT_MS, () =>
    /pre_promote script `.*` exited with 1/.test(failing.logSince(from)),
  )
  await until('the lock is released', LIMIT_MS, () =>
    failing.logSince(from).includes('Promotion cancelled because the pre-promote script failed'),
  )
  assert.match(failing.logSince(from), /Releasing the leader key voluntarily because the pre-promote script failed/)
  await tag(other, {})
  assert.equal(await newLeader(), other)
  assert.deepEqual(bad.calls(), [[]], 'called once, without arguments')
  change(failing, { pre_promote: null })
  await leader.start()
  assert.equal(await cluster.healthy(LIMIT_MS), other)
})

told('3.4 a primary that starts too slowly keeps its lock until primary_start_timeout, then gives it up', async () => {
  const [leader] = await members()
  await configure({ primary_start_timeout: 6 })
  const from = leader.logSize()
  const before = await timeline(leader)
  writeFileSync(slowStart(leader), '')
  leader.killPostmaster()
  await until('it is told how long it will wait', LIMIT_MS, () =>
    /PostgreSQL is still starting up, \d seconds until timeout|updated leader lock during starting primary after failure/.test(
      leader.logSince(from),
    ),
  )
  assert.equal(await cluster.store.get(cluster.key('leader')), leader.name, 'the lock is kept')
  const next = await until('another one leads', LIMIT_MS, async () => {
    const now = await cluster.leader()
    return now && now !== leader && now
  })
  // The successor may have the lock before the cycle that released it has come to its end.
  await until('it says why', LIMIT_MS, () =>
    /stopped PostgreSQL because of startup timeout|removed leader key after trying and failing/.test(
      leader.logSince(from),
    ),
  )
  assert.equal(await cluster.healthy(LIMIT_MS), next)
  assert.equal(await timeline(next), before + 1)
  await assertLeads(cluster, next)
  await configure({ primary_start_timeout: null })
  assertNoBug(cluster)
})

/** The leader first. */
async function members(): Promise<readonly [leader: Member, ...others: [Member, Member]]> {
  const leader = await cluster.healthy(LIMIT_MS)
  const [first, second] = cluster.members.filter((member) => member !== leader)
  assert.ok(first && second)
  return [leader, first, second]
}

function newLeader(): Promise<Member> {
  return until('somebody leads', LIMIT_MS, () => cluster.leader())
}

async function configure(change: ConfigDocument): Promise<void> {
  const leader = await cluster.healthy(LIMIT_MS)
  assert.equal((await leader.rest('PATCH', '/config', change))?.status, 200)
  await sleep(TIMING.loopWait * 1000 + 500)
}

/** Changes the tags of a running member, and waits until the others see them. */
async function tag(member: Member, tags: ConfigDocument): Promise<void> {
  member.config['tags'] = tags
  member.writeConfig()
  member.signalAgent('SIGHUP')
  await until(`the tags of ${member.name} are published`, LIMIT_MS, async () => {
    const text = (await cluster.store.get(cluster.key(`members/${member.name}`))) ?? '{}'
    const published = (JSON.parse(text) as { tags?: ConfigDocument }).tags ?? {}
    return JSON.stringify(published) === JSON.stringify(tags)
  })
}

async function untag(): Promise<void> {
  for (const member of cluster.members) if (member.isRunning) await tag(member, {})
}

/** Another line in the section of PostgreSQL, in force after the reload. */
function change(member: Member, entries: ConfigDocument): void {
  Object.assign(member.config['postgresql'] as ConfigDocument, entries)
  member.writeConfig()
  member.signalAgent('SIGHUP')
}

function children(member: Member, title: string): readonly number[] {
  const postmaster = member.postmasterPid()
  return postmaster === null ? [] : processTree(postmaster).filter((pid) => processTitle(pid).includes(title))
}

/** While this file is there the next start of the member's server takes very long. */
function slowStart(member: Member): string {
  return join(member.folder, 'slow')
}
