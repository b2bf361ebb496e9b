import { type Instant, later } from '../../cluster/time.ts'
import type { LeaseState } from './key-values.ts'

export interface DueLease {
  readonly lease: string
  readonly renewal: number
}

/**
 * When leases end, by the clock of one member. Each renewal counts from the moment when this member learnt of it: never
 * earlier than it was sent, so that a lease never ends before its owner believes it to, whoever leads. A member that has
 * just started, or got a snapshot, counts every lease anew from then.
 */
export class LeaseClock {
  readonly #ends = new Map<string, { readonly renewal: number; readonly at: Instant }>()

  /** To be called after entries were applied. */
  look(leases: ReadonlyMap<string, LeaseState>, now: Instant): void {
    for (const [lease, { ttlMs, renewal }] of leases) {
      if (this.#ends.get(lease)?.renewal !== renewal) this.#ends.set(lease, { renewal, at: later(now, ttlMs) })
    }
    for (const lease of this.#ends.keys()) if (!leases.has(lease)) this.#ends.delete(lease)
  }

  /** After a snapshot: what it says of renewals is no news of how long ago they were. */
  reset(): void {
    this.#ends.clear()
  }

  /** Only the leader acts on it, and only when it has applied everything that was committed before its term. */
  due(now: Instant): DueLease[] {
    return [...this.#ends].flatMap(([lease, { renewal, at }]) => (at <= now ? [{ lease, renewal }] : []))
  }
}
