import type { JsonObject } from '../../cluster/json.ts'
import { type Version, version } from '../../cluster/stored.ts'
import type { Budget } from '../../ports/clock.ts'
import type { StoreOutcome } from '../../ports/dcs.ts'
import { DONE } from '../../ports/dcs.ts'
import type { CallOutcome, Effort, Gateway } from './gateway.ts'
import { type Condition, put, rangeOfPrefix, readVerdict, transaction } from './kv.ts'
import type { Mirror } from './mirror.ts'
import { encode, type KeyValue } from './wire.ts'

/** How a conditional change ended. `present`: what the key is where the conditions did not hold. */
export type ChangeOutcome =
  | { readonly kind: 'applied'; readonly modRevision: string }
  | { readonly kind: 'not-applied'; readonly present: KeyValue | null }
  | Exclude<CallOutcome, { readonly kind: 'answer' }>

/** What a write makes of a key: a value, on a lease or not; `null`: nothing. */
export interface Wanted {
  readonly value: string
  readonly lease: string | null
}

/** Changes to single keys, and what they mean for the copy in memory: every change of ours is in it at once. */
export class Writes {
  readonly #gateway: Gateway
  readonly #mirror: Mirror | null

  constructor(gateway: Gateway, mirror: Mirror | null) {
    this.#gateway = gateway
    this.#mirror = mirror
  }

  /** Sets or deletes the key whatever it is. */
  async put(key: string, wanted: Wanted | null, budget: Budget, effort: Effort): Promise<ChangeOutcome> {
    const done = this.#mirror?.ownWrites.begin(key, wanted?.value ?? null)
    try {
      const outcome = wanted
        ? await this.#gateway.call('/kv/put', put(key, wanted.value, wanted.lease), budget, effort)
        : await this.#gateway.call('/kv/deleterange', { key: encode(key) }, budget, effort)
      if (outcome.kind !== 'answer') return outcome
      return this.#applied(key, wanted, outcome.header.revision)
    } finally {
      done?.()
    }
  }

  /** Sets or deletes the key under conditions on what it is. @param others comparisons of other keys */
  async putIf(
    key: string,
    conditions: readonly Condition[],
    wanted: Wanted | null,
    budget: Budget,
    effort: Effort,
    others: readonly JsonObject[] = [],
  ): Promise<ChangeOutcome> {
    const change = wanted
      ? { request_put: put(key, wanted.value, wanted.lease) }
      : { request_delete_range: { key: encode(key) } }
    return this.transact(key, transaction(key, conditions, change, others), wanted, budget, effort)
  }

  /**
   * As `putIf`, for a transaction of the caller's making. An attempt whose answer was lost may have been applied: where
   * the key is as this write makes it, it was.
   */
  async transact(
    key: string,
    request: ReturnType<typeof transaction>,
    wanted: Wanted | null,
    budget: Budget,
    effort: Effort,
  ): Promise<ChangeOutcome> {
    const done = this.#mirror?.ownWrites.begin(key, wanted?.value ?? null)
    try {
      const outcome = await this.#gateway.call('/kv/txn', request, budget, effort)
      if (outcome.kind !== 'answer') return outcome
      const verdict = readVerdict(outcome)
      if (verdict.kind === 'applied') return this.#applied(key, wanted, verdict.revision)
      const { present } = verdict
      if (outcome.doubtful && isAsWanted(present, wanted)) {
        return this.#applied(key, wanted, present?.modRevision ?? verdict.revision)
      }
      this.#doubtCopy(key, present)
      return { kind: 'not-applied', present }
    } finally {
      done?.()
    }
  }

  async deleteAll(prefix: string, budget: Budget): Promise<ChangeOutcome> {
    const keys = this.#mirror?.cache.keys() ?? []
    const ends = keys.map((key) => this.#mirror?.ownWrites.begin(key, null))
    try {
      const outcome = await this.#gateway.call('/kv/deleterange', rangeOfPrefix(prefix), budget, 'persist')
      if (outcome.kind !== 'answer') return outcome
      const modRevision = outcome.header.revision
      for (const key of keys) this.#mirror?.written({ kind: 'delete', key, modRevision })
      return { kind: 'applied', modRevision }
    } finally {
      for (const end of ends) end?.()
    }
  }

  #applied(key: string, wanted: Wanted | null, modRevision: string): ChangeOutcome {
    this.#mirror?.written(
      wanted ? { kind: 'put', kv: { key, ...wanted, modRevision } } : { kind: 'delete', key, modRevision },
    )
    return { kind: 'applied', modRevision }
  }

  /** The store has something else than we believe: the copy in memory may be wrong about more than this key. */
  #doubtCopy(key: string, present: KeyValue | null): void {
    if (!this.#mirror?.ready) return
    if (this.#mirror.cache.get(key)?.modRevision !== present?.modRevision)
      this.#mirror.drop(`${key} is not as believed`)
  }
}

function isAsWanted(present: KeyValue | null, wanted: Wanted | null): boolean {
  if (!present || !wanted) return present === null && wanted === null
  return present.value === wanted.value && present.lease === wanted.lease
}

export function asOutcome(outcome: ChangeOutcome): StoreOutcome {
  const result = asVersion(outcome)
  return result.kind === 'done' ? DONE : result
}

export function asVersion(outcome: ChangeOutcome): StoreOutcome<Version> {
  switch (outcome.kind) {
    case 'applied':
      return { kind: 'done', value: version(outcome.modRevision) }
    case 'not-applied':
      return { kind: 'refused', reason: outcome.present ? 'somebody else has changed it' : 'it does not exist' }
    case 'error':
      // Where an earlier attempt may have got through, a refusal of the later one proves nothing.
      return { kind: outcome.doubtful ? 'unknown' : 'refused', reason: outcome.error.message }
    case 'unreachable':
      return { kind: 'unknown', reason: outcome.reason }
  }
}
