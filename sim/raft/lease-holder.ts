import type { Branch } from '../../src/raft/kv/command.ts'
import type { KeyChange } from '../../src/raft/kv/history.ts'
import type { Rng } from '../engine/random.ts'
import type { Scheduler } from '../engine/scheduler.ts'
import { Violation } from './checks.ts'
import type { Courier } from './courier.ts'

const TTL_MS = 3000
const LOCK = 'lock'
const LIMIT_MS = 1500

/** Competes for one lock as an agent does: believes in it until a term after its last renewal left. */
export class LeaseHolder {
  acquired = 0
  renewed = 0
  expired = 0
  isStopped = false
  /** By its own reckoning it holds the lock until then. */
  holdsUntil = 0
  readonly name: string
  readonly #scheduler: Scheduler
  readonly #rng: Rng
  readonly #courier: Courier
  readonly #rivals: () => readonly LeaseHolder[]
  #session: number | null = null
  #request = 0

  constructor(
    name: string,
    world: { scheduler: Scheduler; rng: Rng; courier: Courier; rivals: () => readonly LeaseHolder[] },
  ) {
    this.name = name
    this.#scheduler = world.scheduler
    this.#rng = world.rng
    this.#courier = world.courier
    this.#rivals = world.rivals
  }

  next(): void {
    if (this.isStopped) return
    // Now and then it is away for long enough to lose the lock.
    const pauseMs = this.#rng.chance(0.04) ? this.#rng.between(2000, 9000) : this.#rng.between(200, 900)
    this.#scheduler.after(pauseMs, () => {
      if (this.#session === null) this.#open()
      else this.#renew(this.#session)
    })
  }

  #open(): void {
    this.#courier.submit({ kind: 'open' }, LIMIT_MS, (outcome) => {
      if (outcome?.result.kind === 'opened') this.#session = outcome.result.session
      this.next()
    })
  }

  #renew(session: number): void {
    const lease = { kind: 'lease', lease: this.name, ttlMs: TTL_MS } as const
    const branches: Branch[] = [
      {
        conditions: [{ kind: 'value', key: LOCK, value: this.name }],
        changes: [lease, { kind: 'bind', key: LOCK, lease: this.name }],
      },
      {
        conditions: [{ kind: 'absent', key: LOCK }],
        changes: [lease, { kind: 'put', key: LOCK, value: this.name, lease: this.name }],
      },
    ]
    const sentAt = this.#scheduler.now
    this.#request += 1
    const request = this.#request
    const command = {
      kind: 'transaction',
      session,
      request,
      answeredBelow: request,
      transaction: { branches },
    } as const
    this.#courier.submit(command, LIMIT_MS, (outcome) => {
      if (outcome && outcome.result.kind !== 'carried-out') this.#session = null
      if (outcome?.result.kind === 'carried-out' && outcome.result.branch !== null)
        this.#held(sentAt, outcome.result.branch)
      this.next()
    })
  }

  #held(sentAt: number, branch: number): void {
    if (branch === 0) this.renewed += 1
    else this.acquired += 1
    this.holdsUntil = Math.max(this.holdsUntil, sentAt + TTL_MS)
    const { now } = this.#scheduler
    if (this.holdsUntil <= now) return
    const other = this.#rivals().find((rival) => rival !== this && rival.holdsUntil > now)
    if (other) throw new Violation('mutual exclusion', `${this.name} and ${other.name} both hold the lock`)
  }

  /** A change of the lock was committed. */
  onChange({ key, before, after, session }: KeyChange): void {
    if (key !== LOCK || before?.value !== this.name || after !== null || session !== null) return
    this.expired += 1
    if (this.#scheduler.now < this.holdsUntil) {
      const early = Math.round(this.holdsUntil - this.#scheduler.now)
      throw new Violation('leases never end early', `the lease of ${this.name} ended ${early} ms before its time`)
    }
  }
}
