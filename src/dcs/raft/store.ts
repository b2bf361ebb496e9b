import type { FailoverRequest } from '../../cluster/failover-request.ts'
import { printFailoverRequest } from '../../cluster/failover-request.ts'
import { type HistoryRecord, printHistory } from '../../cluster/history.ts'
import { type Json, type JsonObject, parseJson, printJson } from '../../cluster/json.ts'
import type { Lsn } from '../../cluster/lsn.ts'
import { printStatus, type Status } from '../../cluster/status.ts'
import { type Version, version } from '../../cluster/stored.ts'
import { printSyncState } from '../../cluster/sync-state.ts'
import { type ClusterView, KEYS, ViewReader } from '../../cluster/view.ts'
import type { Budget } from '../../ports/clock.ts'
import {
  type DcsTiming,
  DONE,
  type ElectionBasis,
  type Lease,
  type StoreEvent,
  type StoreOutcome,
  type SyncWrite,
} from '../../ports/dcs.ts'
import { Session } from '../../raft/client/session.ts'
import type { Branch, Change, Condition } from '../../raft/kv/command.ts'
import type { KeyChange, KeyValue } from '../../raft/kv/history.ts'
import { eventOf } from '../events.ts'
import { sameContent } from '../same-content.ts'
import type { StartOutcome, Store, StoreDeps, StoreIdentity } from '../store.ts'
import type { Backend } from './backend.ts'
import { conditionOn, Lock } from './lock.ts'

const NO_LOCK: StoreOutcome<never> = { kind: 'refused', reason: 'a client of the store takes no lock' }
const EVERYTHING: readonly StoreEvent[] = ['leader', 'config', 'failover', 'status', 'sync', 'members', 'initialize']

/**
 * The port Dcs on the embedded Raft (spec dcs.md 3.8). A member has all keys itself, and lets the leader of the group
 * confirm before each read that they are the latest: a member that is cut off notices.
 */
export class RaftStore implements Store {
  readonly #backend: Backend
  readonly #identity: StoreIdentity
  readonly #deps: StoreDeps
  readonly #listeners = new Set<(event: StoreEvent) => void>()
  readonly #reader = new ViewReader()
  #timing: DcsTiming
  #session: Session | null = null
  #lock: Lock | null = null
  #unsubscribe: readonly (() => void)[] = []
  /** Of the member's copy, as it was after an entry. */
  #view: { readonly index: number; readonly view: ClusterView } | null = null

  constructor(backend: Backend, identity: StoreIdentity, deps: StoreDeps) {
    this.#backend = backend
    this.#identity = identity
    this.#deps = deps
    this.#timing = identity.timing
  }

  async start(signal: AbortSignal): Promise<StartOutcome> {
    const started = await this.#backend.start(signal)
    if (started.kind !== 'ready') return started
    const session = new Session(this.#backend.access)
    this.#session = session
    const { name, mode, prefix } = this.#identity
    const { local } = this.#backend
    if (mode === 'client' || !local) return started
    const { clock, random } = this.#deps
    const lease = `${name}/${Math.floor(random.next() * 2 ** 48).toString(16)}`
    this.#lock = new Lock({ prefix, name, lease, session, clock, timing: () => this.#timing })
    this.#unsubscribe = [
      local.onChange((changes) => this.#onChange(changes)),
      local.onReturn(() => this.#notify(['connection'])),
    ]
    return started
  }

  async load(budget: Budget): Promise<StoreOutcome<ClusterView>> {
    const { local } = this.#backend
    if (!local) {
      const read = await this.#backend.access.read(this.#identity.prefix, budget)
      return read.kind === 'keys' ? { kind: 'done', value: this.#read(read.keys) } : read
    }
    const trouble = await local.whenCurrent(budget)
    if (trouble !== null) return { kind: 'unknown', reason: trouble }
    const { index } = local
    if (this.#view?.index !== index) this.#view = { index, view: this.#read(local.withPrefix(this.#identity.prefix)) }
    return { kind: 'done', value: this.#view.view }
  }

  async loadGroups(budget: Budget): Promise<StoreOutcome<ReadonlyMap<number, ClusterView>>> {
    const { prefix } = this.#identity
    const read = await this.#backend.access.read(prefix, budget)
    if (read.kind !== 'keys') return read
    const group = ({ key }: KeyValue): string => /^\d+(?=\/)/.exec(key.slice(prefix.length))?.[0] ?? ''
    const numbers = new Set(read.keys.map(group).filter((number) => number !== ''))
    const views = [...numbers].map((number) => {
      const below = `${prefix}${number}/`
      return [
        Number(number),
        this.#viewOf(
          read.keys.filter(({ key }) => key.startsWith(below)),
          below,
        ),
      ] as const
    })
    return { kind: 'done', value: new Map(views) }
  }

  async acquire(budget: Budget, basis?: ElectionBasis): Promise<StoreOutcome<Lease>> {
    return this.#lock?.acquire(budget, basis) ?? NO_LOCK
  }

  async renew(_view: ClusterView, budget: Budget, mayCreate?: boolean): Promise<StoreOutcome<Lease>> {
    return this.#lock?.renew(budget, mayCreate) ?? NO_LOCK
  }

  async take(budget: Budget): Promise<StoreOutcome<Lease>> {
    return this.#lock?.take(budget) ?? NO_LOCK
  }

  async release(budget: Budget): Promise<StoreOutcome> {
    return this.#lock?.release(budget) ?? NO_LOCK
  }

  async touchMember(data: JsonObject, budget: Budget): Promise<StoreOutcome> {
    const lock = this.#lock
    if (!lock) return { kind: 'refused', reason: 'a client of the store is no member' }
    const key = this.#key(`${KEYS.members}${this.#identity.name}`)
    const renewal = lock.renewal()
    const lease = renewal.kind === 'lease' ? renewal.lease : ''
    const known = this.#backend.local?.get(key) ?? null
    const isSame = known !== null && sameContent(parseJson(known.value), data)
    if (isSame && known.lease === lease && lock.isFresh) return DONE
    const put: Branch = { conditions: [], changes: [renewal, { kind: 'put', key, value: printJson(data), lease }] }
    const keep: Branch = {
      conditions: [{ kind: 'value', key, value: known?.value ?? '' }],
      changes: [renewal, { kind: 'bind', key, lease }],
    }
    const sentAt = this.#deps.clock.now()
    const outcome = await this.#change(isSame ? [keep, put] : [put], budget)
    if (outcome.kind === 'done') lock.renewed(sentAt)
    return simple(outcome)
  }

  writeStatus(status: Status, budget: Budget): Promise<StoreOutcome> {
    return this.#setIfNew(KEYS.status, printStatus(status), budget, [this.#isHolder()])
  }

  writeLegacyOptime(lsn: Lsn, budget: Budget): Promise<StoreOutcome> {
    return this.#setIfNew(KEYS.legacyOptime, lsn, budget)
  }

  writeFailsafe(members: Readonly<Record<string, string>>, budget: Budget): Promise<StoreOutcome> {
    return this.#setIfNew(KEYS.failsafe, members, budget, [this.#isHolder()])
  }

  writeHistory(records: readonly HistoryRecord[], budget: Budget): Promise<StoreOutcome> {
    return this.#setIfNew(KEYS.history, printHistory(records), budget, [this.#isHolder()])
  }

  async writeFailover(
    request: Omit<FailoverRequest, 'version'>,
    seen: Version | null,
    budget: Budget,
  ): Promise<StoreOutcome> {
    const text = printJson(printFailoverRequest(request))
    return simple(await this.#put(KEYS.failover, this.#unchanged(KEYS.failover, seen), text, budget))
  }

  async writeConfig(document: JsonObject, seen: Version | null, budget: Budget): Promise<StoreOutcome> {
    return simple(await this.#put(KEYS.config, this.#unchanged(KEYS.config, seen), printJson(document), budget))
  }

  writeSync(state: SyncWrite, seen: Version | null, budget: Budget): Promise<StoreOutcome<Version | null>> {
    const text = printJson(printSyncState(state.leader, state.voters, state.quorum))
    // Without a version the writer saw no key: if there is one now, somebody else is faster.
    return this.#put(KEYS.sync, [conditionOn(this.#key(KEYS.sync), seen)], text, budget)
  }

  async deleteSync(seen: Version | null, budget: Budget): Promise<StoreOutcome> {
    const changes: Change[] = [{ kind: 'delete', key: this.#key(KEYS.sync) }]
    return simple(await this.#change([{ conditions: this.#unchanged(KEYS.sync, seen), changes }], budget))
  }

  async writeInitialize(
    value: string,
    options: { readonly createOnly: boolean },
    budget: Budget,
  ): Promise<StoreOutcome> {
    const absent: Condition = { kind: 'absent', key: this.#key(KEYS.initialize) }
    return simple(await this.#put(KEYS.initialize, options.createOnly ? [absent] : [], value, budget))
  }

  async deleteInitialize(budget: Budget): Promise<StoreOutcome> {
    const changes: Change[] = [{ kind: 'delete', key: this.#key(KEYS.initialize) }]
    return simple(await this.#change([{ conditions: [], changes }], budget))
  }

  async deleteCluster(budget: Budget): Promise<StoreOutcome> {
    const changes: Change[] = [{ kind: 'delete-prefix', prefix: this.#identity.prefix }]
    return simple(await this.#change([{ conditions: [], changes }], budget))
  }

  onChange(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  configure(timing: DcsTiming): void {
    this.#timing = timing
  }

  /** Nothing of the section `raft` changes while running. */
  reload(): void {}

  async close(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    await this.#backend.close()
  }

  #key(relative: string): string {
    return this.#identity.prefix + relative
  }

  #read(list: readonly KeyValue[]): ClusterView {
    return this.#viewOf(list, this.#identity.prefix, this.#reader)
  }

  #viewOf(list: readonly KeyValue[], prefix: string, reader = new ViewReader()): ClusterView {
    const keys = list.map(
      ({ key, value, version: written, lease }) =>
        [key.slice(prefix.length), { text: value, version: version(String(written)), session: lease }] as const,
    )
    return reader.read(new Map(keys))
  }

  #unchanged(key: string, seen: Version | null): Condition[] {
    return seen === null ? [] : [conditionOn(this.#key(key), seen)]
  }

  #put(
    key: string,
    conditions: readonly Condition[],
    value: string,
    budget: Budget,
  ): Promise<StoreOutcome<Version | null>> {
    return this.#change([{ conditions, changes: [{ kind: 'put', key: this.#key(key), value, lease: null }] }], budget)
  }

  async #setIfNew(
    key: string,
    document: Json,
    budget: Budget,
    conditions: readonly Condition[] = [],
  ): Promise<StoreOutcome> {
    const known = this.#backend.local?.get(this.#key(key)) ?? null
    if (known && sameContent(parseJson(known.value), document)) return DONE
    return simple(await this.#put(key, conditions, printJson(document), budget))
  }

  #isHolder(): Condition {
    return { kind: 'value', key: this.#key(KEYS.leader), value: this.#identity.name }
  }

  async #change(branches: readonly Branch[], budget: Budget): Promise<StoreOutcome<Version | null>> {
    if (!this.#session) return { kind: 'unknown', reason: 'raft: not started' }
    const outcome = await this.#session.transact({ branches }, budget)
    if (outcome.kind === 'unknown') return outcome
    if (outcome.branch === null) return { kind: 'refused', reason: 'somebody else has changed it' }
    return { kind: 'done', value: version(String(outcome.version)) }
  }

  #onChange(changes: readonly KeyChange[] | null): void {
    if (changes === null) {
      this.#notify(EVERYTHING)
      return
    }
    const { prefix } = this.#identity
    const ours = changes.filter(({ key }) => key.startsWith(prefix))
    const events = ours.flatMap(({ key, before, after, session }) => {
      if (this.#session?.isOwn(session)) return []
      const texts = { before: before?.value ?? null, after: after?.value ?? null }
      return eventOf(key.slice(prefix.length), texts) ?? []
    })
    this.#notify(events)
  }

  #notify(events: readonly StoreEvent[]): void {
    for (const event of new Set(events)) for (const listener of this.#listeners) listener(event)
  }
}

function simple(outcome: StoreOutcome<unknown>): StoreOutcome {
  return outcome.kind === 'done' ? DONE : outcome
}
