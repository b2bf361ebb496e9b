import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { TestMember } from '../../../test/support/member.ts'
import { follow, Herd } from '../../../test/support/pair.ts'
import { leaveRoot, postgresBinDir } from '../../../test/support/postgres.ts'
import { recordedLog } from '../../../test/support/server.ts'
import type { CloneProgress } from '../../ports/control.ts'
import type { Upstream } from '../../ports/postgres.ts'
import { exists } from '../files.ts'
import { moveDataDirectoryAside, removeDataDirectory } from './remove-data-directory.ts'

const never = new AbortController().signal
const herd = new Herd()
let scripts: string
let source: TestMember

before(async () => {
  await leaveRoot()
  scripts = await mkdtemp('/tmp/mt-clone-')
  source = await herd.primary('node-1')
})
after(async () => {
  await herd.removeAll()
  await rm(scripts, { recursive: true, force: true })
})

async function script(name: string, body: string): Promise<string> {
  const path = join(scripts, name)
  await writeFile(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 })
  return path
}

const NOBODY = { username: 'nobody', password: 'x', options: {} } as const

const noteOf = (member: TestMember): string => join(member.root, '.data.unfinished')

test('5.2 methods are tried in their order, with their options, until one works', async () => {
  const seen = join(scripts, 'seen')
  const bad = await script('bad', 'exit 3')
  const own = await script(
    'own',
    `for a in "$@"; do echo "$a"; done > ${seen}\nfor a in "$@"; do case $a in --datadir=*) D=\${a#--datadir=};; --connstring=*) C=\${a#--connstring=};; esac; done
exec ${await postgresBinDir()}/pg_basebackup -D "$D" -d "$C" -c fast --no-sync`,
  )
  const member = await herd.member('node-2', {
    postgresql: {
      createReplicaMethods: ['bad', 'my', 'basebackup'],
      methodSections: {
        bad: { command: bad },
        my: { command: `${own} 'first word'`, threshold_megabytes: 10240, no_leader: 1, 'dashed-key': true },
      },
    },
  })
  assert.ok(await member.clone.clone({ source: source.upstream }, never), member.log.lines.join('\n'))
  assert.deepEqual((await readFile(seen, 'utf8')).trim().split('\n'), [
    'first word',
    '--threshold_megabytes=10240',
    '--no_leader=1',
    '--dashed-key=True',
    '--scope=demo',
    '--role=replica',
    `--datadir=${member.dataDir}`,
    `--connstring=dbname=postgres user=replicator host=127.0.0.1 port=${source.port}`,
  ])
  assert.ok(member.log.lines.includes(`ERROR Error creating replica using method bad: ${bad} exited with code=3`))
  assert.ok(member.log.lines.includes('INFO replica has been created using my'))
  assert.equal(member.tools.memory.state, 'stopped')
  assert.ok(!(await exists(noteOf(member))))
  await follow(member, source)
})

test('5.3 while a base backup runs it tells how many bytes of how many it has', async () => {
  const member = await herd.member('node-6', { postgresql: { basebackup: [{ 'max-rate': '8M' }] } })
  const seen: CloneProgress[] = []
  const end = new AbortController()
  const looking = (async () => {
    while (!end.signal.aborted) {
      if (member.clone.progress) seen.push(member.clone.progress)
      await new Promise((r) => setTimeout(r, 50))
    }
  })()
  assert.ok(await member.clone.clone({ source: source.upstream }, never), member.log.lines.join('\n'))
  end.abort()
  await looking
  assert.equal(member.clone.progress, null)
  const totals = new Set(seen.map(({ totalBytes }) => totalBytes))
  assert.ok((seen.at(-1)?.totalBytes ?? 0) > 1_000_000, [...totals].join(' '))
  assert.ok(seen.some(({ doneBytes, totalBytes }) => doneBytes > 0 && totalBytes !== null && doneBytes < totalBytes))
})

test('5.2 without a source only methods that need none are run; a failed one leaves nothing, unless it keeps data', async () => {
  const half = await script(
    'half',
    'for a in "$@"; do case $a in --datadir=*) D=${a#--datadir=};; esac; done\nmkdir -p $D; echo x > $D/half; exit 1',
  )
  const seen = join(scripts, 'never')
  const other = await script('other', `touch ${seen}`)
  const sections = { half: { command: half, no_leader: true }, other: { command: other } }
  const member = await herd.member('node-3', {
    postgresql: { createReplicaMethods: ['other', 'half', 'basebackup'], methodSections: sections },
  })
  assert.equal(await member.clone.clone({ source: null }, never), false)
  assert.ok(!(await exists(seen)))
  assert.ok(!(await exists(member.dataDir)))
  member.change({
    postgresql: {
      createReplicaMethods: ['half'],
      methodSections: {
        half: { command: `${half} --datadir=${member.dataDir}`, no_leader: 1, keep_data: 1, no_params: 1 },
      },
    },
  })
  assert.equal(await member.clone.clone({ source: null }, never), false)
  assert.ok(await exists(join(member.dataDir, 'half')))
  assert.equal(await member.clone.clone({ source: null }, never), false)
  assert.ok(member.log.lines.includes('INFO Leaving data directory uncleaned'))
})

test('5.4 a base backup that is cut off leaves no directory, and no note', async () => {
  const slow = await script('slow_basebackup', 'mkdir -p ${1#--pgdata=}; echo x > ${1#--pgdata=}/part; sleep 30')
  const binDir = await postgresBinDir()
  const member = await herd.member('node-4', {
    postgresql: { binName: { pg_basebackup: join('../../../../..', slow) } },
  })
  assert.ok(binDir.split('/').length <= 6)
  const cancelled = new AbortController()
  const cloning = member.clone.clone({ source: source.upstream }, cancelled.signal)
  for (let i = 0; i < 200 && !(await exists(join(member.dataDir, 'part'))); i++)
    await new Promise((r) => setTimeout(r, 20))
  assert.ok(await exists(noteOf(member)), 'a killed agent would leave it')
  cancelled.abort()
  assert.equal(await cloning, false)
  assert.ok(!(await exists(member.dataDir)))
  assert.ok(!(await exists(noteOf(member))))
})

test('5.4 an agent killed in a copy: the next one removes it before anything is started', async () => {
  const member = await herd.member('node-5')
  await mkdir(member.dataDir)
  await writeFile(join(member.dataDir, 'PG_VERSION'), '15\n')
  await writeFile(noteOf(member), JSON.stringify({ kind: 'copy', data_dir: member.dataDir }))
  await member.guard.tidyUp()
  assert.ok(!(await exists(member.dataDir)))
  assert.ok(!(await exists(noteOf(member))))
})

/** A data directory with WAL and one tablespace elsewhere. */
async function linked(
  name: string,
): Promise<{ readonly dataDir: string; readonly wal: string; readonly space: string }> {
  const root = join(scripts, name)
  const [dataDir, wal, space] = ['data', 'wal', 'space'].map((one) => join(root, one)) as [string, string, string]
  for (const directory of [join(dataDir, 'pg_tblspc'), join(dataDir, 'global'), wal, space])
    await mkdir(directory, { recursive: true })
  await writeFile(join(wal, 'segment'), '')
  await writeFile(join(space, 'table'), '')
  await symlink(wal, join(dataDir, 'pg_wal'))
  await symlink(space, join(dataDir, 'pg_tblspc', '16384'))
  return { dataDir, wal, space }
}

test('5.6 removing a data directory removes what its links point to; a link in its place is only unlinked', async () => {
  const { dataDir, wal, space } = await linked('remove')
  await removeDataDirectory(dataDir, recordedLog())
  for (const path of [dataDir, wal, space]) assert.ok(!(await exists(path)), path)
  const target = join(scripts, 'target')
  await mkdir(target)
  await symlink(target, dataDir)
  await removeDataDirectory(dataDir, recordedLog())
  assert.ok(!(await exists(dataDir)))
  assert.ok(await exists(target))
  await removeDataDirectory(dataDir, recordedLog())
})

test('5.6 a data directory that is moved aside keeps its WAL and tablespaces, and replaces an older one', async () => {
  const { dataDir, wal, space } = await linked('move')
  await mkdir(`${dataDir}.failed`)
  await writeFile(join(`${dataDir}.failed`, 'old'), '')
  await mkdir(`${wal}.failed`)
  await moveDataDirectoryAside(dataDir, recordedLog())
  for (const path of [dataDir, wal, space]) assert.ok(!(await exists(path)), path)
  assert.ok(await exists(join(`${dataDir}.failed`, 'pg_wal', 'segment')))
  assert.ok(await exists(join(`${dataDir}.failed`, 'pg_tblspc', '16384', 'table')))
  assert.ok(!(await exists(join(`${dataDir}.failed`, 'old'))))
  await rename(`${dataDir}.failed`, dataDir)
})

test('13.3 before data are given up for a copy it is known that one can be made', async () => {
  const member = await herd.member('node-8', {})
  const elsewhere = await herd.member('node-9', { postgresql: { createReplicaMethods: ['own'] } })
  const obstacle = (of: TestMember, upstream: Upstream, basebackupOnly = false): Promise<string | null> =>
    of.clone.obstacle({ source: upstream, basebackupOnly }, never)
  assert.equal(await obstacle(member, source.upstream), null)

  assert.ok(source.upstream.kind === 'member')
  const { member: original } = source.upstream
  const at = (connUrl: string | null): Upstream => ({
    kind: 'member',
    member: { ...original, data: { ...original.data, connUrl } },
  })
  assert.match((await obstacle(member, at('postgres://127.0.0.1:1/postgres'))) ?? '', /ECONNREFUSED/)
  assert.match((await obstacle(elsewhere, at('postgres://127.0.0.1:1/postgres'))) ?? '', /ECONNREFUSED/)
  assert.equal(await obstacle(member, at(null)), 'the source has no address')

  // who may not stream can still be given a copy by a method of the operator's own
  member.change({ postgresql: { replication: NOBODY } })
  elsewhere.change({ postgresql: { replication: NOBODY, createReplicaMethods: ['own'] } })
  assert.match((await obstacle(member, source.upstream)) ?? '', /nobody/)
  assert.equal(await obstacle(elsewhere, source.upstream), null)
  assert.match((await obstacle(elsewhere, source.upstream, true)) ?? '', /nobody/)

  const needsNobody = { createReplicaMethods: ['own'], methodSections: { own: { no_leader: true } } }
  const alone = await herd.member('node-10', { postgresql: needsNobody })
  assert.equal(await obstacle(alone, at('postgres://127.0.0.1:1/postgres')), null)
})
