import { elapsedMs, type Instant, LONG_AGO } from '../cluster/time.ts'
import type { Budget, Clock } from '../ports/clock.ts'
import type { ObservationOutcome, Postgres } from '../ports/postgres.ts'

/** How long one look may take, however short the patience of those who asked for it. */
const LOOK_MS = 2000

/**
 * Looks into PostgreSQL for the REST server: one look at a time, shared by all who ask meanwhile. Whoever asks waits
 * no longer than his own budget; a server that hangs costs one connection, not one per request.
 */
export class Observer {
  #last: ObservationOutcome = { kind: 'unreachable', reason: 'not asked yet' }
  #lastAt: Instant = LONG_AGO
  #running: Promise<ObservationOutcome> | null = null
  readonly #postgres: Postgres
  readonly #clock: Clock

  constructor(postgres: Postgres, clock: Clock) {
    this.#postgres = postgres
    this.#clock = clock
  }

  async observe(maxAgeMs: number, budget: Budget): Promise<ObservationOutcome> {
    if (elapsedMs(this.#lastAt, this.#clock.now()) <= maxAgeMs) return this.#last
    this.#running ??= this.#look()
    return Promise.race([this.#running, impatience(budget.signal)])
  }

  /** What is known is out of date: the server was started, stopped or promoted. */
  forget(): void {
    this.#lastAt = LONG_AGO
  }

  async #look(): Promise<ObservationOutcome> {
    const startedAt = this.#clock.now()
    const { signal, done } = this.#clock.deadline((startedAt + LOOK_MS) as Instant)
    try {
      this.#last = await this.#postgres.look(signal)
    } catch (error) {
      this.#last = { kind: 'unreachable', reason: error instanceof Error ? error.message : String(error) }
    } finally {
      done()
      this.#lastAt = startedAt
      this.#running = null
    }
    return this.#last
  }
}

function impatience(signal: AbortSignal): Promise<ObservationOutcome> {
  const late: ObservationOutcome = { kind: 'unreachable', reason: 'no answer in time' }
  if (signal.aborted) return Promise.resolve(late)
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(late), { once: true }))
}
