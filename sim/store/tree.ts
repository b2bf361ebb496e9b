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

interface Change {
  readonly at: number
  /** Of the tree after it. */
  readonly revision: number
  readonly key: string
  readonly before: StoredValue | undefined
}

/** How long changes are remembered, for readers that lag. */
const HISTORY_MS = 120_000

/**
 * The truth of the store: one linearizable map with versions, and sessions (leases) whose keys vanish exactly when
 * they expire by the store's clock. It remembers its changes: what a lagging reader sees is the present without the last.
 */
export class StoreTree {
  readonly #scheduler: Scheduler
  readonly #keys = new Map<string, StoredValue>()
  #revision = 1
  readonly #sessions = new Map<string, Session>()
  readonly #history: Change[] = []
  #changes = 0
  readonly #listeners = new Set<ChangeListener>()

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler
  }

  /** As they are at any moment: a caller that wants to keep them makes a copy. */
  get keys(): Keys {
    return this.#keys
  }

  /** Grows with each change, a restored backup included. */
  get changes(): number {
    return this.#changes
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
    const keys = new Map(this.#keys)
    const wanted = this.#scheduler.now - lagMs
    for (let i = this.#history.length - 1; i > 0; i--) {
      const change = this.#history[i] as Change
      if (change.at <= wanted || change.revision <= leastRevision) break
      if (change.before) keys.set(change.key, change.before)
      else keys.delete(change.key)
    }
    return keys
  }

  put(key: string, text: string, session: string | null, author: string | null): Version {
    const before = this.#keys.get(key)
    this.#revision++
    const stored: StoredValue = { text, version: version(String(this.#revision)), session }
    this.#change(key, stored)
    if (before?.text !== text) this.#tell(key, before ? 'changed' : 'created', author)
    return stored.version
  }

  delete(key: string, author: string | null): void {
    if (!this.#keys.has(key)) return
    this.#revision++
    this.#change(key, undefined)
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
    const before = new Map(this.#keys)
    for (const key of before.keys()) if (!backup.has(key)) this.#change(key, undefined)
    for (const [key, stored] of backup) this.#change(key, stored)
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

  #change(key: string, stored: StoredValue | undefined): void {
    this.#changes++
    this.#history.push({ at: this.#scheduler.now, revision: this.#revision, key, before: this.#keys.get(key) })
    if (stored) this.#keys.set(key, stored)
    else this.#keys.delete(key)
    const second = this.#history[1]
    if (second && second.at < this.#scheduler.now - HISTORY_MS) this.#history.shift()
  }

  #tell(key: string, kind: ChangeKind, author: string | null): void {
    for (const listener of this.#listeners) listener(key, kind, author)
  }
}
