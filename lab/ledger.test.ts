import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Acknowledged, accountFor, dualWriteMs, isLostTail, longestGap, reigns } from './ledger.ts'

/** Rows named like `a1 a2 b3`: node and number, one each 10 ms. */
function rows(text: string, times: Readonly<Record<number, number>> = {}): Acknowledged[] {
  return text.split(' ').map((word) => {
    const seq = Number(word.slice(1))
    const at = times[seq] ?? seq * 10
    return { node: word.slice(0, 1), seq, sentAt: at - 1, at }
  })
}

test('the longest gap is the one between two acknowledged rows, on whatever member', () => {
  const ledger = rows('a1 a2 b3 b4', { 3: 500, 4: 520 })
  assert.deepEqual(longestGap(ledger, 0), { ms: 480, from: 20, to: 500 })
})

test('a gap that ended before the event does not count', () => {
  assert.equal(longestGap(rows('a1 a2 a3', { 2: 400, 3: 410 }), 405).ms, 10)
})

test('reigns tell who took the writes, and show two primaries at the same time', () => {
  assert.deepEqual(reigns(rows('a1 a2 b3 b4'), 0), ['a', 'b'])
  assert.deepEqual(reigns(rows('a1 b2 a3 b4'), 0), ['a', 'b', 'a', 'b'])
})

test('dual writes last from the first row of the new primary to the last of the old one', () => {
  assert.equal(dualWriteMs(rows('a1 b2 a3 b4 a5'), 'a', 'b', 0), 50 - 19)
  assert.equal(dualWriteMs(rows('a1 a2 b3'), 'a', 'b', 0), 0)
})

test('the account tells lost rows from found ones, and counts rows nobody was told of', () => {
  const ledger = rows('a1 a2 a4')
  const account = accountFor(ledger, new Set([1, 4, 5]))
  assert.deepEqual([account.acknowledged, account.found, account.unheard], [3, 2, 1])
  assert.deepEqual(
    account.lost.map((row) => row.seq),
    [2],
  )
})

test('asynchronous replication may lose the last rows before the death of the primary, but not one in the middle', () => {
  const ledger = rows('a1 a2 a3 a4 b5 b6', { 5: 900, 6: 910 })
  const death = { node: 'a', at: 45, windowMs: 30 }
  const lost = (...seqs: number[]): boolean => {
    const present = new Set([1, 2, 3, 4, 5, 6].filter((seq) => !seqs.includes(seq)))
    return isLostTail(accountFor(ledger, present), ledger, death)
  }
  assert.ok(lost())
  assert.ok(lost(3, 4))
  assert.ok(!lost(3), 'row 4 came later and is there')
  assert.ok(!lost(5), 'a row of the new primary')
  assert.ok(!lost(1, 2, 3, 4), 'row 1 was older than the window')
})

test('what the dying primary acknowledged after the event, until its last process was gone, counts as its tail', () => {
  const ledger = rows('a1 a2 a3 a4 a5 a6 b7')
  const death = { node: 'a', at: 45, windowMs: 20 }
  const without = (...seqs: readonly number[]): boolean => {
    const present = new Set([1, 2, 3, 4, 5, 6, 7].filter((seq) => !seqs.includes(seq)))
    return isLostTail(accountFor(ledger, present), ledger, death)
  }
  assert.ok(without(5, 6))
  assert.ok(without(4, 5, 6))
  assert.ok(!without(4, 5), 'row 6 came later and is there')
})
