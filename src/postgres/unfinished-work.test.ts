import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { recordedLog } from '../../test/support/server.ts'
import { type Instant } from '../cluster/time.ts'
import type { Clock } from '../ports/clock.ts'
import { systemClock } from '../system/clock.ts'
import { exists } from './files.ts'
import { createStartGuard } from './rewind/start-guard.ts'
import { dataFingerprint, orphanedTools, workNote } from './unfinished-work.ts'

let root: string
let dataDir: string

before(async () => {
  root = await mkdtemp('/tmp/mt-note-')
})
after(() => rm(root, { recursive: true, force: true }))
beforeEach(async () => {
  await rm(root, { recursive: true, force: true })
  dataDir = join(root, 'data')
  for (const directory of ['base/1', 'global', 'pg_xact']) await mkdir(join(dataDir, directory), { recursive: true })
  for (const file of ['base/1/pg_filenode.map', 'global/pg_control', 'pg_xact/0000'])
    await writeFile(join(dataDir, file), 'x')
})

const note = () => workNote(dataDir, [join(root, 'elsewhere')])

test('a note is read as it was written, and gone when it is removed', async () => {
  assert.equal(await note().read(), null)
  const work = { kind: 'rewind', fingerprint: 'f', timeline: 7 } as const
  await note().write(work)
  assert.deepEqual(await note().read(), work)
  await note().write({ kind: 'copy' })
  assert.deepEqual(await note().read(), { kind: 'copy' })
  await note().remove()
  assert.equal(await note().read(), null)
})

test('a note about another directory says nothing here, one that cannot be read forbids a start', async () => {
  const path = join(root, '.data.unfinished')
  await writeFile(path, JSON.stringify({ kind: 'copy', data_dir: '/other' }))
  assert.equal(await note().read(), null)
  await writeFile(path, '{')
  assert.equal((await note().read())?.kind, 'rewind')
})

test('a rewind is noted inside the directory too, for a volume that comes up elsewhere', async () => {
  const work = { kind: 'rewind', fingerprint: 'f', timeline: 7 } as const
  await note().write(work)
  await rm(join(root, '.data.unfinished'))
  await rename(dataDir, join(root, 'volume'))
  const there = workNote(join(root, 'volume'), [])
  assert.deepEqual(await there.read(), work)
  await there.remove()
  assert.equal(await there.read(), null)
})

test('the fingerprint changes as soon as one of the files is written, and not by itself', async () => {
  const before = await dataFingerprint(dataDir)
  assert.equal(await dataFingerprint(dataDir), before)
  await writeFile(join(dataDir, 'base/1/pg_filenode.map'), 'x')
  const changed = await dataFingerprint(dataDir)
  assert.notEqual(changed, before)
  await utimes(join(dataDir, 'pg_xact/0000'), 1, 1)
  assert.notEqual(await dataFingerprint(dataDir), changed)
})

function guardAt(now: { value: number }) {
  const log = recordedLog()
  const clock: Clock = { ...systemClock, now: () => now.value as Instant }
  return { guard: createStartGuard(() => dataDir, note, clock, log), log }
}

test('without a note a server may start', async () => {
  const { guard } = guardAt({ value: 0 })
  assert.equal(await guard.startForbidden(true), null)
})

test('a copy with pg_control may be whole, or another one put in its place: it is moved aside', async () => {
  await note().write({ kind: 'copy' })
  assert.ok(await guardAt({ value: 0 }).guard.startForbidden(true))
  assert.equal(await exists(dataDir), false)
  assert.ok(await exists(join(`${dataDir}.failed`, 'global', 'pg_control')))
  assert.equal(await note().read(), null)
})

test('a copy that was never finished is removed, and not started', async () => {
  await rm(join(dataDir, 'global', 'pg_control'))
  await note().write({ kind: 'copy' })
  const { guard } = guardAt({ value: 0 })
  assert.match((await guard.startForbidden(true)) ?? '', /was not started: it was never finished/)
  assert.equal(await exists(dataDir), false)
  assert.equal(await exists(`${dataDir}.failed`), false)
  assert.equal(await note().read(), null)
})

test('a rewind that was cut off before it wrote anything is forgotten', async () => {
  await note().write({ kind: 'rewind', fingerprint: await dataFingerprint(dataDir), timeline: 2 })
  const { guard } = guardAt({ value: 0 })
  assert.equal(await guard.startForbidden(true), null)
  assert.equal(await note().read(), null)
})

test('a half rewound directory is never started; after a while it makes room for a copy, if there is somebody to copy', async () => {
  await note().write({ kind: 'rewind', fingerprint: 'of other files', timeline: 2 })
  const now = { value: 0 }
  const { guard } = guardAt(now)
  assert.match((await guard.startForbidden(true)) ?? '', /was not started: pg_rewind was cut off/)
  now.value = 59_000
  assert.ok(await guard.startForbidden(true))
  assert.ok(await exists(dataDir))
  now.value = 61_000
  assert.ok(await guard.startForbidden(false))
  assert.ok(await exists(dataDir), 'nobody to copy from')
  assert.match((await guard.startForbidden(true)) ?? '', /moved aside/)
  assert.equal(await exists(dataDir), false)
  assert.ok(await exists(`${dataDir}.failed`))
  assert.equal(await note().read(), null)
})

test('tools that an earlier agent left working on the directory are found and ended', async () => {
  const tool = (name: string, ...words: readonly string[]) =>
    spawn('sh', ['-c', 'sleep 5; :', ...words], { argv0: name, stdio: 'ignore' })
  const other = tool('/usr/bin/pg_rewind', '-D', '/another')
  const rewind = tool('/usr/bin/pg_rewind', '-D', dataDir)
  const copy = tool('own-method', `--datadir=${dataDir}`)
  try {
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.deepEqual(new Set(await orphanedTools(dataDir)), new Set([rewind.pid, copy.pid]))
    await note().write({ kind: 'copy' })
    const ended = Promise.all([rewind, copy].map((one) => once(one, 'exit')))
    const { guard, log } = guardAt({ value: 0 })
    await guard.tidyUp()
    await ended
    assert.ok(log.lines.some((line) => line.includes(`Ending process ${copy.pid}`)))
    assert.equal(await exists(dataDir), false)
  } finally {
    for (const one of [other, rewind, copy]) one.kill('SIGKILL')
  }
})
