import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach } from 'node:test'
import { Cluster } from '../../lab/cluster.ts'
import type { ConfigDocument, Member } from '../../lab/member.ts'
import { processTitle, processTree, signalAll } from '../../lab/processes.ts'
import { giveTo, serverUser } from '../../lab/server-user.ts'
import { sleep, until } from '../../lab/wait.ts'
import { assertLeads, assertNoBug } from '../support/looks.ts'
import { interceptProgram } from '../support/programs.ts'
import { testStore } from '../support/store.ts'
import { story, withLogs } from '../support/story.ts'

const TIMING = { ttl: 20, loopWait: 1, retryTimeout: 3 }
const LIMIT_MS = 60_000

let cluster: Cluster
let archive: string
const told = (title: string, tell: () => Promise<void>): void => story(title, () => cluster, tell)

before(async () => {
  cluster = await Cluster.create({
    checkout: process.cwd(),
    store: testStore(),
    scope: 'rejoin',
    members: ['n1', 'n2'],
    timing: TIMING,
    purpose: 'rejoin',
  })
  archive = join(cluster.folder, 'archive')
  mkdirSync(archive)
  giveTo(serverUser(), archive)
  for (const member of cluster.members) {
    interceptProgram(cluster, member, 'pg_rewind', [
      'if [ "$1" = --help ]; then exec "$real" "$@"; fi',
      'data=; for word in "$@"; do [ "$last" = -D ] && data="$word"; last="$word"; done',
      // Half of its work, as far as anybody can see from outside, and then it stands still.
      `if [ -e ${order(member, 'hang')} ]; then rm ${order(member, 'hang')}; for f in "$data"/base/*/pg_filenode.map; do printf x >> "$f"; done; exec sleep 600; fi`,
      `if [ -e ${order(member, 'fail')} ]; then rm ${order(member, 'fail')}; echo 'pg_rewind: error: no' >&2; exit 1; fi`,
    ])
    Object.assign(member.config['postgresql'] as ConfigDocument, {
      recovery_conf: { restore_command: `cp ${archive}/%f %p` },
    })
    const section = member.config['postgresql'] as { parameters: ConfigDocument }
    Object.assign(section.parameters, {
      archive_mode: 'on',
      archive_command: `test ! -e ${archive}/closed && cp %p ${archive}/%f`,
    })
  }
  try {
    await cluster.bootstrap(LIMIT_MS)
  } catch (error) {
    throw withLogs(error, cluster)
  }
})

/** A case that failed must not take the next ones with it. */
beforeEach(() => cluster.revive())

after(() => cluster?.destroy())

told('5.2 what a rewind will throw away is said, with its place and its size, before it is gone', async () => {
  const { old, next, from } = await diverged()
  await old.start()
  assert.equal(await cluster.healthy(LIMIT_MS), next)
  const log = old.logSince(from)
  const lines = log.split('\n')
  const said = lines.findIndex((line) =>
    /\d+ bytes of WAL on timeline \d+ from [0-9A-F]+\/[0-9A-F]+ to [0-9A-F]+\/[0-9A-F]+/.test(line),
  )
  const done = lines.findIndex((line) => line.includes('pg_rewind exit code=0'))
  assert.ok(said >= 0 && said < done, log)
  await assertOneHistory(next)
})

told(
  '5.2 an agent killed in the middle of pg_rewind: the half-made server never starts, the next agent repairs it',
  async () => {
    const { old, next, from } = await diverged()
    writeFileSync(order(old, 'hang'), '')
    await old.start()
    await until('pg_rewind stands still', LIMIT_MS, () => !existsSync(order(old, 'hang')) && sleeper(old) !== null)
    const left = sleeper(old)
    old.signalAgent('SIGKILL')
    await old.agentEnd()
    if (left !== null) signalAll([left], 'SIGKILL')
    assert.equal(old.postmasterPid(), null)
    const again = old.logSize()
    await old.start()
    assert.equal(await cluster.healthy(LIMIT_MS), next)
    const log = old.logSince(again)
    const started = log.indexOf('starting PostgreSQL')
    const repaired = Math.max(
      log.indexOf('pg_rewind exit code=0'),
      log.indexOf('replica has been created using basebackup'),
    )
    assert.ok(repaired >= 0 && repaired < started, log)
    assert.ok(old.logSince(from).length > 0)
    await assertOneHistory(next)
  },
)

told('5.2 an agent and its pg_rewind killed together, as by a power loss: the same', async () => {
  const { old, next } = await diverged()
  writeFileSync(order(old, 'hang'), '')
  await old.start()
  await until('pg_rewind stands still', LIMIT_MS, () => !existsSync(order(old, 'hang')) && sleeper(old) !== null)
  await old.killHost()
  const again = old.logSize()
  await old.start()
  assert.equal(await cluster.healthy(LIMIT_MS), next)
  const log = old.logSince(again)
  const started = log.indexOf('starting PostgreSQL')
  const repaired = Math.max(
    log.indexOf('pg_rewind exit code=0'),
    log.indexOf('replica has been created using basebackup'),
  )
  assert.ok(repaired >= 0 && repaired < started, log)
  await assertOneHistory(next)
})

told(
  '5.2 an agent killed in the middle of pg_basebackup: the half-made copy never starts, the next agent makes another',
  async () => {
    const leader = await cluster.healthy(LIMIT_MS)
    const replica = other(leader)
    await leader.sql('CREATE TABLE bulk AS SELECT repeat(md5(i::text), 30) AS text FROM generate_series(1, 30000) AS i')
    const section = replica.config['postgresql'] as ConfigDocument
    section['basebackup'] = [{ checkpoint: 'fast' }, { 'max-rate': '4M' }]
    replica.writeConfig()
    replica.signalAgent('SIGHUP')
    await sleep(1500)
    assert.equal((await replica.rest('POST', '/reinitialize', {}))?.status, 200)
    await until('half of it is there', LIMIT_MS, () => existsSync(join(replica.dataDir, 'PG_VERSION')))
    await sleep(1000)
    assert.ok(!existsSync(join(replica.dataDir, 'global', 'pg_control')), 'the last file is not there yet')
    await replica.killHost()
    section['basebackup'] = [{ checkpoint: 'fast' }]
    const from = replica.logSize()
    await replica.start()
    assert.equal(await cluster.healthy(LIMIT_MS), leader)
    const log = replica.logSince(from)
    const copied = log.indexOf('replica has been created using basebackup')
    assert.ok(copied >= 0 && copied < log.indexOf('starting PostgreSQL'), log)
    await leader.sql('DROP TABLE bulk')
  },
)

told('postgres 6.5 a rewind that needs WAL which only the archive has gets it from there', async () => {
  const leader = await cluster.healthy(LIMIT_MS)
  // The last checkpoint that both will have, in a segment of its own.
  await leader.sql('CHECKPOINT')
  const [row] = await leader.sql('SELECT pg_walfile_name(pg_switch_wal()) AS file')
  const segment = String(row?.['file'])
  await until('it is archived', LIMIT_MS, () => existsSync(join(archive, segment)))
  // Otherwise the other one would get all the rest of this timeline from the archive, and nothing would diverge.
  const closed = join(archive, 'closed')
  writeFileSync(closed, '')
  const { old, next, from } = await diverged({ checkpointAfter: true })
  rmSync(closed)
  rmSync(join(old.dataDir, 'pg_wal', segment), { force: true })
  await old.start()
  assert.equal(await cluster.healthy(LIMIT_MS), next)
  const log = old.logSince(from)
  assert.match(log, /pg_rewind exit code=0/)
  assert.doesNotMatch(log, /replica has been created/)
  await assertOneHistory(next)
})

told('5.3, postgres 6.2 remove_data_directory_on_rewind_failure: a failed rewind makes room for a copy', async () => {
  const { old, next, from } = await diverged()
  ;(old.config['postgresql'] as ConfigDocument)['remove_data_directory_on_rewind_failure'] = true
  writeFileSync(order(old, 'fail'), '')
  await old.start()
  assert.equal(await cluster.healthy(LIMIT_MS), next)
  const log = old.logSince(from)
  assert.match(log, new RegExp(`ERROR: Failed to rewind from healthy primary: ${next.name}`))
  assert.match(log, /remove_data_directory_on_rewind_failure is set. removing.../)
  assert.match(log, /replica has been created using basebackup/)
  await assertOneHistory(next)
  delete (old.config['postgresql'] as ConfigDocument)['remove_data_directory_on_rewind_failure']
})

told(
  '5.3 a store put back from a backup lets two members begin a timeline of one number: the later one is copied anew',
  async () => {
    const { old, next } = await diverged()
    const number = (await next.report())?.timeline
    await next.killHost()
    await until('the store forgets it', LIMIT_MS, async () =>
      (await keysOf(next, old)).every((value) => value === null),
    )
    // A backup from before the first promotion knows of none, and no archive tells the number.
    for (const file of readdirSync(archive)) rmSync(join(archive, file))
    for (const key of ['status', 'history', 'sync', 'failsafe']) await cluster.store.delete(cluster.key(key))
    await old.start()
    assert.equal(await cluster.writable(LIMIT_MS), old)
    await until('its promotion is told', LIMIT_MS, async () => (await old.report())?.timeline === number)
    await old.sql('CREATE TABLE on_the_second AS SELECT 1 AS id')
    const from = next.logSize()
    await next.start()
    assert.equal(await cluster.healthy(LIMIT_MS), old)
    const log = next.logSince(from)
    assert.match(
      log,
      new RegExp(`Timeline ${number} here and timeline ${number} of ${old.name} are two histories of one number`),
    )
    assert.match(log, /replica has been created using basebackup/)
    assert.doesNotMatch(log, /pg_rewind exit code/)
    await assertOneHistory(old, { gone: 'after_failover', there: 'on_the_second' })
    await old.sql('DROP TABLE on_the_second')
    assertNoBug(cluster)
  },
)

told('5.2 remove_data_directory_on_diverged_timelines: without pg_rewind a diverged member is made anew', async () => {
  const leader = await cluster.healthy(LIMIT_MS)
  const change = { postgresql: { use_pg_rewind: false, remove_data_directory_on_diverged_timelines: true } }
  assert.equal((await leader.rest('PATCH', '/config', change))?.status, 200)
  await sleep(2500)
  const { old, next, from } = await diverged()
  await old.start()
  // Until the histories have been compared PostgreSQL itself sees nothing wrong, and streams.
  await until('it was made anew', LIMIT_MS, () =>
    old.logSince(from).includes('replica has been created using basebackup'),
  )
  assert.equal(await cluster.healthy(LIMIT_MS), next)
  const log = old.logSince(from)
  const said = log.search(/\d+ bytes of WAL on timeline \d+ from /)
  const made = log.indexOf('reinitializing due to diverged timelines')
  assert.ok(said >= 0 && made >= 0 && said < log.indexOf('replica has been created using basebackup'), log)
  await assertOneHistory(next)
  assertNoBug(cluster)
})

function other(than: Member): Member {
  const found = cluster.members.find((member) => member !== than)
  assert.ok(found)
  return found
}

function keysOf(...members: readonly Member[]): Promise<readonly (string | null)[]> {
  const keys = [...members.map(({ name }) => `members/${name}`), 'leader']
  return Promise.all(keys.map((key) => cluster.store.get(cluster.key(key))))
}

function order(member: Member, what: string): string {
  return join(cluster.folder, `${what}-${member.name}`)
}

/** The pg_rewind of this member that stands still. */
function sleeper(member: Member): number | null {
  const agent = member.agentPid
  const tree = agent === null ? [] : processTree(agent)
  return tree.find((pid) => processTitle(pid).includes('sleep 600')) ?? null
}

/** A primary that was lost with rows that nobody else has, and the one that leads now. */
async function diverged({ checkpointAfter = false } = {}): Promise<{
  readonly old: Member
  readonly next: Member
  /** Where the old one's log was. */
  readonly from: number
}> {
  const old = await cluster.healthy(LIMIT_MS)
  const next = other(old)
  await old.sql('DROP TABLE IF EXISTS only_here, after_failover')
  await sleep(300)
  const senders = processTree(old.postmasterPid() ?? 0).filter((pid) => processTitle(pid).includes('walsender'))
  assert.equal(senders.length, 1)
  signalAll(senders, 'SIGSTOP')
  await old.sql('CREATE TABLE only_here AS SELECT generate_series(1, 1000) AS id')
  if (checkpointAfter) {
    await old.sql('SELECT pg_switch_wal()')
    await old.sql('CHECKPOINT')
  }
  const from = old.logSize()
  await old.killHost()
  await until('the other one can be written to', LIMIT_MS, async () => {
    const [found] = await next.sql('SELECT pg_is_in_recovery() AS standby')
    return found?.['standby'] === false
  })
  await next.sql('CREATE TABLE after_failover AS SELECT 1 AS id')
  await next.sql('CHECKPOINT')
  return { old, next, from }
}

/** Both have what the leader has, and nothing else. */
async function assertOneHistory(
  leader: Member,
  { gone, there } = { gone: 'only_here', there: 'after_failover' },
): Promise<void> {
  await assertLeads(cluster, leader)
  for (const member of cluster.members)
    await until(`${member.name} has the history of the leader`, LIMIT_MS, async () => {
      const [row] = await member.sql(`SELECT to_regclass('${gone}') AS gone, to_regclass('${there}') AS there`)
      return row?.['gone'] === null && row['there'] !== null
    })
}
