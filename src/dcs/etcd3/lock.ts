import type { JsonObject } from '../../cluster/json.ts'
import { type ClusterView, KEYS } from '../../cluster/view.ts'
import type { Budget } from '../../ports/clock.ts'
import { type ElectionBasis, keysAsRead, type Lease, type StoreOutcome } from '../../ports/dcs.ts'
import type { Log } from '../../ports/log.ts'
import { isLeaseNotFound } from './errors.ts'
import { type Condition, compare, conditionOn, rebind } from './kv.ts'
import type { HeldLease, LeaseOutcome, OwnLease } from './lease.ts'
import type { Mirror } from './mirror.ts'
import type { KeyValue } from './wire.ts'
import { asOutcome, type ChangeOutcome, type Writes } from './writes.ts'

interface Deps {
  /** Before every key of the tree. */
  readonly prefix: string
  readonly name: string
  readonly lease: OwnLease
  readonly writes: Writes
  readonly mirror: Mirror
  readonly log: Log
}

/** How often a lost race against ourselves (an expired lease, a changed key) is run again within one operation. */
const ROUNDS = 3

/** The leader key: its value is our name, and it lives on our lease (spec dcs.md 3.2, acquire, renew, take, release). */
export class Lock {
  readonly #deps: Deps
  readonly #key: string

  constructor(deps: Deps) {
    this.#deps = deps
    this.#key = deps.prefix + KEYS.leader
  }

  async acquire(budget: Budget, basis: ElectionBasis = {}): Promise<StoreOutcome<Lease>> {
    const { log, prefix, mirror } = this.#deps
    const unchanged = keysAsRead(basis).map(([key, seen]) => compare(prefix + key, conditionOn(seen)))
    const { lease, outcome } = await this.#onLease(budget, 'ensure', (id) =>
      this.#putIf([{ kind: 'absent' }], id, budget, unchanged),
    )
    if (!lease) return noLease(outcome, 'refused')
    if (outcome.kind === 'not-applied') {
      // Created by an attempt whose answer was lost, in this operation or an earlier one: it is ours all the same.
      if (this.#isMine(outcome.present, lease.id)) return { kind: 'done', value: { sentAt: lease.sentAt } }
      log.info('Could not take out TTL lock')
      if (outcome.present) return { kind: 'refused', reason: `${outcome.present.value} has the leader key` }
      mirror.drop('what decided the election is not as believed')
      return { kind: 'refused', reason: 'what decided the election has changed in the store since' }
    }
    return locked(outcome, lease, 'refused')
  }

  /**
   * At rest only the keep-alive: the copy in memory shows the key unchanged and on our lease. Otherwise the key is
   * bound to the lease if it still names us, or created if it is gone.
   */
  async renew(view: ClusterView, budget: Budget, mayCreate = true): Promise<StoreOutcome<Lease>> {
    const { mirror, name } = this.#deps
    const key = this.#key
    const { lease, outcome } = await this.#onLease(budget, 'refresh', async (id) => {
      const unchanged = mirror.ready
        ? this.#isMine(mirror.cache.get(key), id)
        : view.leader?.name === name && view.leader.session === id
      return unchanged
        ? null
        : this.#deps.writes.transact(
            key,
            rebind(key, name, id, mayCreate),
            { value: name, lease: id },
            budget,
            'persist',
          )
    })
    // That the store forbids something or has a problem does not say who has the lock.
    if (!lease) return noLease(outcome, 'unknown')
    if (outcome?.kind === 'not-applied') {
      return { kind: 'refused', reason: `${outcome.present?.value ?? 'nobody'} has the leader key` }
    }
    return outcome ? locked(outcome, lease, 'unknown') : { kind: 'done', value: { sentAt: lease.sentAt } }
  }

  /**
   * Overwrites whatever is there, but only what was there when this was asked for: a request that a hung server carries
   * out an hour later must not take the lock from another.
   */
  async take(budget: Budget): Promise<StoreOutcome<Lease>> {
    let present: KeyValue | null = this.#deps.mirror.cache.get(this.#key)
    for (let round = 1; ; round += 1) {
      const condition: Condition = present ? { kind: 'version', modRevision: present.modRevision } : { kind: 'absent' }
      const { lease, outcome } = await this.#onLease(budget, 'ensure', (id) => this.#putIf([condition], id, budget))
      if (!lease) return noLease(outcome, 'refused')
      if (outcome.kind !== 'not-applied') return locked(outcome, lease, 'refused')
      if (this.#isMine(outcome.present, lease.id)) return { kind: 'done', value: { sentAt: lease.sentAt } }
      if (round === ROUNDS) return { kind: 'refused', reason: 'others keep writing the leader key' }
      present = outcome.present
    }
  }

  /** Only this incarnation of the key: a late release must not delete a lock that was taken again since. */
  async release(budget: Budget): Promise<StoreOutcome> {
    const { mirror, name, writes } = this.#deps
    const known = mirror.ready ? mirror.cache.get(this.#key) : null
    if (mirror.ready && known?.value !== name) return { kind: 'refused', reason: 'the leader key is not ours' }
    const conditions: Condition[] = [{ kind: 'value', value: name }]
    if (known) conditions.push({ kind: 'version', modRevision: known.modRevision })
    const outcome = await writes.putIf(this.#key, conditions, null, budget, 'once')
    return outcome.kind === 'not-applied'
      ? { kind: 'refused', reason: 'the leader key is not ours' }
      : asOutcome(outcome)
  }

  #putIf(
    conditions: readonly Condition[],
    lease: string,
    budget: Budget,
    others: readonly JsonObject[] = [],
  ): Promise<ChangeOutcome> {
    const { name, writes } = this.#deps
    return writes.putIf(this.#key, conditions, { value: name, lease }, budget, 'persist', others)
  }

  #isMine(kv: KeyValue | null, lease: string): boolean {
    return kv?.value === this.#deps.name && kv.lease === lease
  }

  /** Runs a write on our lease; once more on a new one where the store says that the lease has expired meanwhile. */
  async #onLease<T extends ChangeOutcome | null>(
    budget: Budget,
    how: 'ensure' | 'refresh',
    write: (lease: string) => Promise<T>,
  ): Promise<
    | { readonly lease: HeldLease; readonly outcome: T }
    | { readonly lease: null; readonly outcome: Exclude<LeaseOutcome, { readonly kind: 'held' }> }
  > {
    for (let round = 1; ; round += 1) {
      const lease = round === 1 ? await this.#deps.lease[how](budget) : await this.#deps.lease.refresh(budget)
      if (lease.kind !== 'held') return { lease: null, outcome: lease }
      const outcome = await write(lease.id)
      if (round > 1 || outcome?.kind !== 'error' || !isLeaseNotFound(outcome.error)) return { lease, outcome }
      this.#deps.lease.forget(lease.id)
    }
  }
}

function noLease(
  outcome: Exclude<LeaseOutcome, { readonly kind: 'held' }>,
  whenForbidden: 'refused' | 'unknown',
): StoreOutcome<Lease> {
  return outcome.kind === 'error'
    ? { kind: whenForbidden, reason: outcome.error.message }
    : { kind: 'unknown', reason: outcome.reason }
}

function locked(
  outcome: Exclude<ChangeOutcome, { readonly kind: 'not-applied' }>,
  lease: HeldLease,
  whenForbidden: 'refused' | 'unknown',
): StoreOutcome<Lease> {
  if (outcome.kind === 'applied') return { kind: 'done', value: { sentAt: lease.sentAt } }
  if (outcome.kind === 'unreachable') return { kind: 'unknown', reason: outcome.reason }
  return { kind: outcome.doubtful ? 'unknown' : whenForbidden, reason: outcome.error.message }
}
