import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Entry, nodeId, type Restored, type Snapshot } from '../core/types.ts'
import { Storage } from './storage.ts'

const ID = nodeId('127.0.0.1:1#x')

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'raft-storage-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'data')
}

async function opened(folder: string): Promise<{ storage: Storage; restored: Restored; cutBytes: number }> {
  const result = await Storage.open(folder, ID)
  assert.equal(result.kind, 'opened', JSON.stringify(result))
  return result
}

const entry = (index: number, term = 1, command = `command ${index}`): Entry => ({
  index,
  term,
  body: { kind: 'command', command },
})
const snapshotAt = (index: number, term = 1): Snapshot => ({
  index,
  term,
  membership: { voters: [ID], learners: [] },
  data: 'state',
})
const nothing = { snapshot: null, entries: [], hardState: null } as const

async function reopened(folder: string, storage: Storage): Promise<Restored> {
  await storage.close()
  const again = await opened(folder)
  await again.storage.close()
  return again.restored
}

const logFile = (folder: string): string => {
  const [name = ''] = readdirSync(folder).filter((one) => one.startsWith('log-'))
  return join(folder, name)
}

test('votes and entries are there again after a restart; later entries replace earlier ones', async (t) => {
  const folder = folderOf(t)
  const { storage } = await opened(folder)
  await storage.save({ ...nothing, entries: [entry(1), entry(2), entry(3)], hardState: { term: 1, vote: ID } })
  await storage.save({ ...nothing, entries: [entry(2, 2)], hardState: { term: 2, vote: null } })
  const restored = await reopened(folder, storage)
  assert.deepEqual(restored.entries, [entry(1), entry(2, 2)])
  assert.deepEqual(restored.hardState, { term: 2, vote: null })
})

test('a member keeps the identity that it began with', async (t) => {
  const folder = folderOf(t)
  await (await opened(folder)).storage.close()
  const again = await Storage.open(folder, nodeId('127.0.0.1:1#y'))
  assert.ok(again.kind === 'opened' && again.storage.id === ID)
  await again.storage.close()
})

test('a torn tail is cut, wherever the write was cut off, and the log goes on from there', async (t) => {
  const folder = folderOf(t)
  const { storage } = await opened(folder)
  await storage.save({ ...nothing, entries: [entry(1)], hardState: { term: 1, vote: ID } })
  const whole = readFileSync(logFile(folder)).length
  await storage.save({ ...nothing, entries: [entry(2)] })
  const { length } = readFileSync(logFile(folder))
  await storage.close()
  const bytes = readFileSync(logFile(folder))
  for (let cut = whole + 1; cut < length; cut += 7) {
    for (const filler of [0, length - cut]) {
      // Blocks that were never written: the file has its length, and zeros in it.
      writeFileSync(logFile(folder), Buffer.concat([bytes.subarray(0, cut), Buffer.alloc(filler)]))
      const again = await opened(folder)
      assert.deepEqual(again.restored.entries, [entry(1)])
      assert.deepEqual(again.restored.hardState, { term: 1, vote: ID })
      await again.storage.save({ ...nothing, entries: [entry(2, 5)] })
      assert.deepEqual((await reopened(folder, again.storage)).entries, [entry(1), entry(2, 5)])
    }
  }
})

test('damage to what was written is never taken for a torn tail: the member refuses to start', async (t) => {
  const folder = folderOf(t)
  const { storage } = await opened(folder)
  await storage.save({ ...nothing, entries: [entry(1), entry(2)], hardState: { term: 3, vote: ID } })
  await storage.close()
  const good = readFileSync(logFile(folder))
  let refused = 0
  for (let at = 8; at < good.length; at += 5) {
    const bad = Buffer.from(good)
    bad[at] = (bad[at] ?? 0) ^ 0x10
    writeFileSync(logFile(folder), bad)
    const result = await Storage.open(folder, ID)
    if (result.kind === 'unusable') {
      refused += 1
      assert.match(result.text, /damaged at byte .* move the folder away/)
    } else await result.storage.close()
    // The length of the very last record made longer than the file: nothing tells that from a torn write.
    writeFileSync(logFile(folder), good)
  }
  assert.ok(refused >= good.length / 5 - 3, `${refused}`)
})

test('after a snapshot the log begins anew with what follows it', async (t) => {
  const folder = folderOf(t)
  const { storage } = await opened(folder)
  await storage.save({ ...nothing, entries: [1, 2, 3, 4].map((i) => entry(i)), hardState: { term: 1, vote: ID } })
  await storage.compact(snapshotAt(3), [entry(2), entry(3), entry(4)])
  await storage.save({ ...nothing, entries: [entry(5)] })
  assert.deepEqual(readdirSync(folder).sort(), ['log-2', 'snapshot-3'])
  const restored = await reopened(folder, storage)
  assert.deepEqual(restored, {
    id: ID,
    hardState: { term: 1, vote: ID },
    snapshot: snapshotAt(3),
    entries: [entry(4), entry(5)],
  })
})

test('a snapshot of the leader replaces a log that disagrees with it', async (t) => {
  const folder = folderOf(t)
  const { storage } = await opened(folder)
  await storage.save({ ...nothing, entries: [1, 2, 3, 4].map((i) => entry(i)), hardState: { term: 1, vote: null } })
  await storage.save({ snapshot: snapshotAt(3, 2), entries: [], hardState: { term: 2, vote: null } })
  const restored = await reopened(folder, storage)
  assert.deepEqual(restored.entries, [])
  assert.equal(restored.snapshot?.term, 2)
  assert.equal(restored.hardState.term, 2)
})

test('killed between a snapshot and the new log: nothing is lost', async (t) => {
  const folder = folderOf(t)
  const { storage } = await opened(folder)
  await storage.save({ ...nothing, entries: [1, 2, 3].map((i) => entry(i)), hardState: { term: 1, vote: ID } })
  const before = readFileSync(logFile(folder))
  await storage.compact(snapshotAt(2), [entry(3)])
  await storage.close()
  // As it was before the new log: the old one is there, the new one is not, or both are.
  const fresh = readFileSync(join(folder, 'log-2'))
  rmSync(join(folder, 'log-2'))
  writeFileSync(join(folder, 'log-1'), before)
  writeFileSync(join(folder, 'log-2.new'), fresh.subarray(0, 20))
  const first = await opened(folder)
  assert.deepEqual(first.restored.entries, [entry(3)])
  await first.storage.close()
  writeFileSync(join(folder, 'log-2'), fresh)
  const second = await opened(folder)
  assert.deepEqual(second.restored.entries, [entry(3)])
  assert.deepEqual(second.restored.hardState, { term: 1, vote: ID })
  await second.storage.close()
})

test('a missing or damaged snapshot is told, and not passed over', async (t) => {
  const folder = folderOf(t)
  const { storage } = await opened(folder)
  await storage.save({ ...nothing, entries: [1, 2, 3].map((i) => entry(i)), hardState: { term: 1, vote: ID } })
  await storage.compact(snapshotAt(2), [entry(3)])
  await storage.close()
  truncateSync(join(folder, 'snapshot-2'), 20)
  assert.match(JSON.stringify(await Storage.open(folder, ID)), /snapshot-2 is damaged/)
  rmSync(join(folder, 'snapshot-2'))
  assert.match(JSON.stringify(await Storage.open(folder, ID)), /snapshot of entry 2 is missing/)
})

test('garbage in the file of the log is told', async (t) => {
  const folder = folderOf(t)
  const { storage } = await opened(folder)
  await storage.close()
  appendFileSync(logFile(folder), 'not a record of ours, and long enough to be one')
  assert.equal((await Storage.open(folder, ID)).kind, 'unusable')
})
