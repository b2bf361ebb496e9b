import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { timeline } from '../cluster/timeline.ts'
import { forgetPassedTimelines, passTimelines } from './passed-timelines.ts'

async function directory(t: TestContext, ...real: readonly string[]) {
  const dataDir = await mkdtemp(join(tmpdir(), 'pga-'))
  t.after(() => rm(dataDir, { recursive: true }))
  const wal = join(dataDir, 'pg_wal')
  await mkdir(wal)
  for (const name of real) await writeFile(join(wal, name), '1\t0/3000060\tno recovery target specified\n')
  return { dataDir, wal, names: async () => (await readdir(wal)).sort((a, b) => (a < b ? -1 : 1)) }
}

test('numbers between the own timeline and the one to begin get a file without ancestors, existing ones stay', async (t) => {
  const { dataDir, wal, names } = await directory(t, '00000003.history', '00000005.history')
  const passed = await passTimelines(dataDir, timeline(3), timeline(7))
  assert.ok('undo' in passed)
  assert.deepEqual(await names(), ['00000003.history', '00000004.history', '00000005.history', '00000006.history'])
  assert.match(await readFile(join(wal, '00000004.history'), 'utf8'), /^#.*\n$/)
  assert.match(await readFile(join(wal, '00000005.history'), 'utf8'), /^1\t/)
  await passed.undo()
  assert.deepEqual(await names(), ['00000003.history', '00000005.history'])
})

test('the next number needs no file', async (t) => {
  const { dataDir, names } = await directory(t)
  assert.ok('undo' in (await passTimelines(dataDir, timeline(1), timeline(2))))
  assert.deepEqual(await names(), [])
})

test('a number that is not ahead, or absurdly far, is refused', async (t) => {
  const { dataDir, names } = await directory(t)
  for (const begins of [2, 3, 4_000_000_000])
    assert.ok('refusal' in (await passTimelines(dataDir, timeline(3), timeline(begins))))
  assert.deepEqual(await names(), [])
})

test('what a promotion that never happened left is removed, what lies below a real timeline stays', async (t) => {
  const { dataDir, wal, names } = await directory(t, '00000002.history')
  await passTimelines(dataDir, timeline(2), timeline(4))
  await writeFile(join(wal, '00000004.history'), '2\t0/4000000\tno recovery target specified\n')
  await passTimelines(dataDir, timeline(4), timeline(12))
  await forgetPassedTimelines(dataDir)
  assert.deepEqual(await names(), ['00000002.history', '00000003.history', '00000004.history'])
})
