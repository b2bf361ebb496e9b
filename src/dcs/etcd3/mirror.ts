import { elapsedMs, type Instant, later } from '../../cluster/time.ts'
import type { Budget } from '../../ports/clock.ts'
import type { StoreEvent } from '../../ports/dcs.ts'
import { Cache, type Change, eventOf, keyOf, revisionOf } from './cache.ts'
import type { Gateway } from './gateway.ts'
import { rangeOfPrefix } from './kv.ts'
import { OwnWrites } from './own-writes.ts'
import { DROPPED, type RoundEnd, trouble, type WatchDeps, WatchRound, withBudget } from './watch-round.ts'
import { isNewer, type KeyValue, readKeyValues } from './wire.ts'

interface Deps extends WatchDeps {
  readonly gateway: Gateway
  readonly notify: (event: StoreEvent) => void
}

/** After a failed attempt to list or to watch. */
const REBUILD_PAUSE_MS = 1000

/**
 * A copy of the whole prefix in memory: listed once, then kept up to date by a watch. It is either known to be up to
 * date, or not used: whenever that becomes doubtful, `drop` ends the watch and begins again with a list.
 */
export class Mirror {
  readonly cache: Cache
  readonly ownWrites = new OwnWrites()
  /** Why there was no good copy the last time there was none. */
  trouble = 'not connected yet'
  readonly #prefix: string
  readonly #deps: Deps
  readonly #end = new AbortController()
  #running: Promise<void> | null = null
  /** The watch in force; aborted to begin anew. */
  #round = new AbortController()
  #ready = false
  /** Somebody was told that the store is away: worth telling when it is back. */
  #wasAway = false
  /** Since when the store is known to have a newer revision than the copy. */
  #behindSince: Instant | null = null
  #waiting: (() => void)[] = []

  constructor(prefix: string, deps: Deps) {
    this.#prefix = prefix
    this.#deps = deps
    this.cache = new Cache(prefix)
  }

  get ready(): boolean {
    return this.#ready
  }

  start(): void {
    this.#running ??= this.#run()
  }

  async close(): Promise<void> {
    this.#end.abort()
    this.#round.abort()
    await this.#running
  }

  /** The copy may be outdated. Lists and watches anew at once. */
  drop(why: string): void {
    if (!this.#ready) return
    this.#deps.log.debug(`etcd watch dropped: ${why}`)
    this.#ready = false
    this.#round.abort()
  }

  /** What was known belongs to a store that is no more. */
  forget(): void {
    this.cache.forgetRevisions()
    this.drop('the store is another one')
  }

  /** An answer, to whatever question, has told the store's revision. */
  heard(revision: string): void {
    if (isNewer(revision, this.cache.revision)) this.#behindSince ??= this.#deps.clock.now()
  }

  /** A change that a write of ours has made, by its answer. */
  written(change: Change): void {
    this.cache.apply(change)
  }

  /**
   * Waits until the copy can be relied on. Where the store is known to have moved on for `patienceMs` and the watch has
   * told nothing (it may look at a hung server through a proxy that does not hang), a list is the proof.
   * @returns false when the budget ended first
   */
  async whenCurrent(budget: Budget, patienceMs: number): Promise<boolean> {
    if (!(await this.#whenReady(budget))) return false
    const { clock } = this.#deps
    if (this.#behindSince === null || clock.now() < later(this.#behindSince, patienceMs)) return true
    const listed = await this.#list(budget)
    if (typeof listed === 'string') return false
    this.#behindSince = null
    if (listed.length > 0) this.drop('it has missed changes')
    return true
  }

  async #whenReady(budget: Budget): Promise<boolean> {
    if (this.#ready) return true
    const time = this.#deps.clock.deadline(budget.deadline, budget.signal)
    const wakeUp = (): void => this.#wake()
    time.signal.addEventListener('abort', wakeUp, { once: true })
    try {
      while (!this.#ready && !time.signal.aborted && !this.#end.signal.aborted) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve))
      }
    } finally {
      time.done()
    }
    this.#wasAway ||= !this.#ready
    return this.#ready
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#deps
    while (!this.#end.signal.aborted) {
      this.#round = new AbortController()
      const begunAt = clock.now()
      const end = await this.#follow(this.#round.signal).catch((error: unknown) => {
        // A bug, or one of a listener's; it must not end our view of the store for ever.
        log.error('Unexpected exception while following etcd', error)
        return trouble('unexpected exception')
      })
      const wasReady = this.#ready
      this.#ready = false
      if (this.#end.signal.aborted) break
      log.debug(`etcd watch ended: ${end.reason}`)
      if (!end.expected) this.trouble = end.reason
      // At once, unless the server lets every watch end as soon as it has begun.
      if (end.expected || (wasReady && elapsedMs(begunAt, clock.now()) > REBUILD_PAUSE_MS)) continue
      await clock.sleep(REBUILD_PAUSE_MS, this.#end.signal)
    }
    this.#wake()
  }

  /** Lists, then watches until something ends it. */
  async #follow(signal: AbortSignal): Promise<RoundEnd> {
    const { clock, timing } = this.#deps
    const listed = await withBudget(clock, timing().retryTimeoutMs, signal, (budget) => this.#list(budget))
    if (signal.aborted) return DROPPED
    if (typeof listed === 'string') return trouble(listed)
    return new WatchRound(this.#deps, signal).run(this.#prefix, this.cache.revision, {
      created: () => this.#becomeReady(),
      changes: (changes) => this.#absorb(changes),
    })
  }

  /** @returns what it told that was not known, or why there is no list */
  async #list(budget: Budget): Promise<readonly Change[] | string> {
    // Not "serializable": a server that lags must not take us back behind what we have seen.
    const outcome = await this.#deps.gateway.call('/kv/range', rangeOfPrefix(this.#prefix), budget, 'persist')
    if (outcome.kind === 'unreachable') return outcome.reason
    if (outcome.kind === 'error') return outcome.error.message
    const { revision } = outcome.header
    const news = this.cache.newsIn(readKeyValues(outcome.answer['kvs']), revision)
    const applied = news.map((change) => ({ change, before: this.cache.correct(change) }))
    this.cache.reached(revision)
    this.#tell(applied)
    return news
  }

  #absorb(changes: readonly Change[]): void {
    const applied: Applied[] = []
    for (const change of changes) {
      const before = this.cache.apply(change)
      if (before !== undefined) applied.push({ change, before })
    }
    const last = changes.at(-1)
    if (last) this.cache.reached(revisionOf(last))
    this.#behindSince = null
    this.#tell(applied)
  }

  /** Once for each kind of event, and only when all of it can be read. */
  #tell(applied: readonly Applied[]): void {
    const events = new Set<StoreEvent>()
    for (const { change, before } of applied) {
      if (this.ownWrites.explains(change)) continue
      const after = change.kind === 'put' ? change.kv : null
      const event = eventOf(keyOf(change).slice(this.#prefix.length), before, after)
      if (event) events.add(event)
    }
    for (const event of events) this.#deps.notify(event)
  }

  #becomeReady(): void {
    this.#ready = true
    this.#wake()
    if (this.#wasAway) this.#deps.notify('connection')
    this.#wasAway = false
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}

interface Applied {
  readonly change: Change
  readonly before: KeyValue | null
}
