import type { FailoverRequest } from '../../src/cluster/failover-request.ts'
import { printFailoverRequest } from '../../src/cluster/failover-request.ts'
import { type HistoryRecord, printHistory } from '../../src/cluster/history.ts'
import { type JsonObject, printJson } from '../../src/cluster/json.ts'
import type { Lsn } from '../../src/cluster/lsn.ts'
import { printStatus, type Status } from '../../src/cluster/status.ts'
import type { Version } from '../../src/cluster/stored.ts'
import { printSyncState } from '../../src/cluster/sync-state.ts'
import { type ClusterView, KEYS } from '../../src/cluster/view.ts'
import type { Budget } from '../../src/ports/clock.ts'
import {
  type Dcs,
  type DcsTiming,
  type ElectionBasis,
  keysAsRead,
  type Lease,
  type StoreEvent,
  type StoreOutcome,
  type SyncWrite,
} from '../../src/ports/dcs.ts'
import { callWorld } from '../engine/call.ts'
import type { HostClock } from '../engine/clock.ts'
import type { Process } from '../engine/process.ts'
import type { StoreService } from './service.ts'
import type { ChangeKind, StoreTree } from './tree.ts'

const refused = (reason: string): StoreOutcome<never> => ({ kind: 'refused', reason })
const done = <T>(value: T): StoreOutcome<T> => ({ kind: 'done', value })
const DONE_NOTHING: StoreOutcome = { kind: 'done', value: undefined }

/** One member's client of the virtual store: the port Dcs over the virtual network. One attempt per operation. */
export class SimDcs implements Dcs {
  readonly #name: string
  readonly #store: StoreService
  readonly #process: Process
  readonly #clock: HostClock
  readonly #session: string
  readonly #listeners = new Set<(event: StoreEvent) => void>()
  #ttlMs = 30_000
  #ownRevision = 0
  #lastStatus: string | null = null
  readonly #unsubscribe: () => void

  constructor(name: string, incarnation: string, store: StoreService, process: Process, clock: HostClock) {
    this.#name = name
    this.#session = incarnation
    this.#store = store
    this.#process = process
    this.#clock = clock
    this.#unsubscribe = store.tree.onChange((key, kind, author) => this.#noticed(key, kind, author))
  }

  async load(budget: Budget): Promise<StoreOutcome<ClusterView>> {
    const least = this.#ownRevision
    const outcome = await this.#ask(budget, () => done(this.#store.read(this.#store.lagOf(this.#name), least)))
    if (outcome.kind !== 'done') return { kind: 'unknown', reason: outcome.reason }
    this.#lastStatus = outcome.value.status
    return done(outcome.value.view)
  }

  async acquire(budget: Budget, basis: ElectionBasis = {}): Promise<StoreOutcome<Lease>> {
    return this.#lock(budget, (tree) => {
      const there = tree.keys.get(KEYS.leader)
      if (there && there.text !== '') return refused(`${there.text} has it`)
      for (const [key, seen] of keysAsRead(basis))
        if ((tree.keys.get(key)?.version ?? null) !== seen) return refused(`${key} has changed`)
      this.#put(tree, KEYS.leader, this.#name, true)
      return DONE_NOTHING
    })
  }

  async renew(view: ClusterView, budget: Budget, mayCreate = true): Promise<StoreOutcome<Lease>> {
    if (view.leader?.name !== this.#name) return refused('the view does not show the lock as ours')
    return this.#lock(budget, (tree) => {
      const there = tree.keys.get(KEYS.leader)
      if (there && there.text !== this.#name) return refused(`${there.text} has it`)
      if (!there && !mayCreate) return refused('nobody has it')
      if (there?.session === this.#sessionFor(KEYS.leader)) this.#refresh(tree, KEYS.leader)
      else this.#put(tree, KEYS.leader, this.#name, true)
      return DONE_NOTHING
    })
  }

  async take(budget: Budget): Promise<StoreOutcome<Lease>> {
    return this.#lock(budget, (tree) => {
      this.#put(tree, KEYS.leader, this.#name, true)
      return DONE_NOTHING
    })
  }

  async release(budget: Budget): Promise<StoreOutcome> {
    return this.#ask(budget, (tree) => {
      if (tree.keys.get(KEYS.leader)?.text !== this.#name) return refused('it is not ours')
      tree.delete(KEYS.leader, this.#session)
      this.#ownRevision = tree.revision
      return DONE_NOTHING
    })
  }

  async touchMember(data: JsonObject, budget: Budget): Promise<StoreOutcome> {
    const key = `${KEYS.members}${this.#name}`
    const text = printJson(data)
    return this.#ask(budget, (tree) => {
      const there = tree.keys.get(key)
      if (there?.text === text && there.session === this.#sessionFor(key)) this.#refresh(tree, key)
      else this.#put(tree, key, text, true)
      return DONE_NOTHING
    })
  }

  async writeStatus(status: Status, budget: Budget): Promise<StoreOutcome> {
    const text = printJson(printStatus(status))
    if (text === this.#lastStatus) return DONE_NOTHING
    const outcome = await this.#setAsHolder(KEYS.status, text, budget)
    if (outcome.kind === 'done') this.#lastStatus = text
    return outcome
  }

  writeLegacyOptime(position: Lsn, budget: Budget): Promise<StoreOutcome> {
    return this.#set(KEYS.legacyOptime, String(position), budget)
  }

  writeFailsafe(members: Readonly<Record<string, string>>, budget: Budget): Promise<StoreOutcome> {
    const text = printJson(members)
    return this.#setAsHolder(KEYS.failsafe, text, budget)
  }

  writeHistory(records: readonly HistoryRecord[], budget: Budget): Promise<StoreOutcome> {
    return this.#setAsHolder(KEYS.history, printJson(printHistory(records)), budget)
  }

  async writeFailover(
    request: Omit<FailoverRequest, 'version'>,
    version: Version | null,
    budget: Budget,
  ): Promise<StoreOutcome> {
    return withoutValue(
      await this.#compareAndSet(KEYS.failover, printJson(printFailoverRequest(request)), version, budget),
    )
  }

  async writeConfig(document: JsonObject, version: Version | null, budget: Budget): Promise<StoreOutcome> {
    return withoutValue(await this.#compareAndSet(KEYS.config, printJson(document), version, budget))
  }

  writeSync(state: SyncWrite, version: Version | null, budget: Budget): Promise<StoreOutcome<Version | null>> {
    const text = printJson(printSyncState(state.leader, state.voters, state.quorum))
    if (version !== null) return this.#compareAndSet(KEYS.sync, text, version, budget)
    return this.#ask<Version | null>(budget, (tree) => {
      if (tree.keys.has(KEYS.sync)) return refused('it exists')
      return done(this.#put(tree, KEYS.sync, text, false))
    })
  }

  deleteSync(version: Version | null, budget: Budget): Promise<StoreOutcome> {
    return this.#ask(budget, (tree) => {
      if (version !== null && tree.keys.get(KEYS.sync)?.version !== version) return refused('changed meanwhile')
      tree.delete(KEYS.sync, this.#session)
      this.#ownRevision = tree.revision
      return DONE_NOTHING
    })
  }

  writeInitialize(value: string, options: { readonly createOnly: boolean }, budget: Budget): Promise<StoreOutcome> {
    return this.#ask(budget, (tree) => {
      if (options.createOnly && tree.keys.has(KEYS.initialize)) return refused('it exists')
      this.#put(tree, KEYS.initialize, value, false)
      return DONE_NOTHING
    })
  }

  deleteInitialize(budget: Budget): Promise<StoreOutcome> {
    return this.#ask(budget, (tree) => {
      tree.delete(KEYS.initialize, this.#session)
      return DONE_NOTHING
    })
  }

  deleteCluster(budget: Budget): Promise<StoreOutcome> {
    return this.#ask(budget, (tree) => {
      tree.wipe()
      return DONE_NOTHING
    })
  }

  onChange(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  configure(timing: DcsTiming): void {
    this.#ttlMs = timing.ttlMs
  }

  close(): Promise<void> {
    this.#unsubscribe()
    this.#listeners.clear()
    return Promise.resolve()
  }

  /** Lease times count from before the request leaves. */
  async #lock(budget: Budget, apply: (tree: StoreTree) => StoreOutcome): Promise<StoreOutcome<Lease>> {
    const sentAt = this.#clock.now()
    const outcome = await this.#ask(budget, apply, 'renewal')
    return outcome.kind === 'done' ? done({ sentAt }) : outcome
  }

  #set(key: string, text: string, budget: Budget): Promise<StoreOutcome> {
    return this.#ask(budget, (tree) => {
      this.#put(tree, key, text, false)
      return DONE_NOTHING
    })
  }

  #setAsHolder(key: string, text: string, budget: Budget): Promise<StoreOutcome> {
    return this.#ask(budget, (tree) => {
      const { ignoresHolder } = this.#store.style
      if (!ignoresHolder && tree.keys.get(KEYS.leader)?.text !== this.#name) return refused('the lock is not ours')
      if (tree.keys.get(key)?.text !== text) this.#put(tree, key, text, false)
      return DONE_NOTHING
    })
  }

  #compareAndSet(
    key: string,
    text: string,
    version: Version | null,
    budget: Budget,
  ): Promise<StoreOutcome<Version | null>> {
    return this.#ask<Version | null>(budget, (tree) => {
      if (version !== null && tree.keys.get(key)?.version !== version) return refused('changed meanwhile')
      return done(this.#put(tree, key, text, false))
    })
  }

  #ask<T>(
    budget: Budget,
    apply: (tree: StoreTree) => StoreOutcome<T>,
    what: 'renewal' | 'other' = 'other',
  ): Promise<StoreOutcome<T>> {
    const late = (): StoreOutcome<T> => ({ kind: 'unknown', reason: 'no answer in time' })
    return callWorld(this.#process, this.#clock, budget, late, (finish) => {
      this.#store.request(this.#name, what, apply, (answer) => {
        if (answer.kind === 'answer') finish(answer.value)
        else finish({ kind: answer.forbidden ? 'refused' : 'unknown', reason: answer.reason })
      })
    })
  }

  #put(tree: StoreTree, key: string, text: string, leased: boolean): Version {
    if (leased) this.#refresh(tree, key)
    const version = tree.put(key, text, leased ? this.#sessionFor(key) : null, this.#session)
    this.#ownRevision = tree.revision
    return version
  }

  #refresh(tree: StoreTree, key: string): void {
    tree.refresh(this.#sessionFor(key), this.#ttlMs)
  }

  #sessionFor(key: string): string {
    return this.#store.style.sessions === 'shared' ? this.#session : `${this.#session}:${key}`
  }

  #noticed(key: string, kind: ChangeKind, author: string | null): void {
    if (!this.#process.isAlive || author === this.#session) return
    const event = eventOf(key, kind, this.#store.style.tellsAll)
    if (event === null || !this.#store.isHearing(this.#name)) return
    this.#process.after(this.#store.style.watchDelayMs + this.#store.lagOf(this.#name), () => {
      if (this.#store.isHearing(this.#name)) for (const listener of this.#listeners) listener(event)
    })
  }
}

function withoutValue(outcome: StoreOutcome<unknown>): StoreOutcome {
  return outcome.kind === 'done' ? DONE_NOTHING : outcome
}

function eventOf(key: string, kind: ChangeKind, tellsAll: boolean): StoreEvent | null {
  if (key === KEYS.leader) return 'leader'
  if (key === KEYS.config) return 'config'
  if (key === KEYS.status) return 'status'
  if (!tellsAll) return null
  if (key === KEYS.sync) return 'sync'
  if (key === KEYS.failover) return 'failover'
  if (key === KEYS.initialize) return 'initialize'
  return key.startsWith(KEYS.members) && kind !== 'changed' ? 'members' : null
}
