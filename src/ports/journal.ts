import type { Json, JsonObject } from '../cluster/json.ts'
import type { Instant } from '../cluster/time.ts'

/** One step of a cycle as the journal keeps it: what was asked of the world, what it answered, which rule decided. */
export interface JournalEntry {
  /** `considered`: a member that might take over, and what speaks against it. */
  readonly kind: 'saw' | 'asked' | 'considered' | 'decided' | 'did'
  /** A stable name: `why` tells its story by it. */
  readonly what: string
  readonly detail?: JsonObject | Json
}

/** An entry with the moment at which it was made, in milliseconds since 1970. */
export interface TimedEntry extends JournalEntry {
  readonly at: number
}

/** What one cycle, or several that were alike, left behind. */
export interface CycleRecord {
  /** Counts up over the life of a journal, restarts of the agent included: tells records apart. */
  readonly number: number
  /** When the first of these cycles ended, in milliseconds since 1970. */
  readonly at: number
  /** When the last of them ended. */
  readonly until: number
  /** How many cycles in a row ended like this with the same steps. */
  readonly times: number
  /** The rule that decided (ha/messages.ts). */
  readonly rule: string
  readonly text: string
  /** Of the first of them. */
  readonly tookMs: number
  /** Of the first of them. */
  readonly entries: readonly TimedEntry[]
}

/** Everything that one cycle was told by the world, enough to run its decision again (ha/replay). */
export type CycleRecording = JsonObject

/** Explains afterwards what the agent did and why. Never fails and never waits. */
export interface Journal {
  /** Everything that the world answers in a cycle is asked for at its end. */
  readonly keepsRecordings?: boolean
  record(entry: JournalEntry): void
  /** Ends a cycle: its result and how long it took. */
  endCycle(result: {
    readonly rule: string
    readonly text: string
    readonly startedAt: Instant
    readonly endedAt: Instant
    /** Asked for only where the record is worth keeping. */
    readonly recording?: () => CycleRecording
  }): void
}
