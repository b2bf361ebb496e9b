import type { JsonObject } from '../cluster/json.ts'
import type { ClusterSettings, Timing } from '../cluster/settings.ts'
import type { Tags } from '../cluster/tags.ts'
import type { ClusterView } from '../cluster/view.ts'
import { lockOwner } from '../cluster/view.ts'
import type { Budget, Clock, Random } from '../ports/clock.ts'
import type { Dcs } from '../ports/dcs.ts'
import type { Fence } from '../ports/fence.ts'
import type { Journal } from '../ports/journal.ts'
import type { Log } from '../ports/log.ts'
import type { Peers } from '../ports/peers.ts'
import type { Postgres } from '../ports/postgres.ts'
import type { LongActions } from './long-action.ts'
import type { Memory } from './memory.ts'
import type { Mutex } from './mutex.ts'

/** Everything that decisions may ask of the world. */
export interface World {
  readonly name: string
  readonly clock: Clock
  readonly random: Random
  readonly dcs: Dcs
  readonly postgres: Postgres
  readonly peers: Peers
  readonly fence: Fence
  readonly log: Log
  readonly journal: Journal
  /** What the local configuration says of this member, as of now. */
  identity(): Identity
  /** The smallest timings that may be configured. */
  readonly minimumTiming: Timing
}

/** The part of the member key that comes from configuration. */
export interface Identity {
  readonly connUrl: string
  readonly apiUrl: string
  readonly proxyUrl: string | null
  readonly version: string
  /** Tags as published (spec configuration.md 12). */
  readonly tags: Tags
}

/** One agent's decision maker: the world, what it remembers, and what runs beside the loop. */
export interface Ha {
  readonly world: World
  readonly memory: Memory
  readonly actions: LongActions
  readonly mutex: Mutex
  /** Runs the next cycle at once. */
  readonly wake: () => void
}

/** One run of the decision: the view it was made on. `view` changes only where a rule says "reload the view". */
export interface Cycle extends Ha {
  view: ClusterView
  readonly settings: ClusterSettings
  readonly signal: AbortSignal
  /** The store did not answer in this cycle: nothing more is asked of it. */
  storeFailed: boolean
}

export function holdsLock(c: Cycle): boolean {
  return lockOwner(c.view) === c.world.name
}

/** Runs one operation on the store within `retry_timeout` or less. */
export async function withBudget<T>(
  ha: Ha,
  limitMs: number,
  parent: AbortSignal,
  operation: (budget: Budget) => Promise<T>,
): Promise<T> {
  const { clock } = ha.world
  const deadline = (clock.now() + limitMs) as Budget['deadline']
  const { signal, done } = clock.deadline(deadline, parent)
  try {
    return await operation({ deadline, signal })
  } finally {
    done()
  }
}

/** Runs one operation on the store with the whole `retry_timeout`. */
export function inStore<T>(
  c: Ha & { readonly signal: AbortSignal },
  operation: (budget: Budget) => Promise<T>,
): Promise<T> {
  return withBudget(c, c.memory.settings.retryTimeoutMs, c.signal, operation)
}

/** Writes down what happened in this cycle. */
export function saw(ha: Ha, what: string, detail?: JsonObject): void {
  ha.world.journal.record({ kind: 'saw', what, ...(detail ? { detail } : {}) })
}

export function did(ha: Ha, what: string, detail?: JsonObject): void {
  ha.world.journal.record({ kind: 'did', what, ...(detail ? { detail } : {}) })
}

export function decided(ha: Ha, what: string, detail?: JsonObject): void {
  ha.world.journal.record({ kind: 'decided', what, ...(detail ? { detail } : {}) })
}

/** Somebody who might take over, and what speaks for or against it. */
export function considered(ha: Ha, member: string, verdict: string, detail: JsonObject = {}): void {
  ha.world.journal.record({ kind: 'considered', what: member, detail: { verdict, ...detail } })
}

/** Says who has the lock, where a branch depends on it. Outside tools look for the line (spec ha.md 21.3). */
export function logLockOwner(c: Cycle): void {
  c.world.log.info(`Lock owner: ${lockOwner(c.view) ?? 'None'}; I am ${c.world.name}`)
}
