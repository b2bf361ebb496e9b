import { type StoredValue, version } from '../../cluster/stored.ts'
import { type ClusterView, ViewReader } from '../../cluster/view.ts'
import type { StoreEvent } from '../../ports/dcs.ts'
import { eventOf as eventOfTexts } from '../events.ts'
import { isNewer, type KeyValue, newest } from './wire.ts'

/** One change as a watch reports it. */
export type Change =
  | { readonly kind: 'put'; readonly kv: KeyValue }
  | { readonly kind: 'delete'; readonly key: string; readonly modRevision: string }

/**
 * All keys under the prefix as of one revision. Fed by lists, by watch events and by our own writes, in whatever order
 * they arrive: older news about a key never replaces newer.
 */
export class Cache {
  readonly #prefix: string
  readonly #keys = new Map<string, KeyValue>()
  /** When deleted keys were deleted, so that a late answer to a write does not bring them back. */
  readonly #deleted = new Map<string, string>()
  readonly #reader = new ViewReader()
  #view: ClusterView | null = null
  /** Everything up to here is known. */
  revision = '0'

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  get(key: string): KeyValue | null {
    return this.#keys.get(key) ?? null
  }

  keys(): string[] {
    return [...this.#keys.keys()]
  }

  view(): ClusterView {
    this.#view ??= viewOf(this.#prefix, this.#keys.values(), this.#reader)
    return this.#view
  }

  /**
   * What a complete list, read at `revision`, tells that was not known. It is the truth about everything but our own
   * later writes. A revision older than what was seen already means a store that was restored from a backup: revisions
   * have begun anew, and those that are known mean nothing any more.
   */
  newsIn(list: readonly KeyValue[], revision: string): Change[] {
    if (isNewer(this.revision, revision)) this.forgetRevisions()
    const listed = new Set(list.map(({ key }) => key))
    const changes: Change[] = list.map((kv) => ({ kind: 'put', kv }))
    for (const key of this.#keys.keys()) {
      if (!listed.has(key)) changes.push({ kind: 'delete', key, modRevision: revision })
    }
    return changes.filter((change) => {
      const key = keyOf(change)
      if (isNewer(this.#knownRevision(key), revision)) return false
      return change.kind === 'delete' || this.#keys.get(key)?.modRevision !== change.kv.modRevision
    })
  }

  /** Takes over what `newsIn` has returned. @returns the key as it was before */
  correct(change: Change): KeyValue | null {
    const before = this.get(keyOf(change))
    this.#apply(change)
    return before
  }

  /** Everything up to `revision` has been applied. */
  reached(revision: string): void {
    this.revision = newest(this.revision, revision)
  }

  /** @returns the key as it was before; `undefined` when the change was known already */
  apply(change: Change): KeyValue | null | undefined {
    if (!this.#isNews(change)) return undefined
    const before = this.get(keyOf(change))
    this.#apply(change)
    return before
  }

  /** The store is another one than before. */
  forgetRevisions(): void {
    for (const [key, kv] of this.#keys) this.#keys.set(key, { ...kv, modRevision: '0' })
    this.#deleted.clear()
    this.#view = null
    this.revision = '0'
  }

  #isNews(change: Change): boolean {
    const key = keyOf(change)
    const known = this.#knownRevision(key)
    if (change.kind === 'delete') return this.#keys.has(key) && isNewer(change.modRevision, known)
    return isNewer(change.kv.modRevision, known)
  }

  /** For a key that is not there: since when, as far as we know. */
  #knownRevision(key: string): string {
    return this.#keys.get(key)?.modRevision ?? newest(this.#deleted.get(key) ?? '0', this.revision)
  }

  #apply(change: Change): void {
    this.#view = null
    if (change.kind === 'put') {
      this.#keys.set(change.kv.key, change.kv)
      this.#deleted.delete(change.kv.key)
    } else {
      this.#keys.delete(change.key)
      this.#deleted.set(change.key, change.modRevision)
    }
  }
}

export function keyOf(change: Change): string {
  return change.kind === 'put' ? change.kv.key : change.key
}

export function revisionOf(change: Change): string {
  return change.kind === 'put' ? change.kv.modRevision : change.modRevision
}

export function viewOf(prefix: string, list: Iterable<KeyValue>, reader = new ViewReader()): ClusterView {
  const keys = new Map<string, StoredValue>()
  for (const { key, value, modRevision, lease } of list) {
    if (key.startsWith(prefix)) {
      keys.set(key.slice(prefix.length), { text: value, version: version(modRevision), session: lease })
    }
  }
  return reader.read(keys)
}

/** @param key relative to the prefix */
export function eventOf(key: string, before: KeyValue | null, after: KeyValue | null): StoreEvent | null {
  return eventOfTexts(key, { before: before?.value ?? null, after: after?.value ?? null })
}
