import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { after, before, test } from 'node:test'
import type { TestMember } from '../../../test/support/member.ts'
import { follow, Herd, until } from '../../../test/support/pair.ts'
import { leaveRoot, postgresBinDir } from '../../../test/support/postgres.ts'
import { localTimelineHistory } from '../directory-facts.ts'
import { exists } from '../files.ts'
import { readPostmasterFile } from '../postmaster-file.ts'
import { linuxProcessTable } from '../process-table.ts'

const never = new AbortController().signal
const herd = new Herd()
let scripts: string

before(async () => {
  await leaveRoot()
  scripts = await mkdtemp('/tmp/mt-rewind-')
})
after(async () => {
  await herd.removeAll()
  await rm(scripts, { recursive: true, force: true })
})

/** Two primaries that had one history: the first is stopped, the second goes on. */
async function diverged(): Promise<{ readonly old: TestMember; readonly current: TestMember }> {
  const old = await herd.primary('node-1')
  const current = await herd.replicaOf(old, 'node-2')
  assert.equal(await current.server.promote(10_000, never), 'promoted')
  await current.server.checkpoint(never)
  await old.ask('CREATE TABLE public.lost (i int)')
  await current.ask('CREATE TABLE public.kept (i int)')
  await old.server.stop({ mode: 'fast', checkpoint: false, limitMs: null }, never)
  return { old, current }
}

/** Puts a script in the place of pg_rewind; `$DATA` is the data directory, `real` the real one. */
async function replaceTool(member: TestMember, body: string): Promise<void> {
  const binDir = await postgresBinDir()
  const path = join(scripts, `pg_rewind-${member.port}`)
  const real = join(binDir, 'pg_rewind')
  const script = `#!/bin/sh\n[ "$1" = --help ] && exit 0\nDATA=${member.dataDir}\nreal() { exec ${real} "$@"; }\n${body}\n`
  await writeFile(path, script, { mode: 0o755 })
  member.change({ postgresql: { binName: { pg_rewind: relative(binDir, path) } } })
}

async function hasNewHistory(member: TestMember): Promise<void> {
  await until(
    async () => (await member.ask(`SELECT to_regclass('public.kept')::text`)) === 'public.kept',
    'new history',
  )
  assert.equal(await member.ask(`SELECT to_regclass('public.lost')::text`), null)
}

const noteOf = (member: TestMember): string => join(member.root, '.data.unfinished')

test('6.1 and 6.3 to 6.5 a diverged primary is rewound and follows; the note of the work is gone', async () => {
  const { old, current } = await diverged()
  assert.ok(await old.rewind.canRewind(never))
  const local = await old.rewind.localPosition(never)
  assert.equal(local?.timeline, 1)
  assert.equal(local.inRecovery, false)
  const end = await old.rewind.shutdownCheckpointEnd(local, never)
  assert.ok(end > local.lsn && end < local.lsn + 200)
  const source = await old.rewind.source(current.upstream, never)
  assert.equal(source.kind, 'primary')
  if (source.kind !== 'primary') return
  assert.equal(source.timeline, 2)
  assert.equal(source.history[0]?.timeline, 1)
  assert.ok(source.history[0].switchpoint < local.lsn)

  assert.deepEqual(await old.rewind.rewind(current.upstream, never), { kind: 'done' }, old.log.lines.join('\n'))
  assert.ok(old.log.lines.includes('INFO pg_rewind exit code=0'))
  assert.ok(!(await exists(noteOf(old))))
  await follow(old, current)
  await hasNewHistory(old)
  assert.doesNotMatch(old.log.lines.join('\n'), /password=/)
})

test('5.3 two promotions to one number: pg_rewind sees nothing to do, the history files tell them apart', async () => {
  const first = await herd.primary('node-1')
  const early = await herd.replicaOf(first, 'node-2')
  const late = await herd.replicaOf(first, 'node-3')
  assert.equal(await early.server.promote(10_000, never), 'promoted')
  await first.ask('CREATE TABLE public.kept (i int)')
  await until(async () => (await late.ask(`SELECT to_regclass('public.kept')::text`)) === 'public.kept', 'it has more')
  assert.equal(await late.server.promote(10_000, never), 'promoted')
  await late.server.checkpoint(never)
  await early.server.stop({ mode: 'fast', checkpoint: false, limitMs: null }, never)
  const [local, source] = [await early.rewind.localPosition(never), await early.rewind.source(late.upstream, never)]
  assert.ok(source.kind === 'primary' && local?.timeline === source.timeline)
  assert.ok(source.lsn > local.lsn)
  const own = await localTimelineHistory(early.dataDir, local.timeline)
  assert.equal(own?.switches.length, 1)
  assert.notEqual(own.switches[0]?.switchpoint, source.history[0]?.switchpoint)
  assert.deepEqual(await early.rewind.rewind(late.upstream, never), { kind: 'done' })
  assert.match(early.log.lines.join('\n'), /no rewind required/)
  assert.deepEqual(await localTimelineHistory(early.dataDir, local.timeline), own)
})

test('6.3 a source that cannot be asked, or is in recovery, is no source', async () => {
  const first = await herd.primary('node-1')
  const second = await herd.replicaOf(first, 'node-2')
  assert.deepEqual(await first.rewind.source(second.upstream, never), { kind: 'in-recovery' })
  await second.server.stop({ mode: 'fast', checkpoint: false, limitMs: null }, never)
  assert.equal((await first.rewind.source(second.upstream, never)).kind, 'unreachable')
  const outcome = await first.rewind.rewind(second.upstream, never)
  assert.equal(outcome.kind, 'postponed')
})

test('11 a server is asked for its role: one that is silent or refuses to say is not one that has ended', async () => {
  const first = await herd.primary('node-1')
  const second = await herd.replicaOf(first, 'node-2')
  const ask = (limitMs: number) => second.rewind.roleOf(first.upstream, AbortSignal.timeout(limitMs))
  assert.equal(await ask(3000), 'primary')
  assert.equal(await first.rewind.roleOf(second.upstream, AbortSignal.timeout(3000)), 'standby')
  const pid = readPostmasterFile(first.dataDir)?.pid ?? assert.fail('no postmaster')
  process.kill(pid, 'SIGSTOP')
  try {
    await until(async () => linuxProcessTable().stat(pid)?.state === 'T', 'it stands still')
    assert.equal(await ask(500), 'unknown')
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await first.ask('UPDATE pg_authid SET rolcanlogin = false')
  assert.equal(await ask(3000), 'unknown')
  await first.server.stop({ mode: 'fast', checkpoint: false, limitMs: null }, never)
  assert.equal(await ask(3000), 'not-running')
})

test('6.5 a source at rest writes on past the end that the rewound server has to reach', async () => {
  const { old, current } = await diverged()
  assert.deepEqual(await old.rewind.rewind(current.upstream, never), { kind: 'done' }, old.log.lines.join('\n'))
  const end = (await old.server.controlData(never))?.items['Minimum recovery ending location']
  await until(async () => (await current.ask(`SELECT pg_current_wal_flush_lsn() > '${end}'`)) === true, 'it has')
})

test('6.5 pg_rewind that fails before it writes leaves everything as it was', async () => {
  const { old, current } = await diverged()
  await replaceTool(old, 'echo "pg_rewind: error: I do not like this" >&2; exit 1')
  const outcome = await old.rewind.rewind(current.upstream, never)
  assert.deepEqual(outcome, { kind: 'failed', reason: 'pg_rewind exited with code=1', sourceHealthy: true })
  assert.ok(!(await exists(noteOf(old))))
  assert.ok(await exists(old.dataDir))
  await replaceTool(old, 'real "$@"')
  assert.deepEqual(await old.rewind.rewind(current.upstream, never), { kind: 'done' })
})

test('6.5 pg_rewind that fails after it has begun to write leaves nothing that could be started', async () => {
  const { old, current } = await diverged()
  await replaceTool(old, 'for f in $DATA/base/*/pg_filenode.map; do printf x >> $f; done; exit 1')
  const outcome = await old.rewind.rewind(current.upstream, never)
  assert.equal(outcome.kind, 'failed')
  assert.ok(!(await exists(old.dataDir)))
  assert.ok(await exists(`${old.dataDir}.failed`))
  assert.ok(!(await exists(noteOf(old))))
  assert.ok(await old.clone.clone({ source: current.upstream }, never), 'there is room for a copy')
  await follow(old, current)
  await hasNewHistory(old)
})

test('6.5 an agent killed in the middle: the next one does not start the half rewound server, but rewinds it again', async () => {
  const { old, current } = await diverged()
  await replaceTool(old, 'touch $DATA/base/1/pg_filenode.map; echo begun > $DATA/begun; sleep 30')
  const killed = new AbortController()
  const cutOff = old.rewind.rewind(current.upstream, killed.signal)
  await until(() => exists(join(old.dataDir, 'begun')), 'it has begun to write')
  killed.abort()
  assert.equal((await cutOff).kind, 'failed')
  assert.ok(await exists(noteOf(old)), 'what a killed agent leaves behind')

  const request = { upstream: current.upstream, role: 'replica', timeoutMs: null, reload: false } as const
  assert.equal(await old.server.follow(request, never), 'failed')
  assert.equal(await old.server.start({ timeoutMs: null, role: 'primary', callback: false }, never), 'failed')
  assert.ok(
    old.log.lines.some((line) => line.includes('was not started: pg_rewind was cut off while it was changing it')),
  )
  assert.equal(old.server.isAlive(), false)

  await replaceTool(old, 'real "$@"')
  assert.deepEqual(await old.rewind.rewind(current.upstream, never), { kind: 'done' }, old.log.lines.join('\n'))
  assert.ok(!(await exists(noteOf(old))))
  await follow(old, current)
  await hasNewHistory(old)
})

test('6.4 and 6.5 finished segments are archived first, and WAL that is gone comes back from the archive', async () => {
  const archive = await mkdtemp('/tmp/mt-archive-')
  const parameters = { archive_mode: 'on', archive_command: 'false', restore_command: `cp ${archive}/%f "%p"` }
  try {
    const old = await herd.primary('node-1', { parameters })
    const current = await herd.replicaOf(old, 'node-2', { parameters: { restore_command: `cp ${archive}/%f "%p"` } })
    assert.equal(await current.server.promote(10_000, never), 'promoted')
    await current.server.checkpoint(never)
    await old.ask('CREATE TABLE public.lost (i int)')
    const gone = await old.ask('SELECT pg_walfile_name(pg_switch_wal())')
    await current.ask('CREATE TABLE public.kept (i int)')
    await old.server.stop({ mode: 'immediate', checkpoint: false, limitMs: null }, never)
    assert.equal(await old.server.singleUserRecovery(never), 'done', old.log.lines.join('\n'))
    const wal = join(old.dataDir, 'pg_wal')
    await writeFile(join(wal, 'archive_status', `${String(gone)}.ready`), '')
    old.change({ parameters: { ...parameters, archive_command: `cp %p ${archive}/%f` } })
    await old.configuration.apply({ force: true }, never)

    await old.rewind.archiveReadySegments(never)
    assert.ok(await exists(join(archive, String(gone))))
    assert.ok(await exists(join(wal, 'archive_status', `${String(gone)}.done`)))
    await rm(join(wal, String(gone)))
    assert.deepEqual(await old.rewind.rewind(current.upstream, never), { kind: 'done' }, old.log.lines.join('\n'))
    await follow(old, current)
    await hasNewHistory(old)
  } finally {
    await rm(archive, { recursive: true, force: true })
  }
})

test('6.5 an agent killed after pg_rewind had ended: the next one sees that, and starts the server', async () => {
  const { old, current } = await diverged()
  assert.deepEqual(await old.rewind.rewind(current.upstream, never), { kind: 'done' })
  await writeFile(
    noteOf(old),
    JSON.stringify({ kind: 'rewind', fingerprint: 'before', timeline: 2, data_dir: old.dataDir }),
  )
  await follow(old, current)
  assert.ok(old.log.lines.some((line) => line.includes('pg_rewind had come to its end')))
  assert.ok(!(await exists(noteOf(old))))
  await hasNewHistory(old)
})

test('6.8 the segment with the shutdown checkpoint is archived, where anything is', async () => {
  const archive = await mkdtemp('/tmp/mt-archive-')
  try {
    const only = await herd.primary('node-1', {
      parameters: { archive_mode: 'on', archive_command: `cp %p ${archive}/%f` },
    })
    await only.ask('CREATE TABLE public.t (i int)')
    await only.server.stop({ mode: 'fast', checkpoint: false, limitMs: null }, never)
    const segment = (await only.server.controlData(never))?.items["Latest checkpoint's REDO WAL file"] ?? ''
    await rm(join(archive, segment), { force: true })
    assert.equal(await only.rewind.isArchiving(never), true)
    assert.equal(await only.rewind.archiveLatestCheckpoint(never), true)
    assert.ok(await exists(join(archive, segment)))
    only.change({ parameters: { archive_mode: 'off' } })
    await only.configuration.apply({ force: true }, never)
    assert.equal(await only.rewind.isArchiving(never), false)
    assert.equal(await only.rewind.archiveLatestCheckpoint(never), false)
  } finally {
    await rm(archive, { recursive: true, force: true })
  }
})
