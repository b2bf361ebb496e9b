import { elapsedMs, type Instant } from '../../cluster/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'

/** The same trouble is told again after so long. */
const AGAIN_AFTER_MS = 60_000
const SUBJECTS_MAX = 200

interface Told {
  readonly text: string
  readonly at: Instant
  readonly isLoud: boolean
  /** When the trouble began, whatever was said of it since. */
  readonly since: Instant
}

/** Tells of a trouble when it begins and once a minute while it lasts, not each time that it is met. */
export class Complaints {
  readonly #clock: Pick<Clock, 'now'>
  readonly #log: Log
  readonly #told = new Map<string, Told>()

  constructor(clock: Pick<Clock, 'now'>, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  /** @param patienceMs a trouble that has not lasted so long is told, but no warning */
  note(subject: string, text: string, patienceMs = 0): void {
    const now = this.#clock.now()
    const last = this.#told.get(subject)
    const since = last?.since ?? now
    const isLoud = elapsedMs(since, now) >= patienceMs
    if (last && last.text === text && last.isLoud === isLoud && elapsedMs(last.at, now) < AGAIN_AFTER_MS) return
    if (this.#told.size >= SUBJECTS_MAX) this.#told.clear()
    this.#told.set(subject, { text, at: now, isLoud, since })
    if (isLoud) this.#log.warning(text)
    else this.#log.info(text)
  }

  over(subject: string, text: string): void {
    if (this.#told.delete(subject)) this.#log.info(text)
  }
}
