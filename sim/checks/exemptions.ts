import type { Scheduler } from '../engine/scheduler.ts'

/** What an operator may bring about by his own hand, and no program can prevent. */
export type Exempted =
  | 'two writers'
  | 'lost rows'
  | 'timeline twice'
  | 'mixed histories'
  | 'two clusters'
  /** That the cluster becomes whole without an operator who says which copy of the data counts. */
  | 'healing alone'

/** Invariants that do not hold for a while: a paused cluster, a store that was wiped under a partition. */
export class Exemptions {
  readonly #scheduler: Scheduler
  readonly #until = new Map<Exempted, number>()

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler
  }

  allow(what: Exempted, untilMs: number): void {
    this.#until.set(what, Math.max(this.#until.get(what) ?? 0, untilMs))
  }

  end(): void {
    this.#until.clear()
  }

  allows(what: Exempted): boolean {
    return (this.#until.get(what) ?? -1) >= this.#scheduler.now
  }
}
