import { elapsedMs, type Instant } from '../cluster/time.ts'
import type { Budget, Clock, Random } from '../ports/clock.ts'

/** How the time left is divided: the first `endpoints` of the list, each with `tries` attempts of `perTryMs` in all. */
export interface Division {
  readonly endpoints: number
  readonly tries: number
  readonly perTryMs: number
  readonly connectMs: number
}

/** No attempt is made with less time than this, unless the whole retry time is short. */
const LEAST_TRY_MS = 1000

export function leastTryMs(retryTimeoutMs: number): number {
  return Math.min(LEAST_TRY_MS, retryTimeoutMs / 3)
}

/**
 * Divides the time left over the endpoints (spec dcs.md 1.6): up to three tries on a single endpoint, two on each of
 * two, one on each of more, and none shorter than `leastMs`; where time is short, endpoints at the tail are left out.
 * A twentieth of `leastMs` may be missing: preparing the request has already cost some of a budget that would fit exactly.
 * @returns `null` when there is no time for a single try
 */
export function divide(timeMs: number, endpoints: number, leastMs: number): Division | null {
  const least = leastMs * 0.95
  const most = 4 - Math.min(endpoints, 3)
  const share = timeMs / endpoints
  if (share >= least) {
    let tries = most
    while (tries > 1 && share / tries < least) tries -= 1
    return division(endpoints, tries, share / tries, leastMs)
  }
  const fitting = Math.min(endpoints, Math.floor(timeMs / least))
  return fitting < 1 ? null : division(fitting, 1, timeMs / fitting, leastMs)
}

function division(endpoints: number, tries: number, perTryMs: number, leastMs: number): Division {
  return { endpoints, tries, perTryMs, connectMs: Math.min(perTryMs, Math.max(leastMs, perTryMs / 2)) }
}

export function timeLeftMs(clock: Clock, budget: Budget): number {
  return budget.signal.aborted ? 0 : Math.max(0, elapsedMs(clock.now(), budget.deadline))
}

/** The earlier of a budget's end and `ms` from now; same signal. */
export function atMost(clock: Clock, budget: Budget, ms: number): Budget {
  return { signal: budget.signal, deadline: Math.min(budget.deadline, clock.now() + ms) as Instant }
}

/** Pauses between passes over the endpoints: 0.1 s doubled up to 1 s, and up to 0.8 s of jitter (spec dcs.md 1.6). */
export class Pauses {
  readonly #random: Random
  #nextMs = 100

  constructor(random: Random) {
    this.#random = random
  }

  next(): number {
    const ms = this.#nextMs
    this.#nextMs = Math.min(1000, ms * 2)
    return ms + this.#random.next() * 800
  }
}
