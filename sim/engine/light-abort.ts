type Listener = () => void

/**
 * What the code under test uses of AbortSignal, without the cost of a real event target: a simulated hour makes a
 * hundred thousand of them. Listeners are called at once and in order, as with the real one.
 */
class LightSignal {
  aborted = false
  reason: unknown = undefined
  /** Most have one listener at a time. It came before all the others. */
  #first: Listener | null = null
  #others: Set<Listener> | null = null

  addEventListener(_type: string, listener: Listener): void {
    if (this.#first === null && !this.#others?.size) this.#first = listener
    else if (this.#first !== listener) {
      this.#others ??= new Set()
      this.#others.add(listener)
    }
  }

  removeEventListener(_type: string, listener: Listener): void {
    if (this.#first === listener) this.#first = null
    else this.#others?.delete(listener)
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason
  }

  fire(reason: unknown): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    const first = this.#first
    const others = this.#others
    this.#first = null
    this.#others = null
    first?.()
    if (others) for (const listener of others) listener()
  }
}

const ABORTED = new Error('aborted')

class LightController {
  readonly signal = new LightSignal()

  abort(reason: unknown = ABORTED): void {
    this.signal.fire(reason)
  }
}

/** From here on every AbortController of this process is a light one. */
export function useLightAbortSignals(): void {
  globalThis.AbortController = LightController as unknown as typeof AbortController
}
