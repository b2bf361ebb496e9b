import type { Lsn } from '../cluster/lsn.ts'
import { printLsn } from '../cluster/lsn.ts'
import type { Timeline, TimelineSwitch } from '../cluster/timeline.ts'
import type { LocalPosition } from '../ports/postgres.ts'

/**
 * Whether the local history is a prefix of the leader's (spec ha.md 5.3).
 * `checkpointed`: a primary whose first checkpoint after its promotion is done. `check`: ask when the leader can be asked.
 */
export type DivergenceState = 'idle' | 'checkpointed' | 'check' | 'needed' | 'not-needed' | 'done' | 'failed'

/** What the comparison found, in the words of the log. `switchpoint` is where the leader left the local timeline. */
export interface Divergence {
  readonly needed: boolean
  readonly because:
    | 'local-timeline-newer'
    | 'same-timeline'
    | 'number-used-twice'
    | 'behind-switch'
    | 'past-switch'
    | 'shutdown-checkpoint-lost'
    | 'not-an-ancestor'
  readonly switchpoint: Lsn | null
}

/** The leader as it shows itself: its WAL is flushed up to `lsn`. */
export interface LeaderHistory {
  readonly timeline: Timeline
  readonly lsn: Lsn
  readonly history: readonly TimelineSwitch[]
}

/** What the local files say, beyond where the server stands. */
export interface LocalFiles {
  /** How the local timeline was come to; `null`: no file says so. */
  readonly history: readonly TimelineSwitch[] | null
  /**
   * End of the shutdown checkpoint record (0 when unreadable): a former primary whose last record is not exactly what the
   * leader branched off from has something that the leader never had.
   */
  readonly checkpointEnd: Lsn
}

/** Compares where the local server stands with the history of the leader. `local` was read before the leader was asked. */
export function compareHistories(local: LocalPosition, leader: LeaderHistory, files: LocalFiles): Divergence {
  const { history } = leader
  const { checkpointEnd } = files
  if (local.timeline > leader.timeline) return { needed: true, because: 'local-timeline-newer', switchpoint: null }
  if (local.timeline === leader.timeline) return compareOnOneNumber(local, leader, files.history ?? [])
  const line = history.find((one) => one.timeline >= local.timeline)
  if (!line || line.timeline !== local.timeline) return { needed: true, because: 'not-an-ancestor', switchpoint: null }
  const { switchpoint } = line
  if (local.inRecovery) {
    const past = local.lsn > switchpoint
    return { needed: past, because: past ? 'past-switch' : 'behind-switch', switchpoint }
  }
  if (local.lsn >= switchpoint) return { needed: true, because: 'past-switch', switchpoint }
  if (checkpointEnd !== switchpoint) return { needed: true, because: 'shutdown-checkpoint-lost', switchpoint }
  return { needed: false, because: 'behind-switch', switchpoint }
}

/**
 * Where the store lost what it knew of a promotion, another member may have begun a timeline of the same number. PostgreSQL
 * and pg_rewind take both for one: WAL of one would be replayed on top of the other.
 */
function compareOnOneNumber(
  local: LocalPosition,
  leader: LeaderHistory,
  ownHistory: readonly TimelineSwitch[],
): Divergence {
  const { history } = leader
  const isSame = (own: TimelineSwitch, i: number): boolean =>
    own.timeline === history[i]?.timeline && own.switchpoint === history[i].switchpoint
  // No line: the file is missing, or only passes the number over.
  const cameTheSameWay = ownHistory.length === 0 || (ownHistory.length === history.length && ownHistory.every(isSame))
  if (cameTheSameWay && local.lsn <= leader.lsn) return { needed: false, because: 'same-timeline', switchpoint: null }
  return { needed: true, because: 'number-used-twice', switchpoint: null }
}

/** What a member has that its leader never had, and that a rewind or a new copy throws away. */
export interface Loss {
  readonly timeline: Timeline
  /** Where the histories part; `null`: the leader does not know the local timeline, so nobody can tell. */
  readonly from: Lsn | null
  readonly to: Lsn
  /** `null` where `from` is. */
  readonly bytes: number | null
}

/**
 * @param end of the local WAL, as far as it is known
 * @returns `null` where nothing is lost
 */
export function lossOf(local: LocalPosition, found: Divergence, end: Lsn): Loss | null {
  if (!found.needed) return null
  const to = end > local.lsn ? end : local.lsn
  const from = found.switchpoint !== null && found.switchpoint <= to ? found.switchpoint : null
  return { timeline: local.timeline, from, to, bytes: from === null ? null : to - from }
}

export function lossText({ timeline, from, to, bytes }: Loss, leader: string): string {
  if (from === null)
    return `WAL on timeline ${timeline} up to ${printLsn(to)} is not in the history of ${leader}, from where on is not known`
  return `${bytes} bytes of WAL on timeline ${timeline} from ${printLsn(from)} to ${printLsn(to)} are not in the history of ${leader}`
}

/** The lines of a history that an operator wants to see: the last few, and the one that decides. */
export function historyExcerpt(history: readonly TimelineSwitch[], local: Timeline): string {
  const at = history.findIndex((line) => line.timeline >= local)
  const shown =
    history.length > 4 && at >= 0 ? [...history.slice(Math.max(at - 1, 0), at + 2), ...history.slice(-1)] : history
  return [...new Set(shown)].map((line) => `${line.timeline}\t${printLsn(line.switchpoint)}\t${line.reason}`).join('\n')
}
