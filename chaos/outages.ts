import type { Acknowledged, FaultRecord, History, Moment, Stream } from './history.ts'
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
    return [{ ...gap, faults: near, owedMs: owedMs(gap, faults, holdersAt(gap.from, history.streams)) }]
  })
}

/** Who is known to hold the last acknowledged commits: the primary, and the replicas it counted on. `null`: nobody knows. */
function holdersAt(moment: Moment, streams: readonly Stream[]): ReadonlySet<string> | null {
  const last = streams.findLast(({ at }) => at <= moment)
  return last ? new Set([last.primary, ...last.replicas]) : null
}

/**
 * For how long, without a new fault beginning in between, the cluster was in a state in which it has to take writes:
 *
 * - at least two of the three store servers could do their part;
 * - at least two of the three members could, and one of these holds the last acknowledged commits: it was the primary
 *   or one of the replicas that this counted on when the outage began. (Where only members that are away hold them, to wait for these is right.)
 * - no fault was going on that nobody can act against, such as a full disk of a primary that otherwise works.
 */
function owedMs(
  gap: { readonly from: Moment; readonly to: Moment },
  faults: readonly FaultRecord[],
  holders: ReadonlySet<string> | null,
): number {
  const relevant = faults.filter(({ from, to }) => to >= gap.from && from <= gap.to)
  const changes = relevant
    .flatMap(({ from, to }) => [from, to])
    .filter((moment) => moment > gap.from && moment < gap.to)
  const moments = [gap.from, ...changes.sort((a, b) => a - b), gap.to]
  let longest = 0
  let since: Moment | null = null
  for (const [i, moment] of moments.entries()) {
    const until = moments[i + 1]
    if (until === undefined) break
    const active = relevant.filter(({ from, to }) => from <= moment && moment < to)
    if (!isOwed(active, holders)) since = null
    else if (since === null || active.some(({ from }) => from === moment)) since = moment
    if (since !== null) longest = Math.max(longest, until - since)
  }
  return longest
}

function isOwed(active: readonly FaultRecord[], holders: ReadonlySet<string> | null): boolean {
  if (active.some(({ isUnavoidable }) => isUnavoidable)) return false
  const stores = new Set(active.flatMap((fault) => fault.stores))
  const members = new Set(active.flatMap((fault) => fault.members))
  if (stores.size > 1 || members.size > 1) return false
  return members.size === 0 || holders === null || [...holders].some((name) => !members.has(name))
}
