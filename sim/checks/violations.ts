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
  | 'no ambient inputs'
  | 'heals'

export interface Violation {
  readonly atMs: number
  readonly invariant: Invariant
  readonly text: string
  readonly cause?: unknown
}

export class Violations {
  readonly #scheduler: Scheduler
  readonly found: Violation[] = []
  onFirst: () => void = () => {}

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler
  }

  report(invariant: Invariant, text: string, cause?: unknown): void {
    this.found.push({ atMs: this.#scheduler.now, invariant, text, cause })
    if (this.found.length === 1) this.onFirst()
  }
}
