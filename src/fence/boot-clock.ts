import { readFileSync } from 'node:fs'
import type { Instant } from '../cluster/time.ts'
import type { Clock } from '../ports/clock.ts'

/** Milliseconds since boot, sleep included, with a resolution of 10 ms. */
export function bootTimeMs(): number {
  return Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) * 1000
}

/**
 * Translates moments of the agent's monotonic clock, which stands still while the machine sleeps, to the clock that
 * does not. The distance between the two only ever grows, by the time slept. The distance as it was at the translation
 * before is used: after a sleep in between, the result is too early by that sleep, never too late.
 */
export class BootClock {
  readonly #clock: Clock
  readonly #bootTimeMs: () => number
  #distanceMs: number

  constructor(clock: Clock, boot: () => number = bootTimeMs) {
    this.#clock = clock
    this.#bootTimeMs = boot
    this.#distanceMs = this.#measure()
  }

  translate(moment: Instant): number {
    const translated = moment + this.#distanceMs
    this.#distanceMs = this.#measure()
    return translated
  }

  #measure(): number {
    return this.#bootTimeMs() - this.#clock.now()
  }
}
