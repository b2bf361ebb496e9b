import assert from 'node:assert/strict'
import { test } from 'node:test'
import { check, type Expectation, type Verdict, type Violation } from './checker.ts'
import type { Append, FaultRecord, FinalState, History, Total, Transfer, Write } from './history.ts'

const EXPECTED: Expectation = {
  mode: 'quorum',
  ttlMs: 10_000,
  loopWaitMs: 2000,
  maximumLag: 1000,
  accounts: 2,
  openingBalance: 100,
}

/** A write every 100 ms, each 10 bytes of WAL, by n1 on timeline 1, acknowledged after 5 ms. */
function rows(fromMs: number, toMs: number, change: Partial<Write> = {}): Write[] {
  const count = Math.floor((toMs - fromMs) / 100)
  return Array.from({ length: count }, (_, i): Write => {
    const sentAt = fromMs + i * 100
    const basic = {
      client: 'rows1',
      node: 'n1',
      id: sentAt,
      sentAt,
      at: sentAt + 5,
      position: sentAt / 10,
      timeline: 1,
    }
    return { ...basic, ...change }
  })
}

interface Story {
  readonly rows?: readonly Write[]
  readonly transfers?: readonly Transfer[]
  readonly appends?: readonly Append[]
  readonly totals?: readonly Total[]
}

const history = (story: Story): History => ({ rows: [], transfers: [], appends: [], totals: [], streams: [], ...story })

function finalOf(seen: History, change: Partial<FinalState> = {}): FinalState {
  const lists = new Map<number, number[]>()
  for (const { list, id } of seen.appends) lists.set(list, [...(lists.get(list) ?? []), id])
  return {
    rows: new Set(seen.rows.map(({ id }) => id)),
    transfers: new Map(seen.transfers.map((transfer) => [transfer.id, transfer])),
    balances: new Map([
      [1, 100],
      [2, 100],
    ]),
    lists,
    ...change,
  }
}

function fault(kind: string, from: number, to: number, change: Partial<FaultRecord> = {}): FaultRecord {
  return { number: 1, kind, on: 'n1', from, to, members: ['n1'], stores: [], isUnavoidable: false, ...change }
}

function judge(
  story: Story,
  change: Partial<FinalState> = {},
  faults: readonly FaultRecord[] = [],
  mode = EXPECTED.mode,
): Verdict {
  const seen = history(story)
  return check(seen, finalOf(seen, change), faults, { ...EXPECTED, mode })
}

const rules = ({ violations }: Verdict): readonly Violation['rule'][] => violations.map(({ rule }) => rule)

const append = (id: number, sentAt: number, change: Partial<Append> = {}): Append => ({
  client: 'lists1',
  node: 'n1',
  id,
  sentAt,
  at: sentAt + 5,
  position: sentAt,
  timeline: 1,
  list: 0,
  length: id,
  ...change,
})

test('a history in which nothing went wrong is without violations', () => {
  const verdict = judge({
    rows: [...rows(0, 5000), ...rows(9000, 12_000, { node: 'n2', timeline: 2 })],
    appends: [append(1, 0), append(2, 100), append(3, 200)],
    totals: [{ node: 'n3', at: 100, sum: 200 }],
  })
  assert.deepEqual(verdict.violations, [])
  assert.equal(verdict.acknowledged, 83)
  assert.equal(verdict.reigns.length, 2)
})

test('two members that took writes at the same time are found, with the time from the one to the other', () => {
  const verdict = judge({
    rows: [...rows(0, 5000), ...rows(4500, 6000, { node: 'n2', timeline: 2 }).map((w) => ({ ...w, id: w.id + 1 }))],
  })
  assert.deepEqual(rules(verdict), ['dual write'])
  assert.equal(verdict.dualWrites[0]?.ms, 4905 - 4500)
})

test('a member that took writes before and after another one, each on its own timeline, is no dual write', () => {
  const verdict = judge({
    rows: [...rows(0, 1000), ...rows(1500, 2000, { node: 'n2', timeline: 2 }), ...rows(2500, 3000, { timeline: 3 })],
  })
  assert.deepEqual(verdict.violations, [])
})

test('a timeline on which two members took writes is found, even one after the other', () => {
  const verdict = judge({ rows: [...rows(0, 1000), ...rows(1500, 2000, { node: 'n2' })] })
  assert.deepEqual(rules(verdict), ['timeline'])
})

test('a lost row, transfer or append is found in the synchronous modes', () => {
  const transfer = { ...append(7, 0), from: 1, to: 2, amount: 0 }
  const story = { rows: rows(0, 1000), transfers: [transfer], appends: [append(1, 0)] }
  for (const mode of ['sync', 'quorum'] as const) {
    assert.deepEqual(rules(judge(story, { rows: new Set(rows(0, 900).map(({ id }) => id)) }, [], mode)), ['lost'])
    assert.deepEqual(rules(judge(story, { transfers: new Map() }, [], mode)), ['lost'])
    assert.deepEqual(rules(judge(story, { lists: new Map() }, [], mode)), ['lost'])
  }
})

test('what never was acknowledged may be missing', () => {
  const verdict = judge({ rows: rows(0, 1000, { at: null, position: null, timeline: null }) }, { rows: new Set() })
  assert.deepEqual(verdict.violations, [])
})

test('asynchronous replication may lose the end of a reign: its last bytes, or what came after the last published position', () => {
  const written = [...rows(0, 60_000), ...rows(65_000, 66_000, { node: 'n2', timeline: 2 })]
  const without = (fromMs: number, toMs: number): Partial<FinalState> => ({
    rows: new Set(written.map(({ id }) => id).filter((id) => id < fromMs || id >= toMs)),
  })
  const lastBytes = judge({ rows: written }, without(59_000, 60_000), [], 'async')
  assert.deepEqual(lastBytes.violations, [])
  assert.equal(lastBytes.lost, 10)
  assert.deepEqual(
    judge({ rows: written }, without(48_500, 60_000), [], 'async').violations,
    [],
    'since ttl and loop_wait',
  )
  assert.deepEqual(rules(judge({ rows: written }, without(47_000, 60_000), [], 'async')), ['lost'], 'too much')
})

test('a hole in what a member took is found also with asynchronous replication', () => {
  const written = rows(0, 60_000)
  const final = { rows: new Set(written.map(({ id }) => id).filter((id) => id < 59_000 || id >= 59_500)) }
  assert.deepEqual(rules(judge({ rows: written }, final, [], 'async')), ['lost'])
})

test('a broken sum is found, whoever read it, and a balance that its transfers do not explain', () => {
  const seen = { rows: rows(0, 1000), totals: [{ node: 'n3', at: 10, sum: 190 }] }
  assert.deepEqual(rules(judge(seen)), ['total'])
  const poorer = new Map([
    [1, 90],
    [2, 100],
  ])
  assert.deepEqual(rules(judge({}, { balances: poorer })), ['total', 'balance'])
  const moved = new Map([
    [1, 90],
    [2, 110],
  ])
  assert.deepEqual(rules(judge({}, { balances: moved })), ['balance', 'balance'])
  const transfers = new Map([[1, { from: 1, to: 2, amount: 10 }]])
  assert.deepEqual(judge({}, { balances: moved, transfers }).violations, [])
})

test('a list is in the order of its appends', () => {
  const appends = [append(1, 0), append(2, 100), append(3, 200)]
  const list = (...ids: number[]): Partial<FinalState> => ({ lists: new Map([[0, ids]]) })
  assert.deepEqual(rules(judge({ appends }, list(1, 3, 2), [], 'async')), ['list'], 'order')
  assert.deepEqual(rules(judge({ appends }, list(1, 2, 3, 3), [], 'async')), ['list'], 'twice')
  assert.deepEqual(rules(judge({ appends }, list(1, 2, 3, 99), [], 'async')), ['list'], 'never sent')
  assert.deepEqual(rules(judge({ appends }, list(2, 3))), ['lost', 'list'], 'lost, and the others moved up')
})

test('appends that were under way together may stand in either order, and one without an answer anywhere after it was sent', () => {
  const together = [append(1, 0, { at: 50, length: null }), append(2, 10, { length: null })]
  const list = (...ids: number[]): Partial<FinalState> => ({ lists: new Map([[0, ids]]) })
  assert.deepEqual(judge({ appends: together }, list(2, 1), [], 'async').violations, [])
  const unanswered = [append(1, 0, { at: null, position: null, timeline: null }), append(2, 100), append(3, 200)]
  for (const order of [
    [1, 2, 3],
    [2, 1, 3],
    [2, 3, 1],
    [2, 3],
  ])
    assert.deepEqual(judge({ appends: unanswered }, list(...order), [], 'async').violations, [], String(order))
})

test('an outage that is longer than the lease and five seconds is found', () => {
  const story = { rows: [...rows(0, 5000), ...rows(20_200, 21_000, { node: 'n2', timeline: 2 })] }
  const verdict = judge(story, {}, [fault('kill-host', 5000, 30_000)])
  assert.deepEqual(rules(verdict), ['outage'])
  assert.equal(Math.round(verdict.outages[0]?.owedMs ?? 0), 15_205)
})
