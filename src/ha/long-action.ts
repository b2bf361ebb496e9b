import type { Instant } from '../cluster/time.ts'
import type { Clock } from '../ports/clock.ts'

export type Begun<T> =
  | { readonly kind: 'begun'; readonly ended: Promise<T> }
  | { readonly kind: 'busy'; readonly running: string }

interface Running {
  readonly name: string
  readonly since: Instant
  readonly abort: AbortController
  readonly ended: Promise<unknown>
}

/**
 * The one background action that may run beside the loop (spec ha.md 1.6). A second one is refused with the name of
 * the first. Its end wakes the loop.
 */
export class LongActions {
  #running: Running | null = null
  readonly #clock: Clock
  readonly #onEnd: () => void
  readonly #onError: (name: string, error: unknown) => void

  constructor(clock: Clock, onEnd: () => void, onError: (name: string, error: unknown) => void) {
    this.#clock = clock
    this.#onEnd = onEnd
    this.#onError = onError
  }

  get name(): string | null {
    return this.#running?.name ?? null
  }

  get since(): Instant | null {
    return this.#running?.since ?? null
  }

  /** Starts `work` without waiting for it. The signal it gets aborts when the action is cancelled. */
  begin<T>(name: string, work: (signal: AbortSignal) => Promise<T>): Begun<T | undefined> {
    if (this.#running) return { kind: 'busy', running: this.#running.name }
    const abort = new AbortController()
    const ended = Promise.resolve()
      .then(() => work(abort.signal))
      .catch((error: unknown) => {
        if (!abort.signal.aborted) this.#onError(name, error)
        return undefined
      })
      .then((value) => {
        this.#running = null
        this.#onEnd()
        return value
      })
    this.#running = { name, since: this.#clock.now(), abort, ended }
    return { kind: 'begun', ended }
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
