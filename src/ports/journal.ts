import type { Json, JsonObject } from '../cluster/json.ts'
import type { Instant } from '../cluster/time.ts'

/** One step of a cycle as the journal keeps it: what was asked of the world, what it answered, which rule decided. */
export interface JournalEntry {
  readonly kind: 'saw' | 'asked' | 'decided' | 'did'
  readonly what: string
  readonly detail?: JsonObject | Json
}

/** Explains afterwards what the agent did and why. Never fails and never waits. */
export interface Journal {
  record(entry: JournalEntry): void
  /** Ends a cycle: its result and how long it took. */
  endCycle(result: {
    readonly rule: string
    readonly text: string
    readonly startedAt: Instant
    readonly endedAt: Instant
  }): void
}
