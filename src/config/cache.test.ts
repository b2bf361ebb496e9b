import assert from 'node:assert/strict'
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { cachePath, loadCache, saveCache } from './cache.ts'

async function withDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'config-cache-'))
  try {
    await body(directory)
  } finally {
    await rm(directory, { recursive: true })
  }
}

test('postgres 2.15 what was saved is loaded, with no temporary file left and the right permissions', () =>
  withDirectory(async (directory) => {
    const document = { ttl: 30, postgresql: { parameters: { a: 'é' } } }
    assert.deepEqual(await loadCache(directory), { kind: 'none' })
    assert.equal(await saveCache(directory, document), null)
    assert.deepEqual(await loadCache(directory), { kind: 'document', document })
    assert.deepEqual(await readdir(directory), ['patroni.dynamic.json'])
    assert.equal((await stat(cachePath(directory))).mode & 0o777, 0o600)
    await chmod(directory, 0o750)
    assert.equal(await saveCache(directory, {}), null)
    assert.equal((await stat(cachePath(directory))).mode & 0o777, 0o640)
  }))

test('5.5 a damaged copy is reported and not used', () =>
  withDirectory(async (directory) => {
    for (const text of ['{"ttl":', '[]', '']) {
      await writeFile(cachePath(directory), text)
      const outcome = await loadCache(directory)
      assert.equal(outcome.kind, 'unreadable')
      assert.match(outcome.kind === 'unreadable' ? outcome.reason : '', /^Exception when loading file: .*dynamic\.json/)
    }
  }))

test('5.5 a copy that cannot be saved is a reason, not an exception', () =>
  withDirectory(async (directory) => {
    const missing = join(directory, 'missing')
    assert.match((await saveCache(missing, {})) ?? '', /^Exception when saving file: /)
    assert.deepEqual(await loadCache(missing), { kind: 'none' })
  }))
