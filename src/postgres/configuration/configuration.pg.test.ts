import assert from 'node:assert/strict'
import { readFile, readlink, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, mock, test } from 'node:test'
import type { MemberChanges, TestMember } from '../../../test/support/member.ts'
import { follow, Herd, until } from '../../../test/support/pair.ts'
import { leaveRoot } from '../../../test/support/postgres.ts'

const never = new AbortController().signal
const herd = new Herd()
before(leaveRoot)
after(() => herd.removeAll())

/** The next agent on the same member: it knows nothing, and finds its server running. */
async function restarted(member: TestMember, changes: MemberChanges = {}): Promise<TestMember> {
  const next = await herd.member(member.name, { ...changes, at: member })
  await next.server.adopt(never)
  return next
}

test('1.4 an agent that finds a primary running applies its configuration, and keeps the standbys it waits for', async () => {
  const dynamic = { synchronous_mode: true }
  const first = await herd.primary('node-1', { dynamic })
  await first.configuration.setSynchronousStandbyNames('ANY 1 ("node-2")', never)
  await until(async () => (await first.ask('SHOW synchronous_standby_names')) === 'ANY 1 ("node-2")', 'it waits')
  assert.ok(first.log.lines.includes('INFO Assigning synchronous_standby_names to ANY 1 ("node-2")'))
  first.server.close()
  const next = await restarted(first, { dynamic, parameters: { work_mem: '6MB', max_connections: 150 } })
  assert.equal(next.tools.memory.role, 'primary')
  await until(async () => (await next.ask('SHOW work_mem')) === '6MB', 'the change arrived')
  assert.equal(await next.ask('SHOW synchronous_standby_names'), 'ANY 1 ("node-2")')
  assert.deepEqual(next.configuration.pendingRestart, { max_connections: { old_value: '100', new_value: '150' } })
  assert.ok(next.log.lines.includes("INFO Changed max_connections from '100' to '150' (restart might be required)"))
  assert.deepEqual(
    next.log.lines.filter((line) => line.includes('Changed ') && !/work_mem|max_connections/.test(line)),
    [],
  )
  await next.configuration.setSynchronousStandbyNames(null, never)
  await until(async () => (await next.ask('SHOW synchronous_standby_names')) === '', 'it waits for nobody')
})

test('1.4 an agent that finds a standby running leaves its files alone until it knows whom to follow, then writes them once', async () => {
  const first = await herd.primary('node-1')
  const second = await herd.replicaOf(first, 'node-2')
  second.server.close()
  const path = join(second.dataDir, 'postgresql.conf')
  const before = await readFile(path, 'utf8')
  const next = await restarted(second, { parameters: { work_mem: '7MB' } })
  assert.equal(next.tools.memory.role, 'replica')
  assert.equal(await readFile(path, 'utf8'), before)
  const seen = await next.server.observe(never)
  const observation = seen.kind === 'observed' ? seen.observation : null
  assert.equal(await next.configuration.recoveryDifference(first.upstream, observation, never), 'reload')
  await next.server.follow({ upstream: first.upstream, role: 'replica', timeoutMs: null, reload: true }, never)
  assert.equal(await next.configuration.recoveryDifference(first.upstream, observation, never), 'none')
  await until(async () => (await next.ask('SHOW work_mem')) === '7MB', 'it was written')
  assert.match(await readFile(path, 'utf8'), /primary_slot_name = 'node_2'/)
})

test('2.2 a standby starts with the greater settings that its primary had', async () => {
  const first = await herd.primary('node-1', { parameters: { max_connections: 130 } })
  const second = await herd.replicaOf(first, 'node-2')
  assert.equal(await second.ask('SHOW max_connections'), '130')
  assert.deepEqual(second.configuration.pendingRestart, { max_connections: { old_value: '130', new_value: '100' } })
})

test('3.2 a standby that PostgreSQL 14 has paused, because its primary was given more, goes on to its end and starts with as much', async () => {
  const first = await herd.primary('node-1')
  const second = await herd.replicaOf(first, 'node-2')
  first.server.close()
  const next = await restarted(first, { parameters: { max_connections: 130 } })
  assert.equal(await next.server.restart(null, { callback: false }, never), 'running')
  await until(async () => (await second.ask('SELECT pg_is_wal_replay_paused()::int')) === 1, 'it paused itself')
  await second.server.resumeReplay(never)
  await until(async () => !second.server.isAlive(), 'it ended')
  assert.ok(
    second.log.lines.includes('INFO Resuming paused WAL replay for PostgreSQL 14+'),
    second.log.lines.join('\n'),
  )
  await follow(second, next)
  assert.equal(await second.ask('SHOW max_connections'), '130')
})

test('2.12 recovery settings set by ALTER SYSTEM do not survive the next write, others do', async () => {
  const first = await herd.primary('node-1')
  await first.ask(`ALTER SYSTEM SET primary_conninfo = 'host=nowhere'`)
  await first.ask(`ALTER SYSTEM SET work_mem = '9MB'`)
  await first.configuration.apply({ force: true }, never)
  const text = await readFile(join(first.dataDir, 'postgresql.auto.conf'), 'utf8')
  assert.doesNotMatch(text, /primary_conninfo/)
  assert.match(text, /work_mem = '9MB'/)
})

test('2.5 values that the server would refuse do not keep it from starting', async () => {
  const parameters = { work_mem: 'lots', no_such_parameter: 1, 'my.own': "it's", log_min_duration_statement: -5 }
  const first = await herd.primary('node-1', { parameters })
  assert.equal(await first.ask('SHOW my.own'), "it's")
  assert.equal(await first.ask('SHOW log_min_duration_statement'), '-1')
  for (const text of [
    'Removing integer parameter=work_mem from the config due to the invalid value=lots',
    'Removing unexpected parameter=no_such_parameter value=1 from the config',
    'Value=-5 of parameter=log_min_duration_statement is too low, increasing to -1ms',
  ])
    assert.ok(first.log.lines.includes(`WARNING ${text}`), text)
})

test('2.1 configuration outside the data directory, behind a symbolic link, stays where it is', async () => {
  const first = await herd.primary('node-1')
  const path = join(first.dataDir, 'postgresql.conf')
  const elsewhere = join(first.root, 'real.conf')
  await rename(path, elsewhere)
  await symlink(elsewhere, path)
  first.change({ parameters: { work_mem: '8MB' } })
  await first.configuration.apply({ force: false }, never)
  assert.equal(await readlink(path), elsewhere)
  assert.match(await readFile(elsewhere, 'utf8'), /work_mem = '8MB'/)
  await until(async () => (await first.ask('SHOW work_mem')) === '8MB', 'it was loaded')
})

test('2.4 a copied file of ours without its original does not include itself', async () => {
  const first = await herd.primary('node-1')
  await first.server.stop({ mode: 'fast', checkpoint: false, limitMs: null }, never)
  await rename(join(first.dataDir, 'postgresql.base.conf'), join(first.root, 'base'))
  assert.equal(await first.server.start({ timeoutMs: null, role: 'primary', callback: false }, never), 'running')
  assert.equal(await readFile(join(first.dataDir, 'postgresql.base.conf'), 'utf8'), '')
})

test('2.6 access rules are written as configured, and a change of them is a reload', async () => {
  const first = await herd.primary('node-1')
  const rules = ['local all all trust', '# new']
  first.change({ postgresql: { pgHba: rules, pgIdent: ['map a b'] } })
  await first.configuration.apply({ force: false }, never)
  const header = '# Do not edit this file manually!\n# It will be overwritten by Patroni!\n'
  assert.equal(await readFile(join(first.dataDir, 'pg_hba.conf'), 'utf8'), `${header}${rules.join('\n')}\n`)
  assert.equal(await readFile(join(first.dataDir, 'pg_ident.conf'), 'utf8'), `${header}map a b\n`)
  assert.equal(first.log.lines.at(-1), 'INFO Reloading PostgreSQL configuration.')
  await writeFile(join(first.root, 'hba'), 'local all all trust\n')
  first.change({ parameters: { hba_file: join(first.root, 'hba') }, postgresql: { pgHba: ['local all all reject'] } })
  await first.configuration.apply({ force: true }, never)
  assert.equal(await readFile(join(first.root, 'hba'), 'utf8'), 'local all all trust\n')
})

test('14.4 a change that passes us by and needs a restart is seen when the server has read it', async () => {
  const first = await herd.primary('node-1')
  const loaded = async () => {
    first.server.forgetObservation()
    const seen = await first.server.observe(never)
    return seen.kind === 'observed' ? (seen.observation.configurationLoadedAt ?? null) : null
  }
  await first.configuration.noticeReload(await loaded(), never)
  assert.deepEqual(first.configuration.pendingRestart, {})
  await first.ask(`ALTER SYSTEM SET shared_buffers = '9MB'`)
  const before = await loaded()
  await first.ask('SELECT pg_reload_conf()')
  await until(async () => (await loaded()) !== before, 'it was read')
  const asked = mock.method(first.server.sql, 'query')
  await first.configuration.noticeReload(await loaded(), never)
  const questions = asked.mock.callCount()
  const pending = { shared_buffers: { old_value: '8MB', new_value: '9MB' } }
  assert.deepEqual(first.configuration.pendingRestart, pending)
  await first.configuration.noticeReload(await loaded(), never)
  assert.equal(asked.mock.callCount(), questions + 1, 'only the observation itself')
  asked.mock.restore()
  assert.deepEqual(first.configuration.pendingRestart, pending)
})
