import type { Scheduler } from '../engine/scheduler.ts'

/** What must never happen, by name. */
export type Invariant =
  | 'one writable primary'
  | 'no acknowledged row lost'
  | 'loss is bounded'
  | 'no timeline twice'
  | 'one cluster'
  | 'no mixed histories'
  | 'no exceptions'
  | 'no haste'
  | 'no ambient inputs'
  | 'heals'
  | 'as told'

export interface Violation {
  readonly atMs: number
  readonly invariant: Invariant
  readonly text: string
  readonly cause?: unknown
}

export class Violations {
  readonly #scheduler: Scheduler
  readonly found: Violation[] = []
  readonly #pardoned: ReadonlySet<string>

  /** @param pardoned invariants that are not looked at in this run */
  constructor(scheduler: Scheduler, pardoned: ReadonlySet<string>) {
    this.#scheduler = scheduler
    this.#pardoned = pardoned
  }

  report(invariant: Invariant, text: string, cause?: unknown): void {
    if (this.#pardoned.has(invariant)) return
    this.found.push({ atMs: this.#scheduler.now, invariant, text, cause })
  }
}
