import { elapsedMs, type Instant } from '../../cluster/time.ts'
import type { Budget, Clock } from '../../ports/clock.ts'
import type { DcsTiming } from '../../ports/dcs.ts'
import type { Log } from '../../ports/log.ts'
import { isLeaseNotFound, type ServerError } from './errors.ts'
import type { Gateway } from './gateway.ts'
import { readKeepAlive } from './kv.ts'
import { int64 } from './wire.ts'

/** The lease as the store last confirmed it: it lives at least until `sentAt` plus its ttl. */
export interface HeldLease {
  readonly id: string
  readonly sentAt: Instant
}

export type LeaseOutcome =
  | ({ readonly kind: 'held' } & HeldLease)
  | { readonly kind: 'error'; readonly error: ServerError }
  | { readonly kind: 'unreachable'; readonly reason: string }

/**
 * The one lease of this process: the leader key and the member key live on it. Never revoked: after a restart a new
 * lease takes the keys over, and what was left behind expires by itself.
 */
export class OwnLease {
  readonly #gateway: Gateway
  readonly #clock: Clock
  readonly #log: Log
  #timing: DcsTiming
  #held: HeldLease | null = null
  #granting: Promise<LeaseOutcome> | null = null

  constructor(gateway: Gateway, clock: Clock, log: Log, timing: DcsTiming) {
    this.#gateway = gateway
    this.#clock = clock
    this.#log = log
    this.#timing = timing
  }

  get id(): string | null {
    return this.#held?.id ?? null
  }

  /** A lease keeps the ttl it was granted with: a new ttl needs a new lease, to which the keys are bound anew. */
  configure(timing: DcsTiming): void {
    if (timing.ttlMs !== this.#timing.ttlMs) this.#held = null
    this.#timing = timing
  }

  /** The server says that there is no such lease. */
  forget(id: string): void {
    if (this.#held?.id === id) this.#held = null
  }

  /** The lease, refreshed unless that was done less than half a `loop_wait` ago; granted where there is none. */
  ensure(budget: Budget): Promise<LeaseOutcome> {
    const held = this.#held
    if (held && elapsedMs(held.sentAt, this.#clock.now()) < this.#timing.loopWaitMs / 2) {
      return Promise.resolve({ kind: 'held', ...held })
    }
    return this.refresh(budget)
  }

  /** One keep-alive; a new lease where the old one has expired. */
  async refresh(budget: Budget): Promise<LeaseOutcome> {
    const held = this.#held
    if (!held) return this.#grantOnce(budget)
    const outcome = await this.#gateway.call('/lease/keepalive', { ID: held.id }, budget, 'persist')
    switch (outcome.kind) {
      case 'unreachable':
        return outcome
      case 'error':
        if (!isLeaseNotFound(outcome.error)) return outcome
        break
      case 'answer':
        if (readKeepAlive(outcome.answer) > 0) return this.#confirmed(held.id, outcome.sentAt)
        break
    }
    this.#log.info('The lease has expired in the store, asking for a new one')
    this.forget(held.id)
    return this.#grantOnce(budget)
  }

  /** Two callers at once must not end up with two leases. */
  #grantOnce(budget: Budget): Promise<LeaseOutcome> {
    if (this.#held) return Promise.resolve({ kind: 'held', ...this.#held })
    this.#granting ??= this.#grant(budget).finally(() => {
      this.#granting = null
    })
    return this.#granting
  }

  async #grant(budget: Budget): Promise<LeaseOutcome> {
    const { ttlMs } = this.#timing
    const body = { TTL: String(Math.ceil(ttlMs / 1000)) }
    const outcome = await this.#gateway.call('/lease/grant', body, budget, 'persist')
    if (outcome.kind !== 'answer') return outcome
    const id = int64(outcome.answer['ID'])
    if (id === '0') return { kind: 'unreachable', reason: 'the answer to a lease request has no lease in it' }
    const held = { id, sentAt: outcome.sentAt }
    // Granted for a ttl that is no longer wanted: good enough for now, the next refresh asks again.
    if (ttlMs === this.#timing.ttlMs) this.#held = held
    return { kind: 'held', ...held }
  }

  #confirmed(id: string, sentAt: Instant): LeaseOutcome {
    const held = { id, sentAt }
    // Of two refreshes under way at the same time the later one counts.
    if (this.#held?.id === id && this.#held.sentAt < sentAt) this.#held = held
    return { kind: 'held', ...held }
  }
}
