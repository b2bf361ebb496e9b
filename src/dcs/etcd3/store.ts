import type { FailoverRequest } from '../../cluster/failover-request.ts'
import { printFailoverRequest } from '../../cluster/failover-request.ts'
import { type HistoryRecord, printHistory } from '../../cluster/history.ts'
import { type Json, type JsonObject, parseJson, printJson } from '../../cluster/json.ts'
import type { Lsn } from '../../cluster/lsn.ts'
import { printStatus, type Status } from '../../cluster/status.ts'
import type { Version } from '../../cluster/stored.ts'
import { printSyncState } from '../../cluster/sync-state.ts'
import { elapsedMs, type Instant, LONG_AGO, later } from '../../cluster/time.ts'
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
import { sameContent } from '../same-content.ts'
import { START_PAUSE_MS, type StartOutcome, type Store, TELL_WAITING_MS } from '../store.ts'
import { viewOf } from './cache.ts'
import { isLeaseNotFound } from './errors.ts'
import { type Condition, compare, conditionOn, rangeOfPrefix } from './kv.ts'
import { type OptionsOutcome } from './options.ts'
import type { Parts } from './parts.ts'
import { type KeyValue, readKeyValues } from './wire.ts'
import { asOutcome, asVersion } from './writes.ts'

const NO_LOCK: StoreOutcome<never> = { kind: 'refused', reason: 'a client of the store takes no lock' }

/** The port Dcs on etcd v3 by its JSON gateway (spec dcs.md 3.2). */
export class Etcd3Store implements Store {
  readonly #parts: Parts
  readonly #parseSection: (section: JsonObject) => OptionsOutcome
  readonly #listeners = new Set<(event: StoreEvent) => void>()
  readonly #reader = new ViewReader()

  constructor(parts: Parts, parseSection: (section: JsonObject) => OptionsOutcome) {
    this.#parts = parts
    this.#parseSection = parseSection
    parts.notify.listener = (event) => {
      for (const listener of this.#listeners) listener(event)
    }
  }

  async start(signal: AbortSignal): Promise<StartOutcome> {
    const { clock, log, timing } = this.#parts
    let toldAt: Instant = LONG_AGO
    for (;;) {
      const deadline = later(clock.now(), timing.now.retryTimeoutMs)
      const time = clock.deadline(deadline, signal)
      const outcome = await this.#connect({ deadline, signal: time.signal }).finally(time.done)
      if (outcome.kind !== 'stopped') return outcome
      if (elapsedMs(toldAt, clock.now()) >= TELL_WAITING_MS) {
        log.warning(`etcd cannot be used yet: ${outcome.reason}`)
        log.info('waiting on etcd')
        toldAt = clock.now()
      }
      await clock.sleep(START_PAUSE_MS, signal)
      if (signal.aborted) return outcome
    }
  }

  /** One attempt to find the servers, log in and get a lease. `stopped`: not now. */
  async #connect(budget: Budget): Promise<StartOutcome> {
    const { topology, session, member, useProxies } = this.#parts
    let found = await topology.discover(budget, false)
    if (found.kind === 'token-wanted' || (found.kind === 'found' && session.hasCredentials)) {
      const login = await session.login(budget)
      if (login.kind === 'wrong') return { kind: 'fatal', text: login.text }
      if (login.kind === 'not-configured') return { kind: 'stopped', reason: 'the server wants user name and password' }
      if (login.kind === 'unreachable') return { kind: 'stopped', reason: login.reason }
      if (found.kind === 'token-wanted') found = await topology.discover(budget, false)
    }
    switch (found.kind) {
      case 'unsupported':
        return useProxies ? { kind: 'fatal', text: found.text } : { kind: 'stopped', reason: found.text }
      case 'token-wanted':
        return { kind: 'stopped', reason: found.error.message }
      case 'nothing':
        return { kind: 'stopped', reason: found.reason }
      case 'found':
        break
    }
    if (!member) return { kind: 'ready' }
    const lease = await member.lease.ensure(budget)
    if (lease.kind === 'error') return { kind: 'stopped', reason: lease.error.message }
    if (lease.kind === 'unreachable') return { kind: 'stopped', reason: lease.reason }
    if (topology.dialect.watches) member.mirror.start()
    return { kind: 'ready' }
  }

  async load(budget: Budget): Promise<StoreOutcome<ClusterView>> {
    const { member, topology, name, log, timing, useProxies } = this.#parts
    if (!member || !topology.dialect.watches) return this.#read(budget)
    const { mirror, lease } = member
    const patienceMs = useProxies ? timing.now.loopWaitMs : timing.now.ttlMs
    if (!(await mirror.whenCurrent(budget, patienceMs))) return { kind: 'unknown', reason: mirror.trouble }
    const view = mirror.cache.view()
    if (view.leader?.name === name && view.leader.session !== lease.id) {
      log.warning('I am the leader but not owner of the lease')
    }
    return { kind: 'done', value: view }
  }

  async loadGroups(budget: Budget): Promise<StoreOutcome<ReadonlyMap<number, ClusterView>>> {
    const { prefix } = this.#parts
    const read = await this.#readAll(budget)
    if (read.kind !== 'done') return read
    const group = ({ key }: KeyValue): string => /^\d+(?=\/)/.exec(key.slice(prefix.length))?.[0] ?? ''
    const numbers = new Set(read.value.map(group).filter((number) => number !== ''))
    const views = [...numbers].map((number) => [Number(number), viewOf(`${prefix}${number}/`, read.value)] as const)
    return { kind: 'done', value: new Map(views) }
  }

  async #read(budget: Budget): Promise<StoreOutcome<ClusterView>> {
    const read = await this.#readAll(budget)
    return read.kind === 'done' ? { kind: 'done', value: viewOf(this.#parts.prefix, read.value, this.#reader) } : read
  }

  async #readAll(budget: Budget): Promise<StoreOutcome<readonly KeyValue[]>> {
    const { gateway, prefix } = this.#parts
    const outcome = await gateway.call('/kv/range', rangeOfPrefix(prefix), budget, 'persist')
    if (outcome.kind === 'unreachable') return { kind: 'unknown', reason: outcome.reason }
    if (outcome.kind === 'error') return { kind: 'unknown', reason: outcome.error.message }
    return { kind: 'done', value: readKeyValues(outcome.answer['kvs']) }
  }

  async acquire(budget: Budget, basis?: ElectionBasis): Promise<StoreOutcome<Lease>> {
    return this.#parts.member?.lock.acquire(budget, basis) ?? NO_LOCK
  }

  async renew(view: ClusterView, budget: Budget, mayCreate?: boolean): Promise<StoreOutcome<Lease>> {
    return this.#parts.member?.lock.renew(view, budget, mayCreate) ?? NO_LOCK
  }

  async take(budget: Budget): Promise<StoreOutcome<Lease>> {
    return this.#parts.member?.lock.take(budget) ?? NO_LOCK
  }

  async release(budget: Budget): Promise<StoreOutcome> {
    return this.#parts.member?.lock.release(budget) ?? NO_LOCK
  }

  async touchMember(data: JsonObject, budget: Budget): Promise<StoreOutcome> {
    const { member, writes, name } = this.#parts
    if (!member) return { kind: 'refused', reason: 'a client of the store is no member' }
    const key = this.#key(`${KEYS.members}${name}`)
    for (let round = 1; ; round += 1) {
      const lease = await member.lease.ensure(budget)
      if (lease.kind === 'error') return { kind: 'refused', reason: lease.error.message }
      if (lease.kind === 'unreachable') return { kind: 'unknown', reason: lease.reason }
      const known = member.mirror.ready ? member.mirror.cache.get(key) : null
      if (known?.lease === lease.id && sameContent(parseJson(known.value), data)) return DONE
      const outcome = await writes.put(key, { value: printJson(data), lease: lease.id }, budget, 'once')
      if (round > 1 || outcome.kind !== 'error' || !isLeaseNotFound(outcome.error)) return asOutcome(outcome)
      member.lease.forget(lease.id)
    }
  }

  writeStatus(status: Status, budget: Budget): Promise<StoreOutcome> {
    return this.#setAsHolder(KEYS.status, printStatus(status), budget)
  }

  writeLegacyOptime(lsn: Lsn, budget: Budget): Promise<StoreOutcome> {
    return this.#setIfNew(KEYS.legacyOptime, lsn, budget)
  }

  writeFailsafe(members: Readonly<Record<string, string>>, budget: Budget): Promise<StoreOutcome> {
    return this.#setAsHolder(KEYS.failsafe, members, budget)
  }

  writeHistory(records: readonly HistoryRecord[], budget: Budget): Promise<StoreOutcome> {
    return this.#setAsHolder(KEYS.history, printHistory(records), budget)
  }

  async writeFailover(
    request: Omit<FailoverRequest, 'version'>,
    version: Version | null,
    budget: Budget,
  ): Promise<StoreOutcome> {
    const document = printFailoverRequest(request)
    return asOutcome(
      version === null
        ? await this.#put(KEYS.failover, document, budget)
        : await this.#putIf(KEYS.failover, { kind: 'version', modRevision: version }, document, budget, 'once'),
    )
  }

  async writeConfig(document: JsonObject, version: Version | null, budget: Budget): Promise<StoreOutcome> {
    return asOutcome(
      version === null
        ? await this.#put(KEYS.config, document, budget)
        : await this.#putIf(KEYS.config, { kind: 'version', modRevision: version }, document, budget, 'once'),
    )
  }

  async writeSync(state: SyncWrite, version: Version | null, budget: Budget): Promise<StoreOutcome<Version | null>> {
    const document = printSyncState(state.leader, state.voters, state.quorum)
    // Without a version the writer saw no key: if there is one now, somebody else is faster.
    return asVersion(await this.#putIf(KEYS.sync, conditionOn(version), document, budget, 'persist'))
  }

  async deleteSync(version: Version | null, budget: Budget): Promise<StoreOutcome> {
    const { writes } = this.#parts
    const key = this.#key(KEYS.sync)
    return asOutcome(
      version === null
        ? await writes.put(key, null, budget, 'persist')
        : await writes.putIf(key, [{ kind: 'version', modRevision: version }], null, budget, 'persist'),
    )
  }

  async writeInitialize(
    value: string,
    options: { readonly createOnly: boolean },
    budget: Budget,
  ): Promise<StoreOutcome> {
    const { writes, member } = this.#parts
    const key = this.#key(KEYS.initialize)
    // "Somebody is initializing" is true only as long as that somebody lives: it must not block the cluster for ever.
    const lease = value === '' && member ? await member.lease.ensure(budget) : null
    if (lease?.kind === 'error') return { kind: 'refused', reason: lease.error.message }
    if (lease?.kind === 'unreachable') return { kind: 'unknown', reason: lease.reason }
    const wanted = { value, lease: lease?.id ?? null }
    return asOutcome(
      options.createOnly
        ? await writes.putIf(key, [{ kind: 'absent' }], wanted, budget, 'persist')
        : await writes.put(key, wanted, budget, 'persist'),
    )
  }

  async deleteInitialize(budget: Budget): Promise<StoreOutcome> {
    return asOutcome(await this.#parts.writes.put(this.#key(KEYS.initialize), null, budget, 'persist'))
  }

  async deleteCluster(budget: Budget): Promise<StoreOutcome> {
    return asOutcome(await this.#parts.writes.deleteAll(this.#parts.prefix, budget))
  }

  onChange(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  configure(timing: DcsTiming): void {
    this.#parts.timing.now = timing
    this.#parts.member?.lease.configure(timing)
  }

  reload(section: JsonObject): void {
    const parsed = this.#parseSection(section)
    if (parsed.kind === 'options') this.#parts.session.setCredentials(parsed.options.credentials)
  }

  async close(): Promise<void> {
    this.#parts.closing.abort()
    await this.#parts.member?.mirror.close()
    this.#parts.http.close()
  }

  #key(relative: string): string {
    return this.#parts.prefix + relative
  }

  #put(key: string, document: Json, budget: Budget) {
    return this.#parts.writes.put(this.#key(key), { value: printJson(document), lease: null }, budget, 'once')
  }

  #putIf(key: string, condition: Condition, document: Json, budget: Budget, effort: 'once' | 'persist') {
    const wanted = { value: printJson(document), lease: null }
    return this.#parts.writes.putIf(this.#key(key), [condition], wanted, budget, effort)
  }

  async #setIfNew(key: string, document: Json, budget: Budget): Promise<StoreOutcome> {
    return this.#isKnown(key, document) ? DONE : asOutcome(await this.#put(key, document, budget))
  }

  async #setAsHolder(relative: string, document: Json, budget: Budget): Promise<StoreOutcome> {
    if (this.#isKnown(relative, document)) return DONE
    const { name, writes } = this.#parts
    const key = this.#key(relative)
    const wanted = { value: printJson(document), lease: null }
    const isHolder = compare(this.#key(KEYS.leader), { kind: 'value', value: name })
    const outcome = await writes.putIf(key, [], wanted, budget, 'once', [isHolder])
    return outcome.kind === 'not-applied'
      ? { kind: 'refused', reason: 'the leader key is not ours' }
      : asOutcome(outcome)
  }

  #isKnown(key: string, document: Json): boolean {
    const mirror = this.#parts.member?.mirror
    const known = mirror?.ready ? mirror.cache.get(this.#key(key)) : null
    return known ? sameContent(parseJson(known.value), document) : false
  }
}
