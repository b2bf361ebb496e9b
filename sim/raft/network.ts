import type { Body, Message, NodeId } from '../../src/raft/core/types.ts'
import type { Rng } from '../engine/random.ts'
import type { Scheduler } from '../engine/scheduler.ts'
import { Violation } from './checks.ts'

/** Usual are some hundred; a follower far behind, on wires that reorder, has needed twenty thousand. */
const SENT_IN_SECOND_MAX = 100_000

const SLOW_MS = 4000
/** The silence after which a connection is given up. */
const NOTICE_MS = 3000

/** Wires that lose, double, delay and reorder, and that can be cut in either direction. */
export class Network {
  sent = 0
  lost = 0
  doubled = 0
  delivered = 0
  lossRate = 0
  doubleRate = 0
  slowRate = 0
  /** Stragglers take up to so long. */
  slowMs = SLOW_MS
  /** A connection is given up on which something long got stuck: the sender learns of it. */
  onBroken: (message: Message) => void = () => {}
  /** `from>to`. */
  readonly cut = new Set<string>()
  /** `from>to`: snapshots and commands are lost there, what is short arrives. */
  readonly blackHoles = new Set<string>()
  /** By sender: all that it sends takes so much longer. */
  readonly lagMs = new Map<NodeId, number>()
  readonly #scheduler: Scheduler
  readonly #rng: Rng
  readonly #deliver: (message: Message) => void
  #second = 0
  #sentInSecond = 0

  constructor(scheduler: Scheduler, rng: Rng, deliver: (message: Message) => void) {
    this.#scheduler = scheduler
    this.#rng = rng
    this.#deliver = deliver
  }

  send(message: Message): void {
    this.sent += 1
    this.#limit()
    if (this.#isLost(message) || this.#rng.chance(this.lossRate)) {
      this.lost += 1
      if (message.body.kind === 'snapshot') this.#scheduler.after(NOTICE_MS, () => this.onBroken(message))
      return
    }
    this.#carry(message)
    if (this.#rng.chance(this.doubleRate)) {
      this.doubled += 1
      this.#carry(message)
    }
  }

  /** Members that keep each other busy for nothing: each answer makes more than one question. */
  #limit(): void {
    const second = Math.floor(this.#scheduler.now / 1000)
    if (second !== this.#second) this.#sentInSecond = 0
    this.#second = second
    this.#sentInSecond += 1
    if (this.#sentInSecond > SENT_IN_SECOND_MAX) throw new Violation('moderation', 'members send ever more messages')
  }

  #isLost({ from, to, body }: Message): boolean {
    if (this.cut.size === 0 && this.blackHoles.size === 0) return false
    const wire = `${from}>${to}`
    if (this.cut.has(wire)) return true
    return isLong(body) && this.blackHoles.has(wire)
  }

  #carry(message: Message): void {
    // A straggler may come after an election or two.
    const isSlow = this.#rng.chance(this.slowRate)
    const ms = isSlow ? this.#rng.between(3, this.slowMs) : this.#rng.between(0.2, 3)
    this.#scheduler.after(ms + (this.lagMs.get(message.from) ?? 0), () => {
      this.delivered += 1
      this.#deliver(message)
    })
  }

  heal(): void {
    this.cut.clear()
    this.blackHoles.clear()
    this.lagMs.clear()
    this.lossRate = 0
    this.doubleRate = 0
    this.slowRate = 0
    this.slowMs = SLOW_MS
  }
}

function isLong(body: Body): boolean {
  return (
    body.kind === 'snapshot' || (body.kind === 'append' && body.entries.some((entry) => entry.body.kind !== 'nothing'))
  )
}
