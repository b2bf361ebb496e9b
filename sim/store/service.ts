import { type ClusterView, KEYS, ViewReader } from '../../src/cluster/view.ts'
import type { Rng } from '../engine/random.ts'
import type { Scheduler } from '../engine/scheduler.ts'
import type { Network } from '../net/network.ts'
import { type Keys, StoreTree } from './tree.ts'

export const STORE = 'store'

/** What is wrong with the store, for one member or for all. */
export type StoreTrouble =
  /** It takes requests and never answers; with `applies` it does what was asked all the same. */
  | { readonly kind: 'hung'; readonly applies: boolean }
  | { readonly kind: 'slow'; readonly delayMs: number }
  /** It answers with an error that says nothing about the request: 429, 500, half a document. */
  | { readonly kind: 'error'; readonly reason: string; readonly applies: boolean }
  /** It answers that this client may not: 403. Nothing is done. */
  | { readonly kind: 'forbidden'; readonly reason: string }
  /** It does what is asked, and its answer is lost in so many cases. */
  | { readonly kind: 'lost-replies'; readonly share: number }
  /** Reads are answered from a copy that lags so much. */
  | { readonly kind: 'stale'; readonly lagMs: number }

export interface StoreStyle {
  /** All keys of a member live on one session (etcd 3), or each key has a life of its own (etcd 2, Raft). */
  readonly sessions: 'shared' | 'per-key'
  /** Whether members hear of changes of keys other than leader, config, status and sync. */
  readonly tellsAll: boolean
  /** How long after a change members hear of it. */
  readonly watchDelayMs: number
  /** Keys of the leader are written whoever has the lock: what it would be like if the store did not look. */
  readonly ignoresHolder?: boolean
  /** How long it takes for every answer, with nothing wrong. */
  readonly usualDelayMs?: number
}

type Answer<T> =
  | { readonly kind: 'answer'; readonly value: T }
  | { readonly kind: 'error'; readonly reason: string; readonly forbidden: boolean }

interface Read {
  readonly view: ClusterView
  /** The status as it was written. */
  readonly status: string | null
}

const NO_TROUBLES: readonly StoreTrouble[] = []

/** The store as a service on the network: one tree, and what is wrong with the way to it. */
export class StoreService {
  readonly tree: StoreTree
  readonly style: StoreStyle
  readonly #network: Network
  readonly #scheduler: Scheduler
  readonly #rng: Rng
  readonly #reader = new ViewReader()
  /** The present, as understood once for all readers. */
  #present: { readonly changes: number; readonly read: Read } | null = null
  readonly #troubles = new Map<string, StoreTrouble[]>()

  constructor(scheduler: Scheduler, network: Network, rng: Rng, style: StoreStyle) {
    this.tree = new StoreTree(scheduler)
    this.style = style
    this.#scheduler = scheduler
    this.#network = network
    this.#rng = rng
  }

  /** @param member `*` for everybody. @returns what ends it */
  trouble(member: string, trouble: StoreTrouble): () => void {
    const list = this.#troubles.get(member) ?? []
    this.#troubles.set(member, list)
    list.push(trouble)
    return () => {
      const at = list.indexOf(trouble)
      if (at >= 0) list.splice(at, 1)
    }
  }

  /** As `trouble`, but only for attempts of this member to prolong its lock. */
  troubleOnRenewal(member: string, trouble: StoreTrouble): () => void {
    return this.trouble(`${member}/renewal`, trouble)
  }

  /** What a member reads that lags so much and has itself written up to `leastRevision`. */
  read(lagMs: number, leastRevision: number): Read {
    const { tree } = this
    if (lagMs > 0) return this.#understand(tree.past(lagMs, leastRevision))
    if (this.#present?.changes !== tree.changes)
      this.#present = { changes: tree.changes, read: this.#understand(tree.keys) }
    return this.#present.read
  }

  #understand(keys: Keys): Read {
    return { view: this.#reader.read(keys), status: keys.get(KEYS.status)?.text ?? null }
  }

  lagOf(member: string): number {
    let lag = 0
    for (const trouble of this.#troublesOf(member)) if (trouble.kind === 'stale') lag = Math.max(lag, trouble.lagMs)
    return lag
  }

  isHearing(member: string): boolean {
    return this.#network.isOpen(STORE, member) && !this.#troublesOf(member).some((one) => one.kind === 'hung')
  }

  /** One request over the wire; `reply` may never be called. */
  request<T>(
    member: string,
    what: 'renewal' | 'other',
    apply: (tree: StoreTree) => T,
    reply: (answer: Answer<T>) => void,
  ): void {
    this.#network.send(member, STORE, () => {
      const troubles = this.#troublesWith(member, what)
      const delay = troubles.reduce(
        (sum, one) => sum + (one.kind === 'slow' ? one.delayMs : 0),
        this.style.usualDelayMs ?? 0,
      )
      const handle = (): void => this.#handle(member, troubles, apply, reply)
      if (delay > 0) this.#scheduler.after(delay * this.#rng.between(0.5, 1.5), handle)
      else handle()
    })
  }

  #handle<T>(
    member: string,
    troubles: readonly StoreTrouble[],
    apply: (tree: StoreTree) => T,
    reply: (answer: Answer<T>) => void,
  ): void {
    const back = (answer: Answer<T>): void => {
      this.#network.send(STORE, member, () => reply(answer))
    }
    for (const trouble of troubles) {
      if (trouble.kind === 'hung') {
        if (trouble.applies) apply(this.tree)
        return
      }
      if (trouble.kind === 'forbidden') return back({ kind: 'error', reason: trouble.reason, forbidden: true })
      if (trouble.kind === 'error') {
        if (trouble.applies) apply(this.tree)
        return back({ kind: 'error', reason: trouble.reason, forbidden: false })
      }
      if (trouble.kind === 'lost-replies' && this.#rng.chance(trouble.share)) {
        apply(this.tree)
        return
      }
    }
    back({ kind: 'answer', value: apply(this.tree) })
  }

  #troublesWith(member: string, what: 'renewal' | 'other'): readonly StoreTrouble[] {
    const usual = this.#troublesOf(member)
    const special = what === 'renewal' ? this.#troubles.get(`${member}/renewal`) : undefined
    return special && special.length > 0 ? [...usual, ...special] : usual
  }

  #troublesOf(member: string): readonly StoreTrouble[] {
    const all = this.#troubles.get('*') ?? NO_TROUBLES
    const own = this.#troubles.get(member) ?? NO_TROUBLES
    return all.length + own.length === 0 ? NO_TROUBLES : [...all, ...own]
  }
}
