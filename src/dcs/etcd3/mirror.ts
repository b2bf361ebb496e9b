import { elapsedMs, type Instant, later } from '../../cluster/time.ts'
import type { Budget, Clock } from '../../ports/clock.ts'
import type { DcsTiming, StoreEvent } from '../../ports/dcs.ts'
import type { Log } from '../../ports/log.ts'
import { Cache, type Change, eventOf, keyOf } from './cache.ts'
import type { Connection } from './connection.ts'
import { needsToken, readServerError, type ServerError } from './errors.ts'
import type { Gateway } from './gateway.ts'
import { rangeOfPrefix } from './kv.ts'
import { OwnWrites } from './own-writes.ts'
import type { Session } from './session.ts'
import type { Topology } from './topology.ts'
import { readWatch, type WatchMessage, watchRequest } from './watch.ts'
import { isNewer, readKeyValues } from './wire.ts'

interface Deps {
  readonly gateway: Gateway
  readonly connection: Connection
  readonly topology: Topology
  readonly session: Session
  readonly clock: Clock
  readonly log: Log
  readonly timing: () => DcsTiming
  readonly notify: (event: StoreEvent) => void
}

/** After a failed attempt to list or to watch. */
const REBUILD_PAUSE_MS = 1000
const LONGEST_ERROR = 10_000

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
  /** Since the last list something went wrong for longer than a moment. */
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

  /** @returns false when the budget ended first */
  async whenReady(budget: Budget): Promise<boolean> {
    if (this.#ready) return true
    const { clock } = this.#deps
    const time = clock.deadline(budget.deadline, budget.signal)
    try {
      while (!this.#ready && !time.signal.aborted && !this.#end.signal.aborted) {
        await new Promise<void>((resolve) => {
          this.#waiting.push(resolve)
          time.signal.addEventListener('abort', () => resolve(), { once: true })
        })
      }
    } finally {
      time.done()
    }
    return this.#ready
  }

  /** A change that a write of ours has made, by its answer. */
  written(change: Change): void {
    this.cache.apply(change)
  }

  /**
   * Waits until the copy can be relied on. Where the store is known to have moved on for a while and the watch has told
   * nothing (it may look at a hung server through a proxy that does not hang), a list is the proof.
   * @returns false when the budget ended first
   */
  async whenCurrent(budget: Budget, patienceMs: number): Promise<boolean> {
    if (!(await this.whenReady(budget))) return false
    const { clock } = this.#deps
    if (this.#behindSince === null || clock.now() < later(this.#behindSince, patienceMs)) return true
    const listed = await this.#list(budget)
    if (typeof listed === 'string') return false
    this.#behindSince = null
    if (listed.length > 0) this.drop('it has missed changes')
    return true
  }

  /** An answer, to whatever question, has told the store's revision. */
  heard(revision: string): void {
    if (isNewer(revision, this.cache.revision)) this.#behindSince ??= this.#deps.clock.now()
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#deps
    while (!this.#end.signal.aborted) {
      this.#round = new AbortController()
      const begunAt = clock.now()
      const reason = await this.#follow(this.#round.signal)
      const wasReady = this.#ready
      this.#ready = false
      if (this.#end.signal.aborted) break
      log.debug(`etcd watch ended: ${reason ?? 'dropped'}`)
      this.trouble = reason ?? this.trouble
      // At once, unless the server lets every watch end as soon as it has begun.
      if (reason === null || (wasReady && elapsedMs(begunAt, clock.now()) > REBUILD_PAUSE_MS)) continue
      this.#wasAway ||= !wasReady
      await clock.sleep(REBUILD_PAUSE_MS, this.#end.signal)
    }
    this.#wake()
  }

  /** Lists, then watches until something ends it. @returns why, `null` where we ended it ourselves */
  async #follow(signal: AbortSignal): Promise<string | null> {
    const { clock, timing, topology, connection } = this.#deps
    const listed = await this.#withBudget(signal, (budget) => this.#list(budget))
    if (typeof listed === 'string') return listed
    const endpoint = topology.current
    if (endpoint === null) return 'no endpoint is known'
    const limitMs = timing().retryTimeoutMs
    const deadline = later(clock.now(), limitMs)
    const opening = clock.deadline(deadline, signal)
    try {
      const request = watchRequest(this.#prefix, this.cache.revision)
      const stream = await connection.openWatch(endpoint, request, { deadline, connectMs: limitMs, signal })
      if (stream.kind === 'failed') return this.#failed(endpoint, stream.reason)
      // The head of the answer has come; the message that says "created" has the same deadline.
      opening.signal.addEventListener('abort', () => stream.close(), { once: true })
      if (stream.status >= 400) return await this.#refused(endpoint, stream.status, stream.chunks, signal)
      for await (const message of readWatch(stream)) {
        opening.done()
        const end = await this.#take(endpoint, message, signal)
        if (end !== null) return end
      }
      return signal.aborted ? null : this.#failed(endpoint, 'the watch stream ended')
    } finally {
      opening.done()
    }
  }

  /** @returns what it told that was not known, or why there is no list */
  async #list(budget: Budget): Promise<readonly Change[] | string> {
    // Not "serializable": a server that lags must not take us back behind what we have seen.
    const outcome = await this.#deps.gateway.call('/kv/range', rangeOfPrefix(this.#prefix), budget, 'persist')
    if (outcome.kind === 'unreachable') return outcome.reason
    if (outcome.kind === 'error') return outcome.error.message
    const { revision } = outcome.header
    const news = this.cache.newsIn(readKeyValues(outcome.answer['kvs']), revision)
    this.#absorb(news, revision)
    return news
  }

  /** @returns why the watch is over, `null` while it goes on */
  async #take(endpoint: string, message: WatchMessage, signal: AbortSignal): Promise<string | null> {
    const { connection, log } = this.#deps
    if (message.kind === 'ended') {
      if (!message.compacted) log.info(`etcd ended the watch: ${message.error.message}`)
      await this.#loginIfWanted(message.error, signal)
      return message.error.message
    }
    if (!connection.accept(endpoint, message.header)) return this.#failed(endpoint, 'the server lags behind')
    switch (message.kind) {
      case 'created':
        this.#becomeReady()
        break
      case 'changes': {
        const last = message.changes.at(-1)
        if (last) this.#absorb(message.changes, last.kind === 'put' ? last.kv.modRevision : last.modRevision)
        break
      }
      case 'progress':
        break
    }
    return null
  }

  #absorb(changes: readonly Change[], revision: string): void {
    const events = new Set<StoreEvent>()
    for (const change of changes) {
      const before = this.cache.apply(change)
      if (before === undefined || this.ownWrites.explains(change)) continue
      const after = change.kind === 'put' ? change.kv : null
      const event = eventOf(keyOf(change).slice(this.#prefix.length), before, after)
      if (event) events.add(event)
    }
    this.cache.reached(revision)
    this.#behindSince = null
    for (const event of events) this.#deps.notify(event)
  }

  #becomeReady(): void {
    this.#ready = true
    this.#wake()
    if (this.#wasAway) this.#deps.notify('connection')
    this.#wasAway = false
  }

  #failed(endpoint: string, reason: string): string {
    this.#deps.topology.advance(endpoint)
    return reason
  }

  async #refused(
    endpoint: string,
    status: number,
    chunks: AsyncIterable<string>,
    signal: AbortSignal,
  ): Promise<string> {
    let body = ''
    for await (const chunk of chunks) if (body.length < LONGEST_ERROR) body += chunk
    const error = readServerError(status, body)
    if (!(await this.#loginIfWanted(error, signal))) this.#failed(endpoint, error.message)
    return error.message
  }

  async #loginIfWanted(error: ServerError, signal: AbortSignal): Promise<boolean> {
    const { session } = this.#deps
    if (!needsToken(error) || !session.hasCredentials) return false
    await this.#withBudget(signal, (budget) => session.login(budget))
    return true
  }

  async #withBudget<T>(signal: AbortSignal, work: (budget: Budget) => Promise<T>): Promise<T> {
    const { clock, timing } = this.#deps
    const deadline = later(clock.now(), timing().retryTimeoutMs)
    const time = clock.deadline(deadline, signal)
    try {
      return await work({ deadline, signal: time.signal })
    } finally {
      time.done()
    }
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
