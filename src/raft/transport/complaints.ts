import { elapsedMs, type Instant } from '../../cluster/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'

/** The same trouble is told again after so long. */
const AGAIN_AFTER_MS = 60_000
const SUBJECTS_MAX = 200

/** Tells of a trouble when it begins and once a minute while it lasts, not each time that it is met. */
export class Complaints {
  readonly #clock: Clock
  readonly #log: Log
  readonly #told = new Map<string, { readonly text: string; readonly at: Instant }>()

  constructor(clock: Clock, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  note(subject: string, text: string): void {
    const now = this.#clock.now()
    const last = this.#told.get(subject)
    if (last && last.text === text && elapsedMs(last.at, now) < AGAIN_AFTER_MS) return
    if (this.#told.size >= SUBJECTS_MAX) this.#told.clear()
    this.#told.set(subject, { text, at: now })
    this.#log.warning(text)
  }

  over(subject: string, text: string): void {
    if (this.#told.delete(subject)) this.#log.info(text)
  }
}
