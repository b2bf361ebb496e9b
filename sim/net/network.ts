import type { Rng } from '../engine/random.ts'
import type { Scheduler } from '../engine/scheduler.ts'

export interface Trouble {
  readonly delayMs: number
  /** Share of messages that never arrive. */
  readonly loss: number
}

const LATENCY_MS = 0.3
const JITTER_MS = 0.7

/**
 * Wires between nodes (hosts of members, the store, clients). A message that leaves or would arrive while its
 * direction is cut is lost; nobody is told. Cuts and troubles count, so faults may overlap.
 */
export class Network {
  readonly #scheduler: Scheduler
  readonly #rng: Rng
  readonly #cuts = new Map<string, Map<string, number>>()
  readonly #troubles: { readonly from: string; readonly to: string; readonly trouble: Trouble }[] = []
  readonly #onHeal: (() => void)[] = []

  constructor(scheduler: Scheduler, rng: Rng) {
    this.#scheduler = scheduler
    this.#rng = rng
  }

  isOpen(from: string, to: string): boolean {
    return from === to || !this.#cuts.get(from)?.get(to)
  }

  isOpenBothWays(a: string, b: string): boolean {
    return this.isOpen(a, b) && this.isOpen(b, a)
  }

  /** Cuts one direction. @returns what undoes it */
  cut(from: string, to: string): () => void {
    const row = this.#cuts.get(from) ?? new Map<string, number>()
    this.#cuts.set(from, row)
    row.set(to, (row.get(to) ?? 0) + 1)
    return once(() => {
      row.set(to, (row.get(to) ?? 1) - 1)
      for (const listener of this.#onHeal) listener()
    })
  }

  cutBothWays(a: string, b: string): () => void {
    const undo = [this.cut(a, b), this.cut(b, a)]
    return () => undo.forEach((one) => one())
  }

  degrade(from: string, to: string, trouble: Trouble): () => void {
    const entry = { from, to, trouble }
    this.#troubles.push(entry)
    return once(() => {
      this.#troubles.splice(this.#troubles.indexOf(entry), 1)
    })
  }

  onHeal(listener: () => void): void {
    this.#onHeal.push(listener)
  }

  /** One message; `arrive` runs at the other end, if it gets there. */
  send(from: string, to: string, arrive: () => void): void {
    if (!this.isOpen(from, to)) return
    let delay = from === to ? 0.05 : LATENCY_MS + JITTER_MS * this.#rng.next()
    for (const { from: a, to: b, trouble } of this.#troubles) {
      if (a !== from || b !== to) continue
      if (this.#rng.chance(trouble.loss)) return
      delay += trouble.delayMs * this.#rng.between(0.5, 1.5)
    }
    this.#scheduler.after(delay, () => {
      if (this.isOpen(from, to)) arrive()
    })
  }
}

function once(run: () => void): () => void {
  let done = false
  return () => {
    if (done) return
    done = true
    run()
  }
}
