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

const NEVER = new AbortController().signal

interface Running {
  readonly name: string
  readonly since: Instant
  readonly abort: AbortController
  readonly ended: Promise<unknown>
}

/** After an action that failed the next cycle comes this much later: it would begin the same action again at once. */
const PAUSE_AFTER_FAILURE_MS = 1000

/**
 * The one background action that may run beside the loop (spec ha.md 1.6). A second one is refused with the name of
 * the first. Its end wakes the loop.
 */
export class LongActions {
  #running: Running | null = null
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
        void this.#announceEnd(value === false)
        return value
      })
    this.#running = { name, since, abort, ended }
    return { kind: 'begun', ended }
  }

  async #announceEnd(failed: boolean): Promise<void> {
    if (failed) await this.#clock.sleep(PAUSE_AFTER_FAILURE_MS, NEVER)
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
