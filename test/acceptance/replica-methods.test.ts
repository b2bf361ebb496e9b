import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { Cluster } from '../../lab/cluster.ts'
import { type ConfigDocument, type Member, REPLICATION } from '../../lab/member.ts'
import { giveTo, serverUser } from '../../lab/server-user.ts'
import { until } from '../../lab/wait.ts'
import { takeBackup } from '../support/backup.ts'
import { assertLeads, assertNoBug } from '../support/looks.ts'
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
    scope: 'methods',
    members: ['n1'],
    timing: TIMING,
    purpose: 'methods',
  })
  try {
    await cluster.bootstrap(LIMIT_MS)
  } catch (error) {
    throw withLogs(error, cluster)
  }
})

after(() => cluster?.destroy())

told(
  'postgres 5.2 and 5.5 methods are tried in their order until one succeeds; keep_data keeps what is there',
  async () => {
    const member = await cluster.addMember('n2')
    const broken = script(cluster, 'broken', `mkdir -p ${member.dataDir}; touch ${member.dataDir}/half; exit 3`)
    const second = script(cluster, 'second', `ls ${member.dataDir} > ${cluster.folder}/seen 2>/dev/null; exit 1`)
    const copy = script(cluster, 'copy', basebackupInto(member))
    const after = script(cluster, 'after')
    Object.assign(postgresql(member), {
      create_replica_methods: ['broken', 'second', 'copy', 'after'],
      broken: { command: broken.path, keep_data: true, threshold: 10 },
      second: { command: second.path, keep_data: true, no_params: true, threshold: '20%' },
      copy: { command: `${copy.path} "two words"`, fast: true },
      after: { command: after.path },
    })
    const log = member.logSize()
    await member.start()
    await cluster.healthy(LIMIT_MS)
    const [first] = broken.calls()
    assert.deepEqual(first?.slice(0, -1), [
      '--keep_data=True',
      '--threshold=10',
      '--scope=methods',
      '--role=replica',
      `--datadir=${member.dataDir}`,
    ])
    const connstring = first?.at(-1) ?? ''
    assert.match(connstring, new RegExp(`^--connstring=.*user=${REPLICATION.username}`))
    assert.match(connstring, new RegExp(`port=${cluster.member('n1').pgPort}`))
    assert.doesNotMatch(connstring, /password/)
    assert.ok(broken.environment()['PGPASSFILE'])
    assert.deepEqual(second.calls(), [['--threshold=20%']])
    assert.equal(readFileSync(join(cluster.folder, 'seen'), 'utf8'), 'half\n')
    assert.equal(copy.calls()[0]?.[0], 'two words')
    assert.equal(copy.calls()[0]?.[1], '--fast=True')
    assert.deepEqual(after.calls(), [], 'not needed any more')
    assert.ok(!existsSync(join(member.dataDir, 'half')), 'removed before a method without keep_data')
    const said = member.logSince(log)
    assert.match(said, /Error creating replica using method broken: .* exited with code=3/)
    assert.match(said, /Leaving data directory uncleaned/)
    assert.match(said, /replica has been created using copy/)
    assert.match(said, /bootstrapped from leader 'n1'/)
  },
)

told(
  '4.1, postgres 5.1 clonefrom names the members that new ones are copied from, in place of the leader',
  async () => {
    const source = cluster.member('n2')
    source.config['tags'] = { clonefrom: true }
    source.writeConfig()
    source.signalAgent('SIGHUP')
    await until('the tag is published', LIMIT_MS, async () => {
      const key = await cluster.store.get(cluster.key('members/n2'))
      return (JSON.parse(key ?? '{}') as { tags?: { clonefrom?: boolean } }).tags?.clonefrom === true
    })
    const member = await cluster.addMember('n3')
    await member.start()
    await cluster.healthy(LIMIT_MS)
    assert.match(member.logSince(), /trying to bootstrap from replica 'n2'/)
    assert.match(member.logSince(), /bootstrapped from replica 'n2'/)
    await assertLeads(cluster, cluster.member('n1'))
  },
)

told(
  'postgres 5.4 basebackup takes options as a map: WAL and tablespaces elsewhere, kept apart when remade',
  async () => {
    const leader = cluster.member('n1')
    const from = folder('tablespace-of-n1')
    // On one machine they would make the tablespace in the very same folder.
    for (const name of ['n2', 'n3']) await leave(cluster.member(name))
    await leader.sql(`CREATE TABLESPACE extra LOCATION '${from}'`)
    await leader.sql('CREATE TABLE far_away TABLESPACE extra AS SELECT 1 AS id')
    const member = await cluster.addMember('n4')
    const to = join(folder('of-n4'), 'tablespace')
    const wal = join(cluster.folder, 'of-n4', 'wal')
    postgresql(member)['basebackup'] = {
      checkpoint: 'fast',
      waldir: wal,
      'tablespace-mapping': `${from}=${to}`,
      'max-rate': '900M',
    }
    await member.start()
    await until('n4 streams', LIMIT_MS, async () => (await member.report())?.replication_state === 'streaming')
    assert.equal(readlinkSync(join(member.dataDir, 'pg_wal')), wal)
    const [space] = await leader.sql("SELECT oid::text FROM pg_tablespace WHERE spcname = 'extra'")
    assert.equal(readlinkSync(join(member.dataDir, 'pg_tblspc', String(space?.['oid']))), to)
    const marker = join(member.dataDir, 'marker')
    writeFileSync(marker, '')
    const answer = await member.rest('POST', '/reinitialize', { force: true })
    assert.equal(answer?.status, 200)
    await until('it was made anew', LIMIT_MS, () => !existsSync(marker))
    await until('n4 streams again', LIMIT_MS, async () => (await member.report())?.replication_state === 'streaming')
    assert.equal(readlinkSync(join(member.dataDir, 'pg_wal')), wal)
    assert.deepEqual(await member.sql('SELECT id FROM far_away'), [{ id: 1 }])
    await leave(member)
    await leader.sql('DROP TABLE far_away')
    await leader.sql('DROP TABLESPACE extra')
  },
)

told('4.1 a method with no_leader makes a replica while nobody leads, and it follows whoever leads later', async () => {
  const leader = cluster.member('n1')
  const backup = join(cluster.folder, 'backup')
  const seed = await cluster.addMember('n5')
  takeBackup(cluster, leader, backup)
  await leader.stop(LIMIT_MS)
  const copy = script(cluster, 'leaderless', `rm -rf ${seed.dataDir}; cp -a ${backup} ${seed.dataDir}`)
  Object.assign(postgresql(seed), {
    create_replica_methods: ['basebackup', 'leaderless'],
    leaderless: { command: copy.path, no_leader: 1 },
  })
  await seed.start()
  await until('it was made', LIMIT_MS, () => seed.logSince().includes('bootstrapped (without leader)'))
  assert.match(seed.logSince(), /trying to bootstrap \(without leader\)/)
  assert.ok(copy.calls()[0]?.includes('--no_leader=1'))
  assert.equal(copy.calls()[0]?.at(-1), '--connstring=')
  await leader.start()
  await until('both run', LIMIT_MS, async () => {
    const now = await cluster.leader()
    return (
      now !== null && (await Promise.all([leader, seed].map((m) => m.report()))).every((r) => r?.state === 'running')
    )
  })
  await cluster.healthy(LIMIT_MS)
  assertNoBug(cluster)
})

/** It will not come back, and does not count any more where the members are the store. */
async function leave(member: Member): Promise<void> {
  await member.stop(LIMIT_MS)
  await cluster.store.forget(member.config)
}

function postgresql(member: Member): ConfigDocument {
  return member.config['postgresql'] as ConfigDocument
}

function folder(name: string): string {
  const path = join(cluster.folder, name)
  mkdirSync(path)
  giveTo(serverUser(), path)
  return path
}

/** As a method would do it: the connection is the last argument. */
function basebackupInto(member: Member): string {
  return `${cluster.programs.postgresBin}/pg_basebackup -c fast -D ${member.dataDir} -X stream -d "$(printf '%s' "\${@: -1}" | sed 's/^--connstring=//')"`
}
