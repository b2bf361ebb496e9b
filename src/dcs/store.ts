import type { JsonObject } from '../cluster/json.ts'
import type { ClusterView } from '../cluster/view.ts'
import type { Budget, Clock, Random } from '../ports/clock.ts'
import type { Dcs, DcsTiming, StoreOutcome } from '../ports/dcs.ts'
import type { Log } from '../ports/log.ts'

/**
 * `member`: holds a lease, keeps a copy of the tree that a watch feeds, may take the lock.
 * `client`: the command-line tool; no lease, no watch, each read asks the store for its latest state.
 */
export type StoreMode = 'member' | 'client'

export type StartOutcome =
  | { readonly kind: 'ready' }
  /** The signal ended the wait. `reason`: why the store could not be reached until then. */
  | { readonly kind: 'stopped'; readonly reason: string }
  /** Waiting longer cannot help, such as wrong credentials. The text is for the log, level critical. */
  | { readonly kind: 'fatal'; readonly text: string }

/** A store as the agent and the command-line tool open it. Creating one does nothing; `start` connects. */
export interface Store extends Dcs {
  /** Waits, for ever unless the signal ends it, until the store can be used. Logs `waiting on ...` every 5 s. */
  start(signal: AbortSignal): Promise<StartOutcome>
  /** One read of every group below the prefix, by number: for a formation of which the prefix names no group. */
  loadGroups(budget: Budget): Promise<StoreOutcome<ReadonlyMap<number, ClusterView>>>
  /** The local configuration was read again: takes over what can change while running (credentials). */
  reload(section: JsonObject): void
}

export interface StoreIdentity {
  /** Of this member; for a client any name. */
  readonly name: string
  /** `/<namespace>/<scope>/`, group included where there is one. */
  readonly prefix: string
  readonly mode: StoreMode
  readonly timing: DcsTiming
}

export interface StoreDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Sent to stores that speak HTTP. */
  readonly userAgent: string
}

/** Pause between attempts to reach the store at start: hosts that boot together should not wait for each other longer. */
export const START_PAUSE_MS = 1000
/** How often a start that waits says so (spec dcs.md 3.1). */
export const TELL_WAITING_MS = 5000
