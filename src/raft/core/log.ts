import { NOBODY } from './membership.ts'
import type { Entry, Membership, Restored, Snapshot } from './types.ts'

/** Memberships by the index of the entry that brought them. */
interface Settled {
  readonly index: number
  readonly membership: Membership
}

/**
 * The log of one member as far as it is in memory: everything after the last compaction. Invariants: entries are
 * contiguous from `firstIndex`; `snapshot.index` >= `firstIndex` - 1; applied <= committed <= `lastIndex`.
 */
export class RaftLog {
  #snapshot: Snapshot | null
  /** Entries kept from before the snapshot serve followers that are a little behind. */
  #entries: Entry[]
  /** Index and term of the entry before the first one in memory. */
  #base: { readonly index: number; readonly term: number }
  #memberships: Settled[]
  /** Up to here the caller has written and synced. */
  #stable: number
  /** A snapshot from the leader that the caller has not been given yet. */
  #fresh: Snapshot | null = null
  committed: number
  applied: number

  constructor({ snapshot, entries }: Restored) {
    this.#snapshot = snapshot
    this.#base = { index: snapshot?.index ?? 0, term: snapshot?.term ?? 0 }
    this.#entries = [...entries]
    this.#memberships = [{ index: this.#base.index, membership: snapshot?.membership ?? NOBODY }]
    for (const entry of entries) this.#noteMembership(entry)
    this.#stable = this.lastIndex
    this.committed = this.#base.index
    this.applied = this.#base.index
  }

  get snapshot(): Snapshot | null {
    return this.#snapshot
  }

  get membership(): Membership {
    return this.#memberships.at(-1)?.membership ?? NOBODY
  }

  /** Where the membership in force was written. */
  get membershipIndex(): number {
    return this.#memberships.at(-1)?.index ?? 0
  }

  get firstIndex(): number {
    return this.#base.index + 1
  }

  get lastIndex(): number {
    return this.#base.index + this.#entries.length
  }

  get lastTerm(): number {
    return this.#entries.at(-1)?.term ?? this.#base.term
  }

  get stable(): number {
    return this.#stable
  }

  get entryCount(): number {
    return this.#entries.length
  }

  /** @returns `undefined` where the entry is not in memory */
  term(index: number): number | undefined {
    if (index === this.#base.index) return this.#base.term
    return this.#entries[index - this.firstIndex]?.term
  }

  matches(index: number, term: number): boolean {
    return this.term(index) === term
  }

  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex)
  }

  /** Entries from `from`, as many as fit into about `bytesMax`, one at least. */
  slice(from: number, bytesMax: number): readonly Entry[] {
    const start = from - this.firstIndex
    let bytes = 0
    let end = start
    while (end < this.#entries.length && (end === start || bytes < bytesMax)) {
      bytes += sizeOf(this.#entries[end] as Entry)
      end += 1
    }
    return this.#entries.slice(start, end)
  }

  append(entry: Entry): void {
    this.#entries.push(entry)
    this.#noteMembership(entry)
  }

  /**
   * Takes over what a leader sent after a place that matches. What is there already stays; from the first difference on
   * ours is thrown away. @throws {Error} where that would throw away committed entries, which no leader may ask for
   */
  takeOver(entries: readonly Entry[]): void {
    const firstNew = entries.findIndex(({ index, term }) => index > this.#base.index && !this.matches(index, term))
    const first = entries[firstNew]
    if (firstNew < 0 || !first) return
    if (first.index <= this.lastIndex) this.#truncate(first.index)
    for (const entry of entries.slice(firstNew)) this.append(entry)
  }

  #truncate(from: number): void {
    if (from <= this.committed) throw new Error(`entry ${from} is committed and would be overwritten`)
    this.#entries.length = from - this.firstIndex
    this.#memberships = this.#memberships.filter(({ index }) => index < from)
    this.#stable = Math.min(this.#stable, from - 1)
  }

  /** The highest index up to `from` whose term is at most `term`: further on the two logs cannot agree. */
  agreementAtMost(from: number, term: number): { readonly index: number; readonly term: number } {
    let index = Math.min(from, this.lastIndex)
    while (index > this.#base.index && (this.term(index) ?? 0) > term) index -= 1
    return { index, term: this.term(index) ?? 0 }
  }

  /** Replaces everything by a snapshot of the leader. */
  restore(snapshot: Snapshot): void {
    this.#snapshot = snapshot
    this.#fresh = snapshot
    this.#base = { index: snapshot.index, term: snapshot.term }
    this.#entries = []
    this.#memberships = [{ index: snapshot.index, membership: snapshot.membership }]
    this.#stable = snapshot.index
    this.committed = snapshot.index
    this.applied = snapshot.index
  }

  /** The state machine has written down its state after `index`; entries before `keepFrom` are no longer needed. */
  compact(snapshot: Snapshot, keepFrom: number): void {
    this.#snapshot = snapshot
    const newBase = Math.max(this.#base.index, Math.min(keepFrom - 1, snapshot.index))
    const term = this.term(newBase)
    if (term === undefined) throw new Error(`no entry ${newBase} to compact up to`)
    const settled = this.membershipAt(newBase)
    this.#entries = this.#entries.slice(newBase - this.#base.index)
    this.#base = { index: newBase, term }
    this.#memberships = [settled, ...this.#memberships.filter(({ index }) => index > newBase)]
  }

  membershipAt(index: number): Settled {
    return this.#memberships.findLast((one) => one.index <= index) ?? { index: 0, membership: NOBODY }
  }

  /** The one in force at `index`, and all that came later. */
  membershipsSince(index: number): Membership[] {
    const later = this.#memberships.filter((one) => one.index > index)
    return [this.membershipAt(index), ...later].map(({ membership }) => membership)
  }

  get fresh(): Snapshot | null {
    return this.#fresh
  }

  unstable(): readonly Entry[] {
    return this.#entries.slice(this.#stable - this.#base.index)
  }

  unapplied(): readonly Entry[] {
    return this.#entries.slice(this.applied - this.#base.index, this.committed - this.#base.index)
  }

  /** The caller was given the snapshot `taken` and has installed it. */
  installed(taken: Snapshot): void {
    if (this.#fresh === taken) this.#fresh = null
  }

  /** What was handed out has been synced, unless it has been replaced meanwhile. */
  synced(last: Entry): void {
    if (last.index > this.#stable && this.matches(last.index, last.term)) this.#stable = last.index
  }

  #noteMembership({ index, body }: Entry): void {
    if (body.kind === 'membership') this.#memberships.push({ index, membership: body.membership })
  }
}

function sizeOf({ body }: Entry): number {
  return body.kind === 'command' ? body.command.length + 40 : 100
}
