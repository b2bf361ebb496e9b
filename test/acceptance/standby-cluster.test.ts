import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { after, before } from 'node:test'
import { Cluster } from '../../lab/cluster.ts'
import type { Member } from '../../lab/member.ts'
import { until } from '../../lab/wait.ts'
import { assertNoBug } from '../support/looks.ts'
import { testStore } from '../support/store.ts'
import { story, withLogs } from '../support/story.ts'

const TIMING = { ttl: 20, loopWait: 1, retryTimeout: 3 }
const HEAL_MS = 60_000
const STEP_MS = 30_000
const SLOT = 'the_other_site'

let site: Cluster
let remote: Cluster
const told = (title: string, tell: () => Promise<void>): void => story(title, () => site, tell)

/** The member with the lock, once it answers as a standby leader and the others stream from it. */
async function standbyLeader(): Promise<Member> {
  return until('a standby leader and its replica', HEAL_MS, async () => {
    const name = await site.store.get(site.key('leader'))
    const leader = site.members.find((member) => member.name === name)
    if (!leader?.isRunning || (await leader.rest('GET', '/standby-leader'))?.status !== 200) return null
    const [row] = await leader.sql(
      "SELECT count(*)::int AS streaming FROM pg_stat_replication WHERE state = 'streaming'",
    )
    return row?.['streaming'] === site.members.filter((member) => member.isRunning).length - 1 ? leader : null
  })
}

async function sees(member: Member, table: string): Promise<boolean> {
  const [row] = await member.sql('SELECT to_regclass($1) IS NOT NULL AS there', [table])
  return row?.['there'] === true
}

before(async () => {
  remote = await Cluster.create({
    checkout: process.cwd(),
    store: testStore(),
    scope: 'remote',
    members: ['r1'],
    timing: TIMING,
    purpose: 'remote',
    dcs: { slots: { [SLOT]: { type: 'physical' } } },
  })
  await remote.bootstrap(HEAL_MS)
  const [source] = remote.members
  assert.ok(source)
  site = await Cluster.create({
    checkout: process.cwd(),
    store: testStore(),
    scope: 'site',
    members: ['s1', 's2'],
    timing: TIMING,
    purpose: 'standby',
    dcs: { standby_cluster: { host: '127.0.0.1', port: source.pgPort, primary_slot_name: SLOT } },
  })
  try {
    for (const member of site.members) await member.start()
    await standbyLeader()
  } catch (error) {
    throw withLogs(error, site)
  }
})

after(async () => {
  await site?.destroy()
  await remote?.destroy()
})

told(
  '15.1 a standby cluster copies a remote primary: one member follows it by the slot, the other one cascades',
  async () => {
    const leader = await standbyLeader()
    const [source] = remote.members
    assert.ok(source)
    await source.sql('CREATE TABLE from_remote AS SELECT 1 AS id')
    for (const member of site.members)
      await until(`${member.name} has the table`, STEP_MS, () => sees(member, 'from_remote'))
    const [slot] = await source.sql('SELECT active FROM pg_replication_slots WHERE slot_name = $1', [SLOT])
    assert.equal(slot?.['active'], true)
    const rows = await site.rows()
    assert.deepEqual(
      rows.map(({ name, role }) => [name, role]),
      site.members.map((member) => [member.name, member === leader ? 'standby_leader' : 'replica']),
    )
    for (const member of site.members) assert.equal((await member.rest('GET', '/primary'))?.status, 503)
  },
)

told('15 the host of the standby leader is lost: the other one follows the remote primary', async () => {
  const leader = await standbyLeader()
  await leader.killHost()
  const next = await until('another standby leader', HEAL_MS, async () => {
    const name = await site.store.get(site.key('leader'))
    const member = site.members.find((one) => one.name === name)
    return member && member !== leader && (await member.rest('GET', '/standby-leader'))?.status === 200 ? member : null
  })
  const [source] = remote.members
  await source?.sql('CREATE TABLE after_loss AS SELECT 1 AS id')
  await until('it goes on copying', STEP_MS, () => sees(next, 'after_loss'))
  await leader.start()
  assert.equal(await standbyLeader(), next)
  await until('the old one copies from it', STEP_MS, () => sees(leader, 'after_loss'))
})

told('15.2 a switchover inside the standby cluster', async () => {
  const leader = await standbyLeader()
  const other = site.members.find((member) => member !== leader)
  assert.ok(other)
  const answer = await leader.rest('POST', '/switchover', { leader: leader.name, candidate: other.name }, 30_000)
  assert.deepEqual([answer?.status, answer?.text], [200, `Successfully switched over to "${other.name}"`])
  assert.equal(await standbyLeader(), other)
})

told('15.2 the standby cluster is promoted: one writable primary, the other one follows', async () => {
  const leader = await standbyLeader()
  assert.equal((await leader.rest('PATCH', '/config', { standby_cluster: null }))?.status, 200)
  const primary = await site.healthy(HEAL_MS)
  assert.equal(primary, leader)
  await primary.sql('CREATE TABLE own_life AS SELECT 1 AS id')
  for (const member of site.members)
    await until(`${member.name} has the table`, STEP_MS, () => sees(member, 'own_life'))
})

told(
  '15.2 the cluster becomes a standby cluster again: its own history is rewound to that of the remote primary',
  async () => {
    const primary = await site.healthy(HEAL_MS)
    const [source] = remote.members
    assert.ok(source)
    await source.sql('CREATE TABLE meanwhile AS SELECT 1 AS id')
    const standby_cluster = { host: '127.0.0.1', port: source.pgPort, primary_slot_name: SLOT }
    assert.equal((await primary.rest('PATCH', '/config', { standby_cluster }))?.status, 200)
    await standbyLeader()
    for (const member of site.members) {
      await until(`${member.name} follows the remote history`, HEAL_MS, async () => {
        return (await sees(member, 'meanwhile')) && !(await sees(member, 'own_life'))
      })
    }
  },
)

told('4.1 all members lose their data: the cluster copies the remote primary anew', async () => {
  const [source] = remote.members
  assert.ok(source)
  for (const member of site.members) {
    await member.killHost()
    rmSync(member.dataDir, { recursive: true })
  }
  await source.sql('CREATE TABLE after_all_was_lost AS SELECT 1 AS id')
  for (const member of site.members) await member.start()
  await standbyLeader()
  for (const member of site.members)
    await until(`${member.name} has the table`, STEP_MS, () => sees(member, 'after_all_was_lost'))
})

told('nothing that happened was a bug', async () => assertNoBug(site))
