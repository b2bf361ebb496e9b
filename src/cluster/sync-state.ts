import { isObject, type JsonObject, parseJson } from './json.ts'
import type { StoredValue, Version } from './stored.ts'
import { parseInteger } from './values.ts'

/**
 * The `sync` key: who may be promoted without losing an acknowledged commit (spec dcs.md 2.6).
 * `leader` is `null` when synchronous replication is not active; then the other fields mean nothing.
 */
export interface SyncState {
  /** `null` when the key does not exist. Kept for malformed values too: the next write must replace exactly that value. */
  readonly version: Version | null
  readonly leader: string | null
  readonly voters: readonly string[]
  /** How many other members must confirm a candidate; 0 in priority mode. */
  readonly quorum: number
}

export const NO_SYNC: SyncState = { version: null, leader: null, voters: [], quorum: 0 }

export function parseSyncState(stored: StoredValue | undefined): SyncState {
  if (!stored) return NO_SYNC
  const inactive = { ...NO_SYNC, version: stored.version }
  const parsed = parseJson(stored.text)
  if (!isObject(parsed)) return inactive
  const { leader, sync_standby: standby, quorum } = parsed
  if (typeof leader !== 'string' || leader === '') return inactive
  const votes = quorum === undefined || quorum === null ? 0 : parseInteger(quorum)
  if (votes === undefined) return inactive
  const voters = typeof standby === 'string' ? standby.split(',').map((name) => name.trim()) : []
  return { version: stored.version, leader, voters: voters.filter((name) => name !== ''), quorum: votes }
}

export function printSyncState(leader: string, voters: Iterable<string>, quorum: number): JsonObject {
  const names = [...voters].sort()
  return { leader, quorum, sync_standby: names.length > 0 ? names.join(',') : null }
}

/** Names in the key compare without regard to case: PostgreSQL folds application names in synchronous_standby_names. */
export function isVoter(sync: SyncState, name: string): boolean {
  return sync.leader !== null && sync.voters.some((voter) => voter.toLowerCase() === name.toLowerCase())
}

export function isSyncLeader(sync: SyncState, name: string): boolean {
  return sync.leader !== null && sync.leader.toLowerCase() === name.toLowerCase()
}

export function isSyncMember(sync: SyncState, name: string): boolean {
  return isVoter(sync, name) || isSyncLeader(sync, name)
}
