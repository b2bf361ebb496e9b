import type { FailoverRequest } from '../cluster/failover-request.ts'
import type { HistoryRecord } from '../cluster/history.ts'
import type { JsonObject } from '../cluster/json.ts'
import type { Lsn } from '../cluster/lsn.ts'
import type { Status } from '../cluster/status.ts'
import type { Version } from '../cluster/stored.ts'
import type { Instant } from '../cluster/time.ts'
import { type ClusterView, KEYS } from '../cluster/view.ts'
import type { Budget } from './clock.ts'

/**
 * What became of an operation on the store. Only `refused` means that somebody else was faster or that the store said
 * no; `unknown` covers time-outs, transport errors and everything unclassified: it may or may not have happened.
 */
export type StoreOutcome<T = undefined> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string }

export const DONE: StoreOutcome = { kind: 'done', value: undefined }

/** A lock that was taken or kept. The lease runs from `sentAt`: before the request left, not after it was answered. */
export interface Lease {
  readonly sentAt: Instant
}

/** What changed in the store, as far as somebody may want to wake up for it. */
export type StoreEvent = 'leader' | 'config' | 'failover' | 'status' | 'sync' | 'members' | 'initialize' | 'connection'

/**
 * The keys by which an election was decided, each as it was read. `null`: there was none; left out: it did not matter.
 */
export interface ElectionBasis {
  readonly sync?: Version | null
  readonly status?: Version | null
  readonly failsafe?: Version | null
}

/** The keys, relative to the tree, that have to be as they were read for the lock to be taken; `null`: absent. */
export function keysAsRead(basis: ElectionBasis): readonly (readonly [key: string, seen: Version | null])[] {
  return (['sync', 'status', 'failsafe'] as const).flatMap((name) => {
    const seen = basis[name]
    return seen === undefined ? [] : [[KEYS[name], seen] as const]
  })
}

export interface SyncWrite {
  readonly leader: string
  readonly voters: readonly string[]
  readonly quorum: number
}

/**
 * The distributed store, as the rest of the program sees it: one tree for one cluster and one lock in it
 * (spec dcs.md 1.3). No method throws for anything the store, the network or a value in the store can do.
 *
 * `version` arguments: a compare-and-set against exactly that version; `null`: write whatever is there.
 */
export interface Dcs {
  /** The cluster as the store has it. Never `refused`. A missing tree is an empty view, not an error. */
  load(budget: Budget): Promise<StoreOutcome<ClusterView>>

  /**
   * Creates the leader key if there is none. `refused`: somebody has it.
   * @param basis where the store has something else, because it knows more than this member has heard yet, that is
   *              `refused` too
   */
  acquire(budget: Budget, basis?: ElectionBasis): Promise<StoreOutcome<Lease>>
  /**
   * Prolongs the lock that `view` shows as ours; re-creates a key that has vanished, unless `mayCreate` is false.
   * `refused`: it belongs to somebody else, or is gone and may not be created, and nothing but that: a store that forbids
   * it or fails says nothing about the owner (spec dcs.md 6.4).
   */
  renew(view: ClusterView, budget: Budget, mayCreate?: boolean): Promise<StoreOutcome<Lease>>
  /** Writes the leader key whoever has it; only at the end of a bootstrap. */
  take(budget: Budget): Promise<StoreOutcome<Lease>>
  /** Deletes the leader key if it is ours. */
  release(budget: Budget): Promise<StoreOutcome>

  /** Publishes this member's key on our lease; does nothing when the store is known to hold the same. */
  touchMember(data: JsonObject, budget: Budget): Promise<StoreOutcome>
  /**
   * Writes `status` unless the last known content is the same. `refused`: the leader key does not name us; what somebody
   * who was leader once has still on its way must not overwrite the word of another.
   */
  writeStatus(status: Status, budget: Budget): Promise<StoreOutcome>
  /** The key of members older than 2.1: decimal position. */
  writeLegacyOptime(lsn: Lsn, budget: Budget): Promise<StoreOutcome>
  /** As `writeStatus`. */
  writeFailsafe(members: Readonly<Record<string, string>>, budget: Budget): Promise<StoreOutcome>
  /** As `writeStatus`: a leader of yesterday, frozen in the middle of it, must not undo what its successor wrote. */
  writeHistory(records: readonly HistoryRecord[], budget: Budget): Promise<StoreOutcome>
  /** Writes the request; all fields `null` blanks the key (`{}`). */
  writeFailover(
    request: Omit<FailoverRequest, 'version'>,
    version: Version | null,
    budget: Budget,
  ): Promise<StoreOutcome>
  writeConfig(document: JsonObject, version: Version | null, budget: Budget): Promise<StoreOutcome>
  /**
   * @param version `null` here means that there was no key: `refused` when there is one now (spec dcs.md 6.2)
   * @returns the version of the value written, for the next compare-and-set
   */
  writeSync(state: SyncWrite, version: Version | null, budget: Budget): Promise<StoreOutcome<Version | null>>
  deleteSync(version: Version | null, budget: Budget): Promise<StoreOutcome>
  /**
   * Writes `initialize`; with `createOnly` it is `refused` when the key exists. The empty value, "I am initializing",
   * lives on this member's lease where the store has such a thing.
   */
  writeInitialize(value: string, options: { readonly createOnly: boolean }, budget: Budget): Promise<StoreOutcome>
  deleteInitialize(budget: Budget): Promise<StoreOutcome>
  /** Removes the whole tree of this cluster. */
  deleteCluster(budget: Budget): Promise<StoreOutcome>

  /**
   * Calls back when something changes in the store that we did not write ourselves. Calls may be merged; after one, a
   * `load` shows the change. @returns unsubscribe
   */
  onChange(listener: (event: StoreEvent) => void): () => void
  /** New timings after a configuration change; takes effect with the next operation. */
  configure(timing: DcsTiming): void
  /** Ends watches and connections. Leases are left to expire. */
  close(): Promise<void>
}

export interface DcsTiming {
  readonly ttlMs: number
  readonly loopWaitMs: number
  readonly retryTimeoutMs: number
}
