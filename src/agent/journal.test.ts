import assert from 'node:assert/strict'
import { appendFile, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Instant } from '../cluster/time.ts'
import type { CycleRecord } from '../ports/journal.ts'
import { CycleJournal } from './journal.ts'
import { JournalFiles } from './journal-files.ts'

const folders: string[] = []
after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))))

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'journal-'))
  folders.push(made)
  return made
}

const warnings: string[] = []
const LOG = {
  debug: () => {},
  info: () => {},
  warning: (text: string) => void warnings.push(text),
  error: () => {},
  critical: () => {},
}
const ended = (rule: string, text = rule) => ({ rule, text, startedAt: 0 as Instant, endedAt: 5 as Instant })

function journal(): { journal: CycleJournal; kept: CycleRecord[]; pass: (ms: number) => void } {
  let now = 1000
  const kept: CycleRecord[] = []
  const made = new CycleJournal({
    max: 10,
    wallMs: () => now,
    keeper: { keep: (record) => void kept.push(record), keepRecording: () => {} },
  })
  return { journal: made, kept, pass: (ms) => void (now += ms) }
}

test('cycles in a row that are alike are one record, whatever their details say', () => {
  const { journal: j, kept, pass } = journal()
  for (const lsn of [1, 2, 3]) {
    j.record({ kind: 'asked', what: 'renew lock', detail: { lsn } })
    j.endCycle(ended('leader-with-lock'))
    pass(10)
  }
  assert.deepEqual(
    j.records().map(({ times, at, until }) => [times, at, until]),
    [[3, 1000, 1020]],
  )
  j.record({ kind: 'did', what: 'demote' })
  j.endCycle(ended('demoted-renewal-refused'))
  assert.equal(j.records().length, 2)
  assert.deepEqual(
    kept.map(({ rule, times }) => [rule, times]),
    [
      ['leader-with-lock', 1],
      ['leader-with-lock', 3],
      ['demoted-renewal-refused', 1],
    ],
  )
})

test('steps between two cycles can be read at once, and are kept when the agent ends', () => {
  const { journal: j, kept } = journal()
  j.record({ kind: 'decided', what: 'refuse request' })
  assert.equal(j.records()[0]?.entries[0]?.what, 'refuse request')
  j.close()
  assert.equal(kept.at(-1)?.rule, 'shutdown')
})

test('a cycle that goes wild keeps its first 200 steps, and the journal its last records', () => {
  const { journal: j } = journal()
  for (let i = 0; i < 300; i += 1) j.record({ kind: 'saw', what: `${i}` })
  j.endCycle(ended('r0'))
  assert.equal(j.records()[0]?.entries.length, 200)
  for (let i = 1; i < 30; i += 1) j.endCycle(ended(`r${i}`))
  assert.equal(j.records().length, 10)
})

test('the journal goes on where the run before ended, even after a line that was cut off', async () => {
  const dir = await folder()
  const files = new JournalFiles({ dir, size: 1 << 20 }, LOG)
  const first = new CycleJournal({ max: 10, wallMs: () => 1, keeper: files })
  first.record({ kind: 'did', what: 'promote' })
  first.endCycle(ended('promote-with-lock'))
  await files.flush()
  await appendFile(join(dir, 'journal.jsonl'), '{"number": 2, "at"')
  const again = new JournalFiles({ dir, size: 1 << 20 }, LOG)
  const second = new CycleJournal({ max: 10, wallMs: () => 2, keeper: again, earlier: await again.read() })
  second.endCycle(ended('promote-with-lock'))
  await again.flush()
  const read = await new JournalFiles({ dir, size: 1 << 20 }, LOG).read()
  assert.deepEqual(
    read.map(({ number, rule, entries }) => [number, rule, entries.length]),
    [
      [1, 'promote-with-lock', 1],
      [2, 'promote-with-lock', 0],
    ],
  )
  assert.equal((await stat(join(dir, 'journal.jsonl'))).mode & 0o777, 0o600)
})

test('the files never take more than their size, and the newest records stay', async () => {
  const dir = await folder()
  const files = new JournalFiles({ dir, size: 64_000 }, LOG)
  const j = new CycleJournal({ max: 10, wallMs: () => 1, keeper: files })
  for (let i = 0; i < 2000; i += 1) {
    j.endCycle(ended(`r${i}`))
    if (i % 100 === 0) await files.flush()
  }
  await files.flush()
  const sizes = await Promise.all((await readdir(dir)).map(async (name) => (await stat(join(dir, name))).size))
  assert.ok(sizes.length > 1)
  assert.ok(sizes.reduce((sum, size) => sum + size, 0) <= 64_000)
  assert.equal((await files.read()).at(-1)?.rule, 'r1999')
})

test('a journal that cannot be written says so once and stays in memory', async () => {
  const dir = await folder()
  await writeFile(join(dir, 'file'), '')
  warnings.length = 0
  const files = new JournalFiles({ dir: join(dir, 'file', 'below'), size: 1 << 20 }, LOG)
  const j = new CycleJournal({ max: 10, wallMs: () => 1, keeper: files })
  j.endCycle(ended('a'))
  j.endCycle(ended('b'))
  await files.flush()
  assert.equal(j.records().length, 2)
  assert.equal(warnings.length, 1)
  assert.match(warnings[0] ?? '', /^The journal is kept in memory only: /)
})
