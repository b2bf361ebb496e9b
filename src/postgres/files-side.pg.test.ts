import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Herd, until } from '../../test/support/pair.ts'
import { leaveRoot } from '../../test/support/postgres.ts'
import { exists } from './files.ts'

const never = new AbortController().signal
const herd = new Herd()

before(leaveRoot)
after(() => herd.removeAll())

test('4.1 and 4.4 initdb makes a cluster with its users, and no password file is left', async () => {
  const scripts = await mkdtemp('/tmp/mt-scripts-')
  const script = join(scripts, 'post-bootstrap')
  await writeFile(script, '#!/bin/sh\necho "$2" > "$1"\necho "$PGPASSFILE $PGOPTIONS" >> "$1"\n', { mode: 0o755 })
  const out = join(scripts, 'out')
  const first = await herd.primary('node-1', { bootstrap: { postBootstrap: `${script} ${out}` } })
  assert.equal(await first.ask('SELECT current_user'), 'postgres')
  assert.equal(await first.ask(`SELECT rolreplication FROM pg_roles WHERE rolname = 'replicator'`), true)
  assert.equal(
    await first.ask(
      `SELECT has_function_privilege('rewinder', 'pg_read_binary_file(text, bigint, bigint, boolean)', 'execute')`,
    ),
    true,
  )
  assert.equal(await first.ask('SHOW wal_log_hints'), 'on')
  const [conninfo, environment] = (await readFile(out, 'utf8')).split('\n')
  assert.match(conninfo ?? '', /^dbname=postgres user=postgres host=\S+ port=\d+/)
  assert.match(environment ?? '', /pgpass -c synchronous_commit=local -c statement_timeout=0$/)
  assert.ok(await exists(join(first.dataDir, 'postgresql.base.conf')))
  assert.ok(await exists(join(first.dataDir, 'postgresql.conf.backup')))
  assert.equal((await stat(join(first.dataDir, 'postgresql.conf'))).mode & 0o777, 0o600)
  const logged = first.log.lines.join('\n')
  assert.doesNotMatch(logged, /super secret|rep'l/)
  await rm(scripts, { recursive: true })
})

test('5.2 and 2.8 a replica is copied and streams through its slot, with the password in the password file only', async () => {
  const first = await herd.primary()
  const second = await herd.replicaOf(first, 'node-2')
  await until(async () => (await first.ask('SELECT count(*)::int FROM pg_stat_replication')) === 1, 'it streams')
  assert.equal(await first.ask('SELECT application_name FROM pg_stat_replication'), 'node-2')
  assert.equal(await first.ask('SELECT active FROM pg_replication_slots'), true)
  const written = await readFile(join(second.dataDir, 'postgresql.conf'), 'utf8')
  assert.match(
    written,
    /primary_conninfo = 'dbname=postgres user=replicator passfile=\S+ host=127.0.0.1 port=\d+ sslmode=prefer application_name=node-2 gssencmode=prefer channel_binding=prefer'/,
  )
  assert.doesNotMatch(written, /rep'/)
  assert.ok(second.log.lines.includes('INFO replica has been created using basebackup'))

  const seen = async () => {
    second.server.forgetObservation()
    const outcome = await second.server.observe(never)
    return outcome.kind === 'observed' ? outcome.observation : null
  }
  const difference = async (upstream: typeof first.upstream | null) =>
    second.configuration.recoveryDifference(upstream, await seen(), never)
  await until(async () => (await seen())?.walReceiver?.status === 'streaming', 'the receiver streams')
  assert.equal(await difference(first.upstream), 'none')
  assert.equal(await difference(null), 'reload', 'following nobody is another primary_conninfo')

  await writeFile(join(second.root, 'pgpass'), 'something else\n')
  assert.equal(await difference(first.upstream), 'reload', 'the password file has other lines')
  await second.server.follow({ upstream: first.upstream, role: 'replica', timeoutMs: null, reload: true }, never)
  assert.equal(await difference(first.upstream), 'none')

  second.change({ postgresql: { recoveryConf: { restore_command: 'false' } } })
  await second.configuration.apply({ force: false }, never)
  assert.equal(await difference(first.upstream), 'reload')
  await second.server.follow({ upstream: first.upstream, role: 'replica', timeoutMs: null, reload: true }, never)
  assert.equal(await difference(first.upstream), 'none')
  await until(async () => (await second.ask('SHOW restore_command')) === 'false', 'it was reloaded')
})

test('2.13 a change that needs a restart is pending until then, with old and new value', async () => {
  const first = await herd.primary()
  first.change({ parameters: { max_connections: 120, work_mem: '5MB' } })
  await first.configuration.apply({ force: false }, never)
  assert.deepEqual(first.configuration.pendingRestart, { max_connections: { old_value: '100', new_value: '120' } })
  assert.equal(await first.ask('SHOW work_mem'), '5MB')
  assert.ok(first.log.lines.includes("INFO Changed max_connections from '100' to '120' (restart might be required)"))
  assert.ok(first.log.lines.includes("INFO Changed work_mem from '4MB' to '5MB'"))
  await first.configuration.apply({ force: false }, never)
  assert.equal(Object.keys(first.configuration.pendingRestart).length, 1, 'still pending')
  assert.equal(await first.server.restart(null, { callback: true }, never), 'running')
  assert.deepEqual(first.configuration.pendingRestart, {})
  assert.equal(await first.ask('SHOW max_connections'), '120')
  await first.configuration.apply({ force: false }, never)
  assert.equal(first.log.lines.at(-1), 'INFO No PostgreSQL configuration items changed, nothing to reload.')

  await first.ask(`ALTER SYSTEM SET shared_buffers = '9MB'`)
  await first.configuration.apply({ force: true }, never)
  assert.deepEqual(first.configuration.pendingRestart, {
    shared_buffers: { old_value: '8MB', new_value: '9MB' },
  })
})
