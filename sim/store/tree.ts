import { type StoredValue, type Version, version } from '../../src/cluster/stored.ts'
import type { Scheduler } from '../engine/scheduler.ts'

export type Keys = ReadonlyMap<string, StoredValue>
export type ChangeKind = 'created' | 'changed' | 'deleted'
/** @param author session that wrote it, `null` for an expiry or an operator */
export type ChangeListener = (key: string, kind: ChangeKind, author: string | null) => void

interface Session {
  ttlMs: number
  expiresAt: number
  watched: boolean
}

interface PastState {
  readonly at: number
  readonly revision: number
  readonly keys: Keys
}

/** How long old states are kept, for readers that lag. */
const HISTORY_MS = 120_000

/**
 * The truth of the store: one linearizable map with versions, and sessions (leases) whose keys vanish exactly when
 * they expire by the store's clock. States are immutable, so that a lagging reader or a backup just keeps an old one.
 */
export class StoreTree {
  readonly #scheduler: Scheduler
  #keys: Keys = new Map()
  #revision = 1
  readonly #sessions = new Map<string, Session>()
  readonly #history: PastState[] = []
  readonly #listeners = new Set<ChangeListener>()

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler
  }

  get keys(): Keys {
    return this.#keys
  }

  get revision(): number {
    return this.#revision
  }

  onChange(listener: ChangeListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The state `lagMs` ago, but not older than `leastRevision`: a reader sees at least what it wrote itself. */
  past(lagMs: number, leastRevision: number): Keys {
    if (lagMs <= 0) return this.#keys
    const wanted = this.#scheduler.now - lagMs
    for (let i = this.#history.length - 1; i >= 0; i--) {
      const state = this.#history[i] as PastState
      if (state.at <= wanted || state.revision <= leastRevision) return state.keys
    }
    return this.#history[0]?.keys ?? this.#keys
  }

  put(key: string, text: string, session: string | null, author: string | null): Version {
    const before = this.#keys.get(key)
    this.#revision++
    const stored: StoredValue = { text, version: version(String(this.#revision)), session }
    this.#replace(new Map(this.#keys).set(key, stored))
    if (before?.text !== text) this.#tell(key, before ? 'changed' : 'created', author)
    return stored.version
  }

  delete(key: string, author: string | null): void {
    if (!this.#keys.has(key)) return
    this.#revision++
    const keys = new Map(this.#keys)
    keys.delete(key)
    this.#replace(keys)
    this.#tell(key, 'deleted', author)
  }

  /** Grants the session or prolongs it: it ends `ttlMs` from now. */
  refresh(id: string, ttlMs: number): void {
    const session = this.#sessions.get(id) ?? { ttlMs, expiresAt: 0, watched: false }
    this.#sessions.set(id, session)
    session.ttlMs = ttlMs
    session.expiresAt = this.#scheduler.now + ttlMs
    this.#watch(id, session)
  }

  isAlive(session: string): boolean {
    return this.#sessions.has(session)
  }

  revoke(id: string): void {
    this.#sessions.delete(id)
    for (const [key, stored] of this.#keys) if (stored.session === id) this.delete(key, null)
  }

  /** Everything is lost, sessions as well. */
  wipe(): void {
    for (const id of this.#sessions.keys()) this.revoke(id)
    for (const key of this.#keys.keys()) this.delete(key, null)
  }

  /** A backup is put back: old values, old versions again, and every session in it lives for a full ttl. */
  restore(backup: Keys): void {
    const before = this.#keys
    this.#replace(backup)
    const ttlMs = Math.max(...[...this.#sessions.values()].map((one) => one.ttlMs), 1000)
    this.#sessions.clear()
    for (const { session } of backup.values()) if (session !== null) this.refresh(session, ttlMs)
    for (const key of new Set([...before.keys(), ...backup.keys()])) {
      const [old, now] = [before.get(key), backup.get(key)]
      if (old?.text !== now?.text) this.#tell(key, !now ? 'deleted' : old ? 'changed' : 'created', null)
    }
  }

  /** One timer a session: it looks again later when the session was prolonged meanwhile. */
  #watch(id: string, session: Session): void {
    if (session.watched) return
    session.watched = true
    this.#scheduler.at(session.expiresAt, () => {
      session.watched = false
      if (this.#sessions.get(id) !== session) return
      if (session.expiresAt > this.#scheduler.now) this.#watch(id, session)
      else this.revoke(id)
    })
  }

  #replace(keys: Keys): void {
    this.#keys = keys
    this.#history.push({ at: this.#scheduler.now, revision: this.#revision, keys })
    const first = this.#history[1]
    if (first && first.at < this.#scheduler.now - HISTORY_MS) this.#history.shift()
  }

  #tell(key: string, kind: ChangeKind, author: string | null): void {
    for (const listener of this.#listeners) listener(key, kind, author)
  }
}
