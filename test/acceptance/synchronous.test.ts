import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import { Cluster } from '../../lab/cluster.ts'
import type { Member } from '../../lab/member.ts'
import { until } from '../../lab/wait.ts'
import { assertLeads, assertNoBug, assertNothingLost } from '../support/looks.ts'
import { testStore } from '../support/store.ts'
import { story, withLogs } from '../support/story.ts'
import { backElsewhere, whileWriting } from '../support/writing.ts'

const TIMING = { ttl: 20, loopWait: 1, retryTimeout: 3 }
const HEAL_MS = 60_000
const STEP_MS = 20_000

let cluster: Cluster
const told = (title: string, tell: (cluster: Cluster) => Promise<void>): void => story(title, () => cluster, tell)

interface SyncKey {
  readonly leader: string
  readonly sync_standby: string | null
  readonly quorum: number
}

async function syncKey(): Promise<SyncKey | null> {
  const text = await cluster.store.get(cluster.key('sync'))
  return text === null ? null : (JSON.parse(text) as SyncKey)
}

async function names(leader: Member): Promise<string> {
  const [row] = await leader.sql("SELECT current_setting('synchronous_standby_names') AS names")
  return String(row?.['names'])
}

async function configure(change: Record<string, unknown>): Promise<Member> {
  const leader = await cluster.healthy(HEAL_MS)
  assert.equal((await leader.rest('PATCH', '/config', change))?.status, 200)
  return leader
}

/** The key names so many standbys with so many votes, and PostgreSQL waits for them. */
async function settled(standbys: number, quorum: number): Promise<SyncKey> {
  return until(`${standbys} synchronous standbys, quorum ${quorum}`, STEP_MS, async () => {
    const key = await syncKey()
    const listed = key?.sync_standby?.split(',') ?? []
    return key && listed.length === standbys && key.quorum === quorum ? key : null
  })
}

before(async () => {
  cluster = await Cluster.create({
    checkout: process.cwd(),
    store: testStore(),
    witnesses: 2,
    scope: 'synchronous',
    members: ['n1', 'n2', 'n3'],
    timing: TIMING,
    purpose: 'synchronous',
    dcs: { synchronous_mode: true },
  })
  try {
    await cluster.bootstrap(HEAL_MS)
  } catch (error) {
    throw withLogs(error, cluster)
  }
})

after(() => cluster?.destroy())

told(
  '16.2 and 16.3, postgres 8.1 and 8.3 one replica becomes the synchronous standby: PostgreSQL first, then the key, then REST',
  async () => {
    const leader = await cluster.healthy(HEAL_MS)
    const key = await settled(1, 0)
    assert.equal(key.leader, leader.name)
    assert.equal(await names(leader), String(key.sync_standby))
    for (const member of cluster.members.filter((one) => one !== leader)) {
      const sync = member.name === key.sync_standby
      assert.equal((await member.rest('GET', '/sync'))?.status, sync ? 200 : 503)
      assert.equal((await member.rest('GET', '/async'))?.status, sync ? 503 : 200)
    }
    const rows = await cluster.rows()
    assert.equal(rows.find((row) => row.name === key.sync_standby)?.role, 'sync_standby')
  },
)

told(
  '16 the host of the primary is lost: the synchronous standby takes over and no acknowledged row is missing',
  async () => {
    const leader = await cluster.healthy(HEAL_MS)
    const { sync_standby: standby } = await settled(1, 0)
    const { writer } = await whileWriting(cluster, () => leader.killHost(), backElsewhere(leader.name, HEAL_MS))
    assert.equal((await cluster.healthy(HEAL_MS)).name, standby)
    await leader.start()
    const next = await cluster.healthy(HEAL_MS)
    assertNothingLost(await writer.account())
    await assertLeads(cluster, next)
  },
)

told(
  '16.5, postgres 8.5 the synchronous standby is lost: commits wait for the other one, and the key follows',
  async () => {
    const leader = await cluster.healthy(HEAL_MS)
    const { sync_standby: standby } = await settled(1, 0)
    const lost = cluster.member(String(standby))
    const { writer } = await whileWriting(
      cluster,
      () => lost.killHost(),
      () =>
        until('another standby is synchronous', STEP_MS, async () => {
          const now = (await syncKey())?.sync_standby
          return now !== standby && now !== null
        }),
    )
    await lost.start()
    assert.equal(await cluster.healthy(HEAL_MS), leader)
    assertNothingLost(await writer.account())
  },
)

told(
  '16.4 strict: without any standby commits wait, the last standbys stay electable, and writes go on when one is back',
  async () => {
    const leader = await configure({ synchronous_mode_strict: true })
    const before = await settled(1, 0)
    const others = cluster.members.filter((member) => member !== leader)
    const from = leader.logSize()
    // The synchronous one last: as long as another one streams, the leader takes that one instead.
    others.sort((one, two) => Number(one.name === before.sync_standby) - Number(two.name === before.sync_standby))
    for (const member of others) await member.killHost()
    await until('the warning is printed', STEP_MS, () =>
      leader
        .logSince(from)
        .includes('No active replication connections from Patroni members and synchronous_mode_strict is requested'),
    )
    const waits = leader.sql('CREATE TABLE waits_for_somebody (id int)')
    assert.equal((await syncKey())?.sync_standby, before.sync_standby)
    for (const member of others) await member.start()
    await waits
    await cluster.healthy(HEAL_MS)
    await configure({ synchronous_mode_strict: null })
  },
)

told('17.2 quorum commit: both replicas vote, one confirms each commit', async () => {
  const leader = await configure({ synchronous_mode: 'quorum' })
  const key = await settled(2, 1)
  // The key goes before the names where more may vote (spec ha.md 17.4).
  const wanted = `ANY 1 (${key.sync_standby})`
  await until('commits wait for any of the voters', STEP_MS, async () => (await names(leader)) === wanted)
  for (const member of cluster.members.filter((one) => one !== leader)) {
    assert.equal((await member.rest('GET', '/quorum'))?.status, 200)
    assert.equal((await member.rest('GET', '/sync'))?.status, 503)
  }
})

told(
  '17.3, postgres 8.6 quorum commit: the host of the primary is lost, and no acknowledged row is missing',
  async () => {
    const leader = await cluster.healthy(HEAL_MS)
    await settled(2, 1)
    const { writer } = await whileWriting(cluster, () => leader.killHost(), backElsewhere(leader.name, HEAL_MS))
    await leader.start()
    const next = await cluster.healthy(HEAL_MS)
    assertNothingLost(await writer.account())
    await settled(2, 1)
    await assertLeads(cluster, next)
  },
)

told('17 quorum commit: two confirmations on request, and a switchover loses nothing', async () => {
  const leader = await configure({ synchronous_node_count: 2 })
  await settled(2, 0)
  await until('PostgreSQL waits for both', STEP_MS, async () => (await names(leader)).startsWith('ANY 2 ('))
  const { writer, result } = await whileWriting(
    cluster,
    () => leader.rest('POST', '/switchover', { leader: leader.name }, 30_000),
    backElsewhere(leader.name, HEAL_MS),
  )
  assert.equal(result?.status, 200, result?.text)
  await cluster.healthy(HEAL_MS)
  assertNothingLost(await writer.account())
  await configure({ synchronous_node_count: null })
  await settled(2, 1)
})

told('16.1 switched off: the key goes, and commits wait for nobody', async () => {
  const leader = await configure({ synchronous_mode: null })
  await until('there is no sync key', STEP_MS, async () => (await syncKey()) === null)
  await until('nobody is named', STEP_MS, async () => (await names(leader)) === '')
})

told('nothing that happened was a bug', async () => assertNoBug(cluster))
