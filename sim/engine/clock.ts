import { type Instant, later } from '../../src/cluster/time.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Process } from './process.ts'
import type { Scheduler } from './scheduler.ts'

/** Virtual wall time at the start of the world: 2026-01-01T00:00:00Z. */
export const EPOCH_MS = 1767225600000

const PASSED = new Error('the deadline has passed')

/** The clocks of one host: a monotonic one that drifts a little, a wall clock that somebody may set. */
export class HostClock {
  readonly #scheduler: Scheduler
  readonly rate: number
  #bootedAt: number
  wallOffsetMs = 0

  /** @param driftPpm how much faster than the world, in millionths */
  constructor(scheduler: Scheduler, driftPpm: number, bootedAt: number) {
    this.#scheduler = scheduler
    this.rate = 1 + driftPpm / 1e6
    this.#bootedAt = bootedAt
  }

  now(): Instant {
    return ((this.#scheduler.now - this.#bootedAt) * this.rate) as Instant
  }

  wallMs(): number {
    return EPOCH_MS + this.#scheduler.now + this.wallOffsetMs
  }

  /** World milliseconds until this clock shows `instant`. */
  msUntil(instant: Instant): number {
    return Math.max(0, (instant - this.now()) / this.rate)
  }

  /** The monotonic clock starts anew with the host. */
  reboot(): void {
    this.#bootedAt = this.#scheduler.now - 1000
  }
}

/** The clock as one process sees it. */
export class ProcessClock implements Clock {
  readonly #host: HostClock
  readonly #process: Process

  constructor(host: HostClock, process: Process) {
    this.#host = host
    this.#process = process
  }

  now(): Instant {
    return this.#host.now()
  }

  wallMs(): number {
    return this.#host.wallMs()
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = (): void => {
        timer.cancelled = true
        signal.removeEventListener('abort', wake)
        resolve()
      }
      const timer = this.#process.after(this.#host.msUntil(later(this.now(), ms)), wake)
      signal.addEventListener('abort', wake)
    })
  }

  deadline(
    deadline: Instant,
    parent?: AbortSignal,
  ): {
    readonly signal: AbortSignal
    readonly done: () => void
  } {
    const controller = new AbortController()
    const onParent = (): void => {
      controller.abort(parent?.reason)
    }
    const timer = this.#process.after(this.#host.msUntil(deadline), () => {
      controller.abort(PASSED)
    })
    if (parent?.aborted) controller.abort(parent.reason)
    else parent?.addEventListener('abort', onParent)
    return {
      signal: controller.signal,
      done: () => {
        timer.cancelled = true
        parent?.removeEventListener('abort', onParent)
      },
    }
  }
}
