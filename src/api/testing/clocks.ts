import type { Instant } from '../../cluster/time.ts'
import type { Clock } from '../../ports/clock.ts'

/** Timers of the event loop, for tests with sockets. */
export const realClock: Clock = {
  now: () => performance.now() as Instant,
  wallMs: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve()
      const end = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', end)
        resolve()
      }
      const timer = setTimeout(end, ms)
      signal.addEventListener('abort', end)
    }),
  deadline: (at, parent) => {
    const abort = new AbortController()
    const leftMs = Math.min(Math.max(0, at - performance.now()), 2 ** 31 - 1)
    const timer = setTimeout(() => abort.abort(), leftMs)
    return follow(parent, abort, () => clearTimeout(timer))
  },
}

function follow(parent: AbortSignal | undefined, abort: AbortController, free: () => void) {
  const end = (): void => abort.abort(parent?.reason)
  if (parent?.aborted) end()
  parent?.addEventListener('abort', end)
  const done = (): void => {
    free()
    parent?.removeEventListener('abort', end)
  }
  return { signal: abort.signal, done }
}

interface Timer {
  readonly at: number
  readonly run: () => void
}

/** Time that passes only when a test says so. Starts at 0, on 21 November 2026, 12:00 UTC. */
export class ManualClock implements Clock {
  #now = 0
  #timers: Timer[] = []
  readonly #startWallMs = Date.UTC(2026, 10, 21, 12)

  now(): Instant {
    return this.#now as Instant
  }

  wallMs(): number {
    return this.#startWallMs + this.#now
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve()
      const end = (): void => {
        this.#remove(timer)
        signal.removeEventListener('abort', end)
        resolve()
      }
      const timer = this.#add(this.#now + ms, end)
      signal.addEventListener('abort', end)
    })
  }

  deadline(at: Instant, parent?: AbortSignal): { readonly signal: AbortSignal; readonly done: () => void } {
    const abort = new AbortController()
    const timer = this.#add(at, () => abort.abort(new Error('the time is over')))
    return follow(parent, abort, () => this.#remove(timer))
  }

  /** Lets time pass, timer by timer, with everything that follows from each. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await settle()
    for (;;) {
      const next = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      this.#remove(next)
      this.#now = Math.max(this.#now, next.at)
      next.run()
      await settle()
    }
    this.#now = end
  }

  #add(at: number, run: () => void): Timer {
    const timer = { at, run }
    this.#timers.push(timer)
    return timer
  }

  #remove(timer: Timer): void {
    this.#timers = this.#timers.filter((one) => one !== timer)
  }
}

/** Lets everything that is ready run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
}
