import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { Cluster } from '../../lab/cluster.ts'
import { type ConfigDocument, type Member } from '../../lab/member.ts'
import { giveTo, serverUser } from '../../lab/server-user.ts'
import { until } from '../../lab/wait.ts'
import { takeBackup } from '../support/backup.ts'
import { assertLeads, assertNoBug } from '../support/looks.ts'
import { type Script, script } from '../support/scripts.ts'
import { testStore } from '../support/store.ts'
import { story, withLogs } from '../support/story.ts'

const TIMING = { ttl: 20, loopWait: 1, retryTimeout: 3 }
const LIMIT_MS = 60_000

/** The cluster whose backup and archive the others begin with. */
let origin: Cluster
let postBootstrap: Script
let archive: string
let backup: string
const told = (title: string, tell: () => Promise<void>): void => story(title, () => origin, tell)

before(async () => {
  origin = await Cluster.create({
    checkout: process.cwd(),
    store: testStore(),
    scope: 'origin',
    members: ['n1'],
    timing: TIMING,
    purpose: 'origin',
  })
  archive = folder(origin, 'archive')
  backup = join(origin.folder, 'backup')
  postBootstrap = script(
    origin,
    'post-bootstrap',
    'psql -X -d "$1" -c "CREATE TABLE made_by_script AS SELECT current_user AS by"',
  )
  const [first] = origin.members
  assert.ok(first)
  section(first, 'postgresql')['parameters'] = {
    ...(section(first, 'postgresql')['parameters'] as ConfigDocument),
    archive_mode: 'on',
    archive_command: `cp %p ${archive}/%f`,
  }
  Object.assign(section(first, 'bootstrap'), {
    post_bootstrap: postBootstrap.path,
    initdb: { encoding: 'UTF8', waldir: join(folder(origin, 'wal'), 'n1') },
  })
  try {
    await origin.bootstrap(LIMIT_MS)
    takeBackup(origin, first, backup)
  } catch (error) {
    throw withLogs(error, origin)
  }
})

after(() => origin?.destroy())

told('postgres 4.1 initdb takes its options as a map too, here a WAL directory elsewhere', async () => {
  const first = origin.member('n1')
  assert.equal(readlinkSync(join(first.dataDir, 'pg_wal')), join(origin.folder, 'wal', 'n1'))
  const [row] = await first.sql('SHOW server_encoding')
  assert.equal(row?.['server_encoding'], 'UTF8')
})

told('postgres 4.4 post_bootstrap gets one connection string without password, and its environment', async () => {
  const first = origin.member('n1')
  const [call, ...more] = postBootstrap.calls()
  assert.deepEqual(more, [], 'once')
  assert.equal(call?.length, 1)
  assert.match(call?.[0] ?? '', /(^| )user=postgres( |$)/)
  assert.match(call?.[0] ?? '', new RegExp(`(^| )port=${first.pgPort}( |$)`))
  assert.doesNotMatch(call?.[0] ?? '', /password/)
  const env = postBootstrap.environment()
  assert.equal(env['PGOPTIONS'], '-c synchronous_commit=local -c statement_timeout=0')
  assert.ok(env['PGPASSFILE'], 'a password file')
  assert.deepEqual(await first.sql('SELECT "by" FROM made_by_script'), [{ by: 'postgres' }])
})

told('4.2 a custom method with recovery_conf makes a new cluster from a backup up to a point in time', async () => {
  const first = origin.member('n1')
  await first.sql('CREATE TABLE kept AS SELECT 1 AS id')
  await first.sql("SELECT pg_create_restore_point('here')")
  await first.sql('CREATE TABLE too_late AS SELECT 1 AS id')
  await archived(first)
  const restored = await clusterFrom('pitr', (cluster) => {
    const restore = script(cluster, 'restore', restoreBody())
    const bootstrap = {
      method: 'from_backup',
      from_backup: {
        command: `${restore.path} first`,
        recovery_conf: {
          restore_command: `cp ${archive}/%f %p`,
          recovery_target_name: 'here',
          recovery_target_action: 'promote',
          recovery_target_timeline: 'latest',
        },
        speed: 'fast',
      },
    }
    return { bootstrap, restore }
  })
  try {
    const { cluster, member, restore } = restored
    assert.deepEqual(restore.calls(), [['first', '--scope=pitr', `--datadir=${member.dataDir}`, '--speed=fast']])
    assert.deepEqual(await tables(member), ['kept', 'made_by_script'])
    assert.equal((await member.report())?.timeline, 2)
    assert.ok(!existsSync(join(member.dataDir, 'recovery.signal')))
    const written = readFileSync(join(member.dataDir, 'postgresql.conf'), 'utf8')
    assert.doesNotMatch(written, /recovery_target_name/, 'the target is not kept for later')
    await assertLeads(cluster, member)
    assertNoBug(cluster)
  } finally {
    await restored.cluster.destroy()
  }
})

told(
  '4.2 no_params leaves our arguments out; keep_existing_recovery_conf leaves the recovery to the script',
  async () => {
    const restored = await clusterFrom('kept', (cluster, member) => {
      const own = [
        `echo "restore_command = 'cp ${archive}/%f %p'" >> ${member.dataDir}/postgresql.auto.conf`,
        `echo "recovery_target = 'immediate'" >> ${member.dataDir}/postgresql.auto.conf`,
        `echo "recovery_target_action = 'promote'" >> ${member.dataDir}/postgresql.auto.conf`,
        `touch ${member.dataDir}/recovery.signal`,
      ]
      const restore = script(cluster, 'restore', [restoreInto(member.dataDir), ...own].join('\n'))
      const bootstrap = {
        method: 'mine',
        mine: { command: restore.path, no_params: true, keep_existing_recovery_conf: true, how: 'so' },
      }
      return { bootstrap, restore }
    })
    try {
      assert.deepEqual(restored.restore.calls(), [['--how=so']])
      assert.deepEqual(await tables(restored.member), ['made_by_script'], 'recovered to the end of the backup only')
      assert.equal((await restored.member.report())?.timeline, 2)
      await assertLeads(restored.cluster, restored.member)
      assertNoBug(restored.cluster)
    } finally {
      await restored.cluster.destroy()
    }
  },
)

told(
  '4.3 a custom method that fails leaves neither a key nor a server, and the agent ends with a failure',
  async () => {
    await failingBootstrap('failing', (cluster) => ({
      bootstrap: { method: 'mine', mine: { command: script(cluster, 'restore', 'exit 7').path } },
    }))
  },
)

told('4.3 a post_bootstrap that fails does so as well, and moves the data directory aside', async () => {
  await failingBootstrap(
    'post-failing',
    (cluster) => ({ bootstrap: { post_bootstrap: script(cluster, 'post', 'exit 3').path } }),
    (member) => {
      assert.ok(existsSync(join(`${member.dataDir}.failed`, 'PG_VERSION')), 'kept for a look')
      assert.ok(!existsSync(member.dataDir))
    },
  )
})

function section(member: Member, name: string): ConfigDocument {
  return member.config[name] as ConfigDocument
}

function folder(cluster: Cluster, name: string): string {
  const path = join(cluster.folder, name)
  mkdirSync(path)
  giveTo(serverUser(), path)
  return path
}

/** Waits until what was written so far is in the archive. */
async function archived(member: Member): Promise<void> {
  const [row] = await member.sql('SELECT pg_walfile_name(pg_switch_wal()) AS file')
  await until('the WAL is archived', LIMIT_MS, () => existsSync(join(archive, String(row?.['file']))))
}

function restoreInto(dataDir: string): string {
  return `cp -a ${backup} ${dataDir}`
}

/** The data directory is what the agent says. */
function restoreBody(): string {
  return `for arg in "$@"; do case "$arg" in --datadir=*) cp -a ${backup} "\${arg#--datadir=}";; esac; done`
}

interface Recipe {
  readonly bootstrap: ConfigDocument
}

async function prepared<R extends Recipe>(
  scope: string,
  recipe: (cluster: Cluster, member: Member) => R,
): Promise<{ readonly cluster: Cluster; readonly member: Member; readonly recipe: R }> {
  const cluster = await Cluster.create({
    checkout: process.cwd(),
    store: testStore(),
    scope,
    members: ['m1'],
    timing: TIMING,
    purpose: scope,
  })
  const member = cluster.member('m1')
  const made = recipe(cluster, member)
  Object.assign(section(member, 'bootstrap'), made.bootstrap)
  return { cluster, member, recipe: made }
}

async function clusterFrom(
  scope: string,
  recipe: (cluster: Cluster, member: Member) => Recipe & { readonly restore: Script },
): Promise<{ readonly cluster: Cluster; readonly member: Member; readonly restore: Script }> {
  const { cluster, member, recipe: made } = await prepared(scope, recipe)
  try {
    await cluster.bootstrap(LIMIT_MS)
  } catch (error) {
    await cluster.destroy()
    throw withLogs(error, cluster)
  }
  return { cluster, member, restore: made.restore }
}

async function failingBootstrap(
  scope: string,
  recipe: (cluster: Cluster) => Recipe,
  look: (member: Member) => void = () => {},
): Promise<void> {
  const { cluster, member } = await prepared(scope, recipe)
  try {
    await member.start()
    const exit = await member.agentEnd()
    assert.ok(exit.code !== null && exit.code > 0, `ended with ${exit.code}`)
    const log = member.logSince()
    assert.match(log, /removing initialize key after failed attempt to bootstrap the cluster/)
    assert.match(log, /Failed to bootstrap cluster/)
    assert.equal(await cluster.store.get(cluster.key('initialize')), null)
    assert.equal(await cluster.store.get(cluster.key('leader')), null)
    assert.equal(member.postmasterPid(), null)
    assertNoBug(cluster)
    look(member)
  } finally {
    await cluster.destroy()
  }
}

async function tables(member: Member): Promise<readonly unknown[]> {
  const rows = await member.sql(
    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1",
  )
  return rows.map((row) => row['relname'])
}
