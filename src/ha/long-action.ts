import { elapsedMs, type Instant } from '../cluster/time.ts'
import type { Clock } from '../ports/clock.ts'

export type Begun<T> =
  | { readonly kind: 'begun'; readonly ended: Promise<T> }
  | { readonly kind: 'busy'; readonly running: string }

/** `tookMs` at its end only. */
export interface ActionStep {
  readonly step: 'begun' | 'ended'
  readonly name: string
  readonly tookMs?: number
}

interface Running {
  readonly name: string
  readonly since: Instant
  readonly abort: AbortController
  readonly ended: Promise<unknown>
}

/**
 * After an action that failed the next cycle comes this much later: it would begin the same action again at once. Each
 * further failure of the same action doubles it.
 */
const PAUSE_AFTER_FAILURE_MS = 1000
const PAUSE_MAX_MS = 8000

/**
 * The one background action that may run beside the loop (spec ha.md 1.6). A second one is refused with the name of
 * the first. Its end wakes the loop.
 */
export class LongActions {
  #running: Running | null = null
  /** The last action that ended, while it only ever failed. */
  #failed = { name: '', pauseMs: 0 }
  /** After a failure. The next action, whichever it is, ends it: that one will wake the loop. */
  #pause: AbortController | null = null
  readonly #clock: Clock
  readonly #onEnd: () => void
  readonly #onError: (name: string, error: unknown) => void
  readonly #onStep: (step: ActionStep) => void

  constructor(
    clock: Clock,
    onEnd: () => void,
    onError: (name: string, error: unknown) => void,
    onStep: (step: ActionStep) => void = () => {},
  ) {
    this.#clock = clock
    this.#onEnd = onEnd
    this.#onError = onError
    this.#onStep = onStep
  }

  get name(): string | null {
    return this.#running?.name ?? null
  }

  get since(): Instant | null {
    return this.#running?.since ?? null
  }

  /**
   * Starts `work` without waiting for it. The signal it gets aborts when the action is cancelled. Work that
   * would be begun again at once answers `false`.
   */
  begin<T>(name: string, work: (signal: AbortSignal) => Promise<T>): Begun<T | undefined> {
    if (this.#running) return { kind: 'busy', running: this.#running.name }
    this.#pause?.abort()
    const abort = new AbortController()
    const since = this.#clock.now()
    this.#onStep({ step: 'begun', name })
    const ended = Promise.resolve()
      .then(() => (abort.signal.aborted ? undefined : work(abort.signal)))
      .catch((error: unknown) => {
        if (!abort.signal.aborted) this.#onError(name, error)
        return undefined
      })
      .then((value) => {
        this.#running = null
        this.#onStep({ step: 'ended', name, tookMs: elapsedMs(since, this.#clock.now()) })
        void this.#announceEnd(name, value === false)
        return value
      })
    this.#running = { name, since, abort, ended }
    return { kind: 'begun', ended }
  }

  async #announceEnd(name: string, failed: boolean): Promise<void> {
    const again = this.#failed.name === name
    const pauseMs = again ? Math.min(2 * this.#failed.pauseMs, PAUSE_MAX_MS) : PAUSE_AFTER_FAILURE_MS
    this.#failed = failed ? { name, pauseMs } : { name: '', pauseMs: 0 }
    if (failed) {
      const pause = new AbortController()
      this.#pause = pause
      await this.#clock.sleep(pauseMs, pause.signal)
      if (pause.signal.aborted) return
    }
    this.#onEnd()
  }

  /** Tells the action to stop, without waiting. */
  abort(): void {
    this.#running?.abort.abort()
  }

  /** Tells the action to stop and waits until it has. */
  async cancel(): Promise<void> {
    const running = this.#running
    if (!running) return
    running.abort.abort()
    await running.ended
  }
}
