import type { Instant } from '../cluster/time.ts'

/** Time as the program may know it. The simulator has its own. */
export interface Clock {
  /** Monotonic: never jumps, counts on while the wall clock is set. */
  now(): Instant
  /** Wall clock in milliseconds since 1970: for printing and for `scheduled_at`, never for a deadline. */
  wallMs(): number
  /** Resolves after `ms`, or as soon as the signal aborts; never rejects. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
  /** A signal that aborts at `deadline`, or as soon as `parent` does. Call `done` to free its timer. */
  deadline(deadline: Instant, parent?: AbortSignal): { readonly signal: AbortSignal; readonly done: () => void }
}

export interface Random {
  /** Uniform in [0, 1). */
  next(): number
}

/**
 * How long an operation may take in all, retries included. Made where the operation begins, handed down unchanged;
 * nobody below adds a time-out of his own that is longer, or retries after the deadline.
 */
export interface Budget {
  readonly deadline: Instant
  readonly signal: AbortSignal
}
