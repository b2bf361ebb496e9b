import {
  type Acknowledged,
  type Append,
  acknowledgedWrites,
  type FaultRecord,
  type FinalState,
  type History,
  isAcknowledged,
} from './history.ts'
import { type Outage, outagesOf } from './outages.ts'
import { type DualWrite, dualWrites, type Reign, reignsOf, sharedTimelines } from './reigns.ts'

export type Mode = 'async' | 'sync' | 'quorum'

export interface Expectation {
  readonly mode: Mode
  readonly ttlMs: number
  readonly loopWaitMs: number
  /** `maximum_lag_on_failover`, bytes. */
  readonly maximumLag: number
  readonly accounts: number
  readonly openingBalance: number
}

export interface Violation {
  readonly rule: 'dual write' | 'timeline' | 'lost' | 'total' | 'balance' | 'list' | 'outage' | 'healing' | 'nemesis'
  readonly text: string
}

export interface Verdict {
  readonly violations: readonly Violation[]
  readonly acknowledged: number
  /** Acknowledged and not there in the end: a violation, or what asynchronous replication may lose. */
  readonly lost: number
  readonly reigns: readonly Reign[]
  readonly dualWrites: readonly DualWrite[]
  readonly outages: readonly Outage[]
  /** The longest that an outage may go on while a majority can act. */
  readonly outageLimitMs: number
}

/** An outage may last for the lease and this much more. */
const BEYOND_LEASE_MS = 5000

/** Examples of each kind that a verdict shows. */
const SHOWN = 5

/** Decides what the clients saw against what the primary holds in the end. */
export function check(
  history: History,
  final: FinalState,
  faults: readonly FaultRecord[],
  expected: Expectation,
): Verdict {
  const writes = acknowledgedWrites(history)
  const reigns = reignsOf(writes)
  const dual = dualWrites(reigns)
  const outages = outagesOf(history, faults)
  const outageLimitMs = expected.ttlMs + BEYOND_LEASE_MS
  const lost = lostWrites(history, final)
  return {
    violations: [
      ...dual.map(
        ({ nodes, ms }): Violation => violation('dual write', `${nodes.join(' and ')} for ${ms.toFixed(0)} ms`),
      ),
      ...sharedTimelines(reigns).map((timeline) => violation('timeline', `${timeline} was used by two members`)),
      ...unexcused(lost, reigns, expected),
      ...totals(history, final, expected),
      ...lists(history, final, expected.mode !== 'async'),
      ...outages.filter(({ owedMs }) => owedMs > outageLimitMs).map(lateOutage),
    ],
    acknowledged: writes.length,
    lost: lost.size,
    reigns,
    dualWrites: dual,
    outages,
    outageLimitMs,
  }
}

function violation(rule: Violation['rule'], text: string): Violation {
  return { rule, text }
}

function lateOutage(outage: Outage): Violation {
  const during = outage.faults.map(({ number, kind }) => `${number} ${kind}`).join(', ')
  return violation(
    'outage',
    `${seconds(outage.ms)} from ${seconds(outage.from)}, of which ${seconds(outage.owedMs)} with a majority able to act (${during || 'no fault'})`,
  )
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function lostWrites(history: History, final: FinalState): ReadonlySet<Acknowledged> {
  const inLists = new Set([...final.lists.values()].flat())
  return new Set<Acknowledged>([
    ...history.rows.filter(isAcknowledged).filter(({ id }) => !final.rows.has(id)),
    ...history.transfers.filter(isAcknowledged).filter(({ id }) => !final.transfers.has(id)),
    ...history.appends.filter(isAcknowledged).filter(({ id }) => !inLists.has(id)),
  ])
}

/**
 * With synchronous replication nothing acknowledged may be missing. Without it a failover may lose the end of what the
 * old primary took, and nothing in the middle: as much as `maximum_lag_on_failover`, behind a position that the primary
 * published at the latest one lease and one cycle before.
 */
function unexcused(lost: ReadonlySet<Acknowledged>, reigns: readonly Reign[], expected: Expectation): Violation[] {
  if (expected.mode !== 'async')
    return [...lost].slice(0, SHOWN).map((write) => violation('lost', `${describe(write)} (${lost.size} in all)`))
  return reigns.flatMap(({ writes, to }) => {
    const gone = writes.filter((write) => lost.has(write))
    const end = writes.reduce((highest, { position }) => Math.max(highest, position), 0)
    const firstGone = gone.reduce((earliest, { at }) => Math.min(earliest, at), Infinity)
    const published = to - expected.ttlMs - expected.loopWaitMs
    const tooMuch = gone.find(({ position, at }) => at < published && end - position > expected.maximumLag)
    const kept = writes.find((write) => write.sentAt > firstGone && !lost.has(write))
    return [
      ...(tooMuch
        ? [violation('lost', `${describe(tooMuch)}, ${end - tooMuch.position} bytes before the end of its reign`)]
        : []),
      ...(kept
        ? [violation('lost', `${gone.length} writes of ${kept.node}, but not ${describe(kept)}, which came later`)]
        : []),
    ]
  })
}

function describe({ client, id, node, timeline, at }: Acknowledged): string {
  return `write ${id} of ${client}, acknowledged by ${node} on timeline ${timeline} at ${seconds(at)}`
}

function totals(history: History, final: FinalState, expected: Expectation): Violation[] {
  const constant = expected.accounts * expected.openingBalance
  const seen = history.totals
    .filter(({ sum }) => sum !== constant)
    .slice(0, SHOWN)
    .map(({ node, sum, at }) => violation('total', `${sum} instead of ${constant} on ${node} at ${seconds(at)}`))
  const sum = [...final.balances.values()].reduce((total, balance) => total + balance, 0)
  if (sum !== constant) seen.push(violation('total', `${sum} instead of ${constant} in the end`))
  const moved = new Map<number, number>()
  for (const { from, to, amount } of final.transfers.values()) {
    moved.set(from, (moved.get(from) ?? 0) - amount)
    moved.set(to, (moved.get(to) ?? 0) + amount)
  }
  const wrong = [...final.balances].filter(
    ([id, balance]) => balance !== expected.openingBalance + (moved.get(id) ?? 0),
  )
  return [
    ...seen,
    ...wrong
      .slice(0, SHOWN)
      .map(([id, balance]) => violation('balance', `account ${id} has ${balance}, not what its transfers say`)),
  ]
}

/**
 * Each list holds nothing that was not sent, nothing twice, and what was acknowledged before something else was sent
 * comes before it. `isStable`: where nothing may be lost an element also keeps the place that its client was told.
 */
function lists(history: History, final: FinalState, isStable: boolean): Violation[] {
  const sent = new Map(history.appends.map((append) => [append.id, append]))
  return [...final.lists].flatMap(([list, elements]) => {
    const appends = elements.map((id) => sent.get(id))
    const unknown = elements.find((_, i) => appends[i]?.list !== list)
    const found: Violation[] = []
    if (unknown !== undefined) found.push(violation('list', `list ${list} holds ${unknown}, which nobody appended`))
    if (new Set(elements).size < elements.length) found.push(violation('list', `list ${list} holds an element twice`))
    const known = appends.filter((append) => append !== undefined)
    const late = outOfOrder(known)
    if (late)
      found.push(violation('list', `list ${list}: ${late.id} stands before an element acknowledged before it was sent`))
    const moved = isStable && known.find(({ length }, i) => length !== null && length !== i + 1)
    if (moved) found.push(violation('list', `list ${list}: ${moved.id} is no longer at place ${moved.length}`))
    return found
  })
}

function outOfOrder(appends: readonly Append[]): Append | null {
  let earliestLater = Infinity
  for (const append of appends.toReversed()) {
    if (earliestLater < append.sentAt) return append
    earliestLater = Math.min(earliestLater, append.at ?? Infinity)
  }
  return null
}
