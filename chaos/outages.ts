import type { Acknowledged, FaultRecord, History, Moment } from './history.ts'
import { acknowledgedWrites } from './history.ts'

/** A time without any acknowledged write. */
export interface Outage {
  readonly from: Moment
  readonly to: Moment
  readonly ms: number
  /** Faults that were going on, or had just ended. */
  readonly faults: readonly FaultRecord[]
  /** The longest part of it in which a majority could have acted without being disturbed again. */
  readonly owedMs: number
}

/** Shorter gaps are the ordinary pace of a busy machine. */
export const OUTAGE_MS = 1000

/** What ended this long before an outage is named with it. */
const AFTERMATH_MS = 3000

export function outagesOf(history: History, faults: readonly FaultRecord[]): readonly Outage[] {
  const writes = acknowledgedWrites(history)
  return writes.flatMap((write, i): Outage[] => {
    const before: Acknowledged | undefined = writes[i - 1]
    if (!before || write.at - before.at < OUTAGE_MS) return []
    const gap = { from: before.at, to: write.at, ms: write.at - before.at }
    const near = faults.filter((fault) => fault.from <= gap.to && fault.to >= gap.from - AFTERMATH_MS)
    return [{ ...gap, faults: near, owedMs: owedMs(gap, faults, history.settled) }]
  })
}

/**
 * For how long, without a new fault beginning in between, the cluster was in a state in which it has to take writes:
 *
 * - at least two of the three store servers could do their part;
 * - at least two of the three members could, and whoever could not is always the same one since all three last streamed.
 *   (With a second one gone in the meantime the last acknowledged commits may be on members that are away, and to wait
 *   for them is right.) When none of them is impaired any more, the cluster has to act in any case;
 * - no fault was going on that nobody can act against, such as a full disk of a primary that otherwise works.
 */
function owedMs(
  gap: { readonly from: Moment; readonly to: Moment },
  faults: readonly FaultRecord[],
  settled: readonly Moment[],
): number {
  const beforeGap = settled.findLast((moment) => moment <= gap.from) ?? 0
  const relevant = faults.filter(({ from, to }) => to >= beforeGap && from <= gap.to)
  const moments = [gap.from, gap.to, ...relevant.flatMap(({ from, to }) => [from, to])]
    .filter((moment) => moment >= gap.from && moment <= gap.to)
    .sort((a, b) => a - b)
  let longest = 0
  let since: Moment | null = null
  for (const [i, moment] of moments.entries()) {
    const until = moments[i + 1]
    if (until === undefined) break
    const begins = relevant.some(({ from }) => from === moment)
    if (!isOwed(moment, relevant)) since = null
    else if (since === null || begins) since = moment
    if (since !== null) longest = Math.max(longest, until - since)
  }
  return longest
}

/** @param faults those since all members last streamed */
function isOwed(moment: Moment, faults: readonly FaultRecord[]): boolean {
  const active = faults.filter(({ from, to }) => from <= moment && moment < to)
  if (active.some(({ isUnavoidable }) => isUnavoidable)) return false
  if (new Set(active.flatMap(({ stores }) => stores)).size > 1) return false
  if (active.every(({ members }) => members.length === 0)) return true
  const soFar = faults.filter(({ from }) => from <= moment)
  return new Set(soFar.flatMap(({ members }) => members)).size <= 1
}
