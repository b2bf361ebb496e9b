import type { Scheduler } from '../engine/scheduler.ts'

/** The last lines of everybody's log and of what the world did to them, for the report of a violation. */
export class Trace {
  readonly #scheduler: Scheduler
  readonly #limit: number
  readonly #lines: string[] = []

  constructor(scheduler: Scheduler, limit: number) {
    this.#scheduler = scheduler
    this.#limit = limit
  }

  get isOn(): boolean {
    return this.#limit > 0
  }

  add(who: string, text: string): void {
    if (this.#limit === 0) return
    this.#lines.push(`${(this.#scheduler.now / 1000).toFixed(3).padStart(10)} ${who.padEnd(6)} ${text}`)
    if (this.#lines.length > this.#limit) this.#lines.splice(0, this.#lines.length - this.#limit)
  }

  lines(): readonly string[] {
    return this.#lines
  }
}
