import type { Lsn } from '../cluster/lsn.ts'
import { isSyncLeader, isSyncMember, isVoter, type SyncState } from '../cluster/sync-state.ts'
import { failoverPriority } from '../cluster/tags.ts'
import type { Timeline } from '../cluster/timeline.ts'
import type { PeerStatus } from '../ports/peers.ts'
import { limitation } from './peer-limits.ts'

/** What one member knows when it asks itself whether it is the healthiest. */
export interface Ballot {
  readonly name: string
  readonly lsn: Lsn
  /** `null`: not known, positions alone are compared. */
  readonly timeline: Timeline | null
  readonly priority: number
  /** `null`: votes are not counted. */
  readonly quorum: SyncState | null
  /** Synchronous replication is on, in whatever form. */
  readonly syncLeader: string | null
  /** Who was leader before. */
  readonly formerLeader: string | null
  /** The highest timeline number that anybody took for a promotion; `null`: none is known. */
  readonly reserved: Timeline | null
  /** Members that will not take over: nobody stands back for their priority. */
  readonly barred?: readonly string[]
}

export interface ElectionResult {
  readonly won: boolean
  /** What each answer meant, in the words of the log. */
  readonly notes: readonly { readonly level: 'info' | 'warning'; readonly text: string }[]
}

/**
 * Compares this member with those that answered (spec ha.md 6.3, rows 5 to 7). A member that does not answer is
 * neutral; a primary that still runs blocks everybody.
 */
export function countVotes(own: Ballot, answers: readonly PeerStatus[]): ElectionResult {
  const notes: { level: 'info' | 'warning'; text: string }[] = []
  const lost = (level: 'info' | 'warning', text: string): ElectionResult => ({
    won: false,
    notes: [...notes, { level, text }],
  })
  let votes = own.quorum && isSyncMember(own.quorum, own.name) ? 0 : -1
  let ahead = 0
  for (const peer of answers) {
    if (peer.kind === 'unreachable') continue
    // Whatever its tags say: two primaries are two primaries.
    if (!peer.inRecovery) return lost('warning', `Primary (${peer.name}) is still alive`)
    if (limitation(peer) !== null) continue
    if (isPassedOver(peer, own)) {
      const text = `Ignoring timeline ${peer.timeline} of ${peer.name}: it was passed over when this node was elected`
      notes.push({ level: 'info', text })
      continue
    }
    if (isAhead(peer, own)) {
      notes.push({ level: 'info', text: `Wal position of ${peer.name} is ahead of my wal position` })
      ahead += 1
      if (own.syncLeader === null || peer.name.toLowerCase() !== own.syncLeader.toLowerCase())
        return { won: false, notes }
      notes.push({ level: 'info', text: 'Ignoring the former leader being ahead of us' })
      continue
    }
    if (peer.lsn === 0) continue
    const priority = failoverPriority(peer.tags)
    let outranked = peer.lsn === own.lsn && own.priority < priority
    if (outranked && peer.name === own.formerLeader) {
      const text = `Ignoring former leader ${peer.name} having priority ${priority} higher than this nodes ${own.priority} priority`
      notes.push({ level: 'info', text })
      outranked = false
    }
    if (own.barred?.includes(peer.name)) outranked = false
    if (outranked && (!own.quorum || isSyncMember(own.quorum, peer.name))) {
      return lost(
        'info',
        `${peer.name} has equally tolerable WAL position and priority ${priority}, while this node has priority ${own.priority}`,
      )
    }
    // Behind by its timeline alone: what it says it has beyond us may be leftovers, and may be somebody's commits.
    if (peer.lsn > own.lsn) continue
    // Whoever does not know its timeline may have begun it a moment ago, and have acknowledged commits on it.
    if ((peer.timeline === null) !== (own.timeline === null)) continue
    if (own.quorum && isSyncMember(own.quorum, peer.name)) {
      notes.push({ level: 'info', text: `Got quorum vote from ${peer.name}` })
      votes += 1
    }
  }
  if (!own.quorum) return { won: true, notes }
  return { won: votes >= own.quorum.quorum || (ahead === 0 && isSyncLeader(own.quorum, own.name)), notes }
}

/** How a member stands against us in a race: for the journal, beside what the rules above make of it. */
export type Standing =
  | 'unreachable'
  | 'primary'
  | 'passed-over'
  | 'ahead'
  | 'behind'
  | 'equal'
  | 'equal-with-priority'
  | 'not-allowed'
  | 'watchdog-failed'

export function standing(peer: PeerStatus, own: Ballot): Standing {
  if (peer.kind === 'unreachable') return 'unreachable'
  if (!peer.inRecovery) return 'primary'
  const limit = limitation(peer)
  if (limit !== null) return limit === 'not watchdog capable' ? 'watchdog-failed' : 'not-allowed'
  if (isPassedOver(peer, own)) return 'passed-over'
  if (isAhead(peer, own)) return 'ahead'
  if (peer.lsn !== own.lsn || peer.timeline !== own.timeline) return 'behind'
  return failoverPriority(peer.tags) > own.priority ? 'equal-with-priority' : 'equal'
}

/** Whether the rules of the `sync` key let this member into a race at all. */
export function isElectable(sync: SyncState, name: string): boolean {
  return isVoter(sync, name) || isSyncLeader(sync, name)
}

/**
 * Positions on different timelines do not compare: what a member wrote beyond the point where its timeline ended was
 * given up when the next one began, however much it is.
 */
function isAhead(peer: Extract<PeerStatus, { kind: 'reachable' }>, own: Ballot): boolean {
  if (own.timeline !== null && peer.timeline !== null && own.timeline !== peer.timeline)
    return peer.timeline > own.timeline
  return peer.lsn > own.lsn
}

/**
 * Whom the `sync` key names as its leader was elected with everything that was acknowledged, and nobody was promoted since:
 * the key would be somebody else's. A newer timeline with a number below the one taken for that promotion had been begun
 * before it, and nothing was acknowledged on it. So the leader of yesterday does not wait for it when it failed before it
 * could begin its own. A longer one may still hold what this member had when it was elected and has lost since, and a store
 * put back from a backup names a number that such a timeline has reached: those are not passed over.
 */
function isPassedOver(peer: Extract<PeerStatus, { kind: 'reachable' }>, own: Ballot): boolean {
  if (!own.quorum || !isSyncLeader(own.quorum, own.name)) return false
  if (own.timeline === null || peer.timeline === null || own.reserved === null) return false
  return own.timeline < peer.timeline && peer.timeline < own.reserved && peer.lsn <= own.lsn
}
