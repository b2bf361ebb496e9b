import type { Message, NodeId } from '../../src/raft/core/types.ts'
import type { Rng } from '../engine/random.ts'
import type { Scheduler } from '../engine/scheduler.ts'

/** Wires that lose, double, delay and reorder, and that can be cut in either direction. */
export class Network {
  sent = 0
  lost = 0
  doubled = 0
  delivered = 0
  lossRate = 0
  doubleRate = 0
  slowRate = 0
  /** `from>to`. */
  readonly cut = new Set<string>()
  readonly #scheduler: Scheduler
  readonly #rng: Rng
  readonly #deliver: (message: Message) => void

  constructor(scheduler: Scheduler, rng: Rng, deliver: (message: Message) => void) {
    this.#scheduler = scheduler
    this.#rng = rng
    this.#deliver = deliver
  }

  send(message: Message): void {
    this.sent += 1
    if (this.isCut(message.from, message.to) || this.#rng.chance(this.lossRate)) {
      this.lost += 1
      return
    }
    this.#carry(message)
    if (this.#rng.chance(this.doubleRate)) {
      this.doubled += 1
      this.#carry(message)
    }
  }

  isCut(from: NodeId, to: NodeId): boolean {
    return this.cut.has(`${from}>${to}`)
  }

  #carry(message: Message): void {
    // A straggler may come after an election or two.
    const ms = this.#rng.chance(this.slowRate) ? this.#rng.between(10, 4000) : this.#rng.between(0.2, 3)
    this.#scheduler.after(ms, () => {
      this.delivered += 1
      this.#deliver(message)
    })
  }

  heal(): void {
    this.cut.clear()
    this.lossRate = 0
    this.doubleRate = 0
    this.slowRate = 0
  }
}
