type Listener = () => void

/**
 * What the code under test uses of AbortSignal, without the cost of a real event target: a simulated hour makes a
 * hundred thousand of them. Listeners are called at once and in order, as with the real one.
 */
class LightSignal {
  aborted = false
  reason: unknown = undefined
  #listeners: Set<Listener> | null = null

  addEventListener(_type: string, listener: Listener): void {
    this.#listeners ??= new Set()
    this.#listeners.add(listener)
  }

  removeEventListener(_type: string, listener: Listener): void {
    this.#listeners?.delete(listener)
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason
  }

  fire(reason: unknown): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    const listeners = this.#listeners
    this.#listeners = null
    if (listeners) for (const listener of listeners) listener()
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
