import { type Lsn, lsn } from '../../src/cluster/lsn.ts'
import type { Timeline, TimelineSwitch } from '../../src/cluster/timeline.ts'

/**
 * The WAL that one primary wrote between its promotion and the next: a timeline as it really is, whatever number it
 * bears. Two branches with one number are the accident that the checker looks for.
 */
export interface Branch {
  readonly systemIdentifier: string
  readonly timeline: Timeline
  /** Host that writes it. */
  readonly owner: string
  readonly parent: Branch | null
  /** Where it left its parent. */
  readonly forkLsn: Lsn
  /** Flushed by its writer so far; nothing beyond was ever sent to anybody. */
  end: Lsn
  readonly createdAt: number
}

/** How far a data directory goes: flushed up to `lsn`, which lies on `branch`. */
export interface WalPosition {
  readonly branch: Branch
  readonly lsn: Lsn
}

export const FIRST_LSN = lsn(0x1000000)

/** How much of `branch` the history of `position` holds; `null` when the branch is no part of it. */
export function sharedUpTo(position: WalPosition, branch: Branch): Lsn | null {
  let limit = position.lsn
  for (let at: Branch | null = position.branch; at !== null; at = at.parent) {
    if (at === branch) return limit
    if (at.forkLsn < limit) limit = at.forkLsn
  }
  return null
}

/** Whether everything up to `wanted` is in the history of `position`. */
export function includes(position: WalPosition, wanted: WalPosition): boolean {
  const shared = sharedUpTo(position, wanted.branch)
  return shared !== null && shared >= wanted.lsn
}

/** The branch of this history that holds the record ending at `at`. */
export function branchAt(tip: Branch, at: Lsn): Branch {
  let branch = tip
  while (branch.parent !== null && at <= branch.forkLsn) branch = branch.parent
  return branch
}

export function branchOf(tip: Branch, wanted: Timeline): Branch | null {
  for (let at: Branch | null = tip; at !== null; at = at.parent) if (at.timeline === wanted) return at
  return null
}

/** The last position that two histories have in common. */
export function commonPoint(a: WalPosition, b: WalPosition): WalPosition | null {
  for (let at: Branch | null = a.branch, limit = a.lsn; at !== null; at = at.parent) {
    const other = sharedUpTo(b, at)
    if (other !== null) return { branch: at, lsn: other < limit ? other : limit }
    if (at.forkLsn < limit) limit = at.forkLsn
  }
  return null
}

/** The history file of the timeline, oldest first. */
export function historyOf(tip: Branch): TimelineSwitch[] {
  const switches: TimelineSwitch[] = []
  for (let at = tip; at.parent !== null; at = at.parent)
    switches.unshift({
      timeline: at.parent.timeline,
      switchpoint: at.forkLsn,
      reason: 'no recovery target specified',
    })
  return switches
}
