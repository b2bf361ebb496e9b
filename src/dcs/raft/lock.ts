import type { Version } from '../../cluster/stored.ts'
import { elapsedMs, type Instant } from '../../cluster/time.ts'
import { KEYS } from '../../cluster/view.ts'
import type { Budget, Clock } from '../../ports/clock.ts'
import { type DcsTiming, DONE, type ElectionBasis, keysAsRead, type Lease, type StoreOutcome } from '../../ports/dcs.ts'
import type { Session } from '../../raft/client/session.ts'
import type { Branch, Change, Condition } from '../../raft/kv/command.ts'

export interface LockDeps {
  /** Before every key of the tree. */
  readonly prefix: string
  /** Of this member. */
  readonly name: string
  /** On which the lock and the member key live; of this process alone. */
  readonly lease: string
  readonly session: Session
  readonly clock: Clock
  readonly timing: () => DcsTiming
}

/** The leader key, and the lease of this member. Each change of the key prolongs the lease in the same step. */
export class Lock {
  readonly #deps: LockDeps
  readonly #key: string
  /** When the last request left that prolonged the lease. */
  #renewedAt: Instant | null = null

  constructor(deps: LockDeps) {
    this.#deps = deps
    this.#key = deps.prefix + KEYS.leader
  }

  /** To be put before every change that binds a key to the lease. */
  renewal(): Change {
    return { kind: 'lease', lease: this.#deps.lease, ttlMs: this.#deps.timing().ttlMs }
  }

  /** The lease has more than enough time left for another half of a cycle. */
  get isFresh(): boolean {
    const { clock, timing } = this.#deps
    return this.#renewedAt !== null && elapsedMs(this.#renewedAt, clock.now()) < timing().loopWaitMs / 2
  }

  renewed(sentAt: Instant): void {
    if (this.#renewedAt === null || sentAt > this.#renewedAt) this.#renewedAt = sentAt
  }

  acquire(budget: Budget, basis: ElectionBasis = {}): Promise<StoreOutcome<Lease>> {
    const unchanged = keysAsRead(basis).map(([key, seen]) => conditionOn(this.#deps.prefix + key, seen))
    const conditions: Condition[] = [{ kind: 'absent', key: this.#key }, ...unchanged]
    return this.#write([{ conditions, changes: [this.renewal(), this.#put()] }], budget)
  }

  renew(budget: Budget, mayCreate = true): Promise<StoreOutcome<Lease>> {
    const { name, lease } = this.#deps
    const key = this.#key
    const keep: Branch = {
      conditions: [{ kind: 'value', key, value: name }],
      changes: [this.renewal(), { kind: 'bind', key, lease }],
    }
    const create: Branch = { conditions: [{ kind: 'absent', key }], changes: [this.renewal(), this.#put()] }
    return this.#write(mayCreate ? [keep, create] : [keep], budget)
  }

  take(budget: Budget): Promise<StoreOutcome<Lease>> {
    return this.#write([{ conditions: [], changes: [this.renewal(), this.#put()] }], budget)
  }

  async release(budget: Budget): Promise<StoreOutcome> {
    const { name, session } = this.#deps
    const key = this.#key
    const branch: Branch = { conditions: [{ kind: 'value', key, value: name }], changes: [{ kind: 'delete', key }] }
    const outcome = await session.transact({ branches: [branch] }, budget)
    if (outcome.kind === 'unknown') return outcome
    return outcome.branch === null ? { kind: 'refused', reason: 'the lock is not ours' } : DONE
  }

  #put(): Change {
    const { name, lease } = this.#deps
    return { kind: 'put', key: this.#key, value: name, lease }
  }

  async #write(branches: readonly Branch[], budget: Budget): Promise<StoreOutcome<Lease>> {
    const { session, clock } = this.#deps
    // Before anything leaves: the lease never runs longer here than in the group.
    const sentAt = clock.now()
    const outcome = await session.transact({ branches }, budget)
    if (outcome.kind === 'unknown') return outcome
    if (outcome.branch === null)
      return { kind: 'refused', reason: 'somebody else has the lock, or what decided the election has changed' }
    this.renewed(sentAt)
    return { kind: 'done', value: { sentAt } }
  }
}

/** That a key is still as it was read; `null`: there was none. */
export function conditionOn(key: string, seen: Version | null): Condition {
  return seen === null ? { kind: 'absent', key } : { kind: 'version', key, version: Number(seen) }
}
