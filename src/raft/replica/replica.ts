import type { Instant } from '../../cluster/time.ts'
import { Raft } from '../core/raft.ts'
import type { Message, NodeId, RaftOptions, Ready, Restored, Snapshot } from '../core/types.ts'
import { type Command, printCommand, type Result } from '../kv/command.ts'
import type { KeyChange } from '../kv/history.ts'
import { KeyValues } from '../kv/key-values.ts'
import { LeaseClock } from '../kv/lease-clock.ts'

export type Submitted =
  | { readonly kind: 'applied'; readonly index: number; readonly result: Result }
  /** Certainly not in the log. */
  | { readonly kind: 'not-leader'; readonly leader: NodeId | null }
  | { readonly kind: 'waiting'; readonly reason: string }
  /** No longer the leader: it may be in the log or not. To be sent again under its number. */
  | { readonly kind: 'lost' }

export interface ReplicaOptions {
  readonly raft: RaftOptions
  readonly now: () => Instant
  /** Read numbers begin here: no answer to a former life's question may fit one of ours. */
  readonly firstRead: number
  /** Entries applied between two snapshots. */
  readonly snapshotEvery: number
  /** Entries that stay for members who are a little behind. */
  readonly keepEntries: number
}

/** `null`: everything may be different, as after a snapshot of the leader. */
export type ChangeListener = (changes: readonly KeyChange[] | null) => void

/** A learner that lacks no more than so many entries may vote. */
const PROMOTE_WITHIN = 50

interface Waiting {
  readonly term: number
  readonly done: (outcome: Submitted) => void
}

/**
 * One member with its copy of the keys: the core, the state machine, and who waits for what. Pure: its owner writes,
 * sends and ticks.
 */
export class Replica {
  readonly raft: Raft
  readonly #options: ReplicaOptions
  readonly #leases = new LeaseClock()
  readonly #submitted = new Map<number, Waiting>()
  readonly #reads = new Map<number, (confirmed: boolean) => void>()
  #confirmed: { readonly index: number; readonly done: (confirmed: boolean) => void }[] = []
  #applied: { readonly index: number; readonly done: () => void }[] = []
  readonly #listeners = new Set<ChangeListener>()
  #kvs: KeyValues
  #nextRead: number
  #snapshotAt: number
  /** Leases whose end has been proposed in this term. */
  #ending = new Map<string, number>()
  #endingTerm = 0

  constructor(options: ReplicaOptions, restored: Restored) {
    this.#options = options
    this.raft = new Raft(options.raft, restored)
    const { snapshot } = restored
    this.#kvs = new KeyValues(snapshot?.data || null, snapshot?.index ?? 0)
    this.#snapshotAt = this.#kvs.index
    this.#nextRead = options.firstRead
    this.#leases.look(this.#kvs.leases, options.now())
  }

  get kvs(): Pick<KeyValues, 'get' | 'withPrefix' | 'changesAfter' | 'index' | 'leases' | 'image'> {
    return this.#kvs
  }

  onChange(listener: ChangeListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Carries out a command if this member leads. */
  submit(command: Command, done: (outcome: Submitted) => void): void {
    const proposed = this.raft.propose(printCommand(command))
    if (proposed.kind === 'accepted') this.#submitted.set(proposed.index, { term: proposed.term, done })
    else done(proposed)
  }

  /**
   * Calls back once the keys here are as new as when this was asked, or with `false`: nobody could tell. The answer may
   * be lost. @returns to be called when nobody waits any longer
   */
  read(done: (confirmed: boolean) => void): () => void {
    const read = this.#nextRead
    this.#nextRead += 1
    this.#reads.set(read, done)
    this.raft.read(read)
    return () => this.#reads.delete(read)
  }

  /** Calls back once the entry `index` has been applied here. */
  whenApplied(index: number, done: () => void): void {
    if (this.#kvs.index >= index) done()
    else this.#applied.push({ index, done })
  }

  step(message: Message): void {
    this.raft.step(message)
  }

  tick(): void {
    this.raft.tick()
    if (!this.raft.isLeader) {
      this.#giveUpSubmitted()
      return
    }
    this.#endLeases()
    this.#promoteLearners()
  }

  #endLeases(): void {
    const { raft } = this
    // Renewals of earlier terms may be waiting to be applied.
    if (raft.log.term(this.#kvs.index) !== raft.term) return
    if (this.#endingTerm !== raft.term) this.#ending.clear()
    this.#endingTerm = raft.term
    for (const { lease, renewal } of this.#leases.due(this.#options.now())) {
      if (this.#ending.get(lease) === renewal) continue
      const proposed = raft.propose(printCommand({ kind: 'expire', lease, renewal }))
      if (proposed.kind === 'accepted') this.#ending.set(lease, renewal)
    }
    if (this.#ending.size > 1000) this.#ending.clear()
  }

  #promoteLearners(): void {
    const { learners } = this.raft.log.membership
    if (learners.length === 0) return
    const { followers, committed } = this.raft.status
    const ready = followers.find(
      ({ id, match, active }) => learners.includes(id) && active && match > 0 && match + PROMOTE_WITHIN >= committed,
    )
    if (ready) this.raft.proposeMembership({ kind: 'promote', id: ready.id })
  }

  /** What is to be written and sent; `finish` it afterwards. */
  ready(): Ready | null {
    return this.raft.ready()
  }

  /**
   * It is on the disk and has been sent. Applies what is committed.
   * @returns a snapshot that is to be written in place of the log before it; `null`: not now
   */
  finish(ready: Ready): Snapshot | null {
    const before = this.#kvs.index
    if (ready.snapshot) this.#install(ready.snapshot)
    for (const entry of ready.committed) this.#apply(entry.index, entry.term, commandOf(entry.body))
    this.raft.advance()
    this.#leases.look(this.#kvs.leases, this.#options.now())
    for (const { read, index } of ready.reads) this.#onRead(read, index)
    this.#wake()
    this.#tell(before, ready.snapshot !== null)
    if (!this.raft.isLeader) this.#giveUpSubmitted()
    return this.#compact()
  }

  #install(snapshot: Snapshot): void {
    this.#kvs = new KeyValues(snapshot.data || null, snapshot.index)
    this.#leases.reset()
    this.#snapshotAt = snapshot.index
  }

  #apply(index: number, term: number, command: string | null): void {
    if (index <= this.#kvs.index) return
    const result = this.#kvs.apply(index, command)
    const waiting = this.#submitted.get(index)
    if (!waiting) return
    this.#submitted.delete(index)
    waiting.done(waiting.term === term && result ? { kind: 'applied', index, result } : { kind: 'lost' })
  }

  #onRead(read: number, index: number | null): void {
    const done = this.#reads.get(read)
    if (!done) return
    this.#reads.delete(read)
    if (index === null) done(false)
    else this.#confirmed.push({ index, done })
  }

  #wake(): void {
    const { index } = this.#kvs
    if (this.#confirmed.length > 0) {
      const served = this.#confirmed.filter((read) => read.index <= index)
      this.#confirmed = this.#confirmed.filter((read) => read.index > index)
      for (const { done } of served) done(true)
    }
    if (this.#applied.length > 0) {
      const reached = this.#applied.filter((one) => one.index <= index)
      this.#applied = this.#applied.filter((one) => one.index > index)
      for (const { done } of reached) done()
    }
  }

  #tell(before: number, isNew: boolean): void {
    if (this.#kvs.index === before && !isNew) return
    const changes = isNew ? null : this.#kvs.changesAfter(before)
    if (changes?.length === 0) return
    for (const listener of this.#listeners) listener(changes)
  }

  #giveUpSubmitted(): void {
    if (this.#submitted.size === 0) return
    const waiting = [...this.#submitted.values()]
    this.#submitted.clear()
    for (const { done } of waiting) done({ kind: 'lost' })
  }

  #compact(): Snapshot | null {
    const { index } = this.#kvs
    if (index - this.#snapshotAt < this.#options.snapshotEvery) return null
    // A later snapshot of the leader has arrived meanwhile, and will be handed out next.
    if (this.raft.log.term(index) === undefined) return null
    this.#snapshotAt = index
    this.raft.compact(index, this.#kvs.image(), this.#options.keepEntries)
    return this.raft.snapshot
  }

  /** Nobody gets an answer any more. Reads that are never answered would wait for ever. */
  stop(): void {
    this.#giveUpSubmitted()
    const reads = [...this.#reads.values(), ...this.#confirmed.map(({ done }) => done)]
    this.#reads.clear()
    this.#confirmed = []
    for (const done of reads) done(false)
  }
}

function commandOf(body: Ready['committed'][number]['body']): string | null {
  return body.kind === 'command' ? body.command : null
}
