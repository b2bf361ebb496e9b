import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { type Entry, nodeId, type Restored } from '../core/types.ts'
import { Storage } from './storage.ts'

const ID = nodeId('127.0.0.1:1#x')
const entry = (index: number, term: number): Entry => ({
  index,
  term,
  body: { kind: 'command', command: `{"number":${index}}` },
})

const base = mkdtempSync(join(tmpdir(), 'raft-damage-'))
after(() => rmSync(base, { recursive: true, force: true }))
const good = join(base, 'good')
const tried = join(base, 'tried')

/** A snapshot, entries after it, and votes; every batch was synced, the last one is an entry or a vote. */
async function write(lastIsVote: boolean): Promise<Restored> {
  rmSync(good, { recursive: true, force: true })
  const opened = await Storage.open(good, ID)
  if (opened.kind === 'unusable') return assert.fail(opened.text)
  const { storage } = opened
  const save = (entries: readonly Entry[], hardState: Restored['hardState'] | null): Promise<void> =>
    storage.save({ snapshot: null, entries, hardState })
  await save([entry(1, 1), entry(2, 1)], { term: 1, vote: ID })
  const membership = { voters: [ID], learners: [] }
  await storage.compact({ index: 2, term: 1, membership, data: '{"keys":[]}' }, [])
  await save([entry(3, 1)], null)
  await save([], { term: 2, vote: null })
  if (!lastIsVote) await save([entry(4, 2)], null)
  await save([], { term: 3, vote: ID })
  if (!lastIsVote) await save([entry(5, 3)], null)
  await storage.close()
  const again = await Storage.open(good, ID)
  if (again.kind === 'unusable') return assert.fail(again.text)
  await again.storage.close()
  return again.restored
}

/** Where the last batch begins: what is behind it may be an unfinished write, as far as the file can tell. */
function lastRecordAt(log: Buffer): number {
  let at = 0
  for (let next = 0; next < log.length; next += 8 + log.readUInt32BE(next)) at = next
  return at
}

for (const lastIsVote of [true, false]) {
  const what = lastIsVote ? 'a vote' : 'an entry'
  test(`whatever byte is changed or cut off: all before the last record, ${what}, is there, or the member refuses to start`, async () => {
    const whole = await write(lastIsVote)
    const names = readdirSync(good)
    const places = names.flatMap((name) => {
      const content = readFileSync(join(good, name))
      return [...content.keys()].map((at) => ({ name, at }))
    })
    const damage = fc.oneof(
      fc.record({ kind: fc.constant('flip' as const), bits: fc.integer({ min: 1, max: 255 }) }),
      fc.record({ kind: fc.constant('cut' as const), bits: fc.constant(0) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...places), damage, async ({ name, at }, { kind, bits }) => {
        rmSync(tried, { recursive: true, force: true })
        cpSync(good, tried, { recursive: true })
        const content = readFileSync(join(tried, name))
        // A log that ends early is what a write that never reached the disk leaves: nothing tells the two apart.
        const isTail = name.startsWith('log-') && (kind === 'cut' || at >= lastRecordAt(content))
        if (kind === 'flip') content[at] = (content[at] ?? 0) ^ bits
        writeFileSync(join(tried, name), kind === 'cut' ? content.subarray(0, at) : content)
        const opened = await Storage.open(tried, ID)
        if (opened.kind === 'unusable') {
          assert.match(opened.text, /damaged|missing|there is no beginning/)
          assert.match(opened.text, /move the folder away/)
          return
        }
        await opened.storage.close()
        const { entries, hardState, snapshot } = opened.restored
        assert.deepEqual(snapshot, whole.snapshot)
        const isWhole = entries.length === whole.entries.length && hardState.term === whole.hardState.term
        assert.ok(isWhole || isTail, `${name} ${at} of ${content.length}: ${JSON.stringify(opened.restored)}`)
        if (kind === 'flip') assert.ok(entries.length >= whole.entries.length - 1)
        assert.deepEqual(entries, whole.entries.slice(0, entries.length))
        if (kind === 'flip') assert.ok(hardState.term === whole.hardState.term || (lastIsVote && isTail))
        if (hardState.term === whole.hardState.term) assert.equal(hardState.vote, whole.hardState.vote)
      }),
      { numRuns: 120 },
    )
  })
}
