import type { JsonObject } from '../../cluster/json.ts'
import { elapsedMs, type Instant } from '../../cluster/time.ts'
import type { Budget, Clock, Random } from '../../ports/clock.ts'
import type { DcsTiming } from '../../ports/dcs.ts'
import type { Log } from '../../ports/log.ts'
import { atMost, type Division, divide, leastTryMs, Pauses, timeLeftMs } from '../budget.ts'
import type { Attempt, Connection } from './connection.ts'
import { meaning, needsToken, type ServerError } from './errors.ts'
import type { Session } from './session.ts'
import { isDue, type Topology } from './topology.ts'
import type { Header } from './wire.ts'

/**
 * The end of a call. `doubtful`: an attempt that got no clear answer may have been carried out, or may still be, before
 * or after the one that is reported here.
 */
export type CallOutcome =
  | {
      readonly kind: 'answer'
      readonly answer: JsonObject
      readonly header: Header
      /** Before the request that was answered left. */
      readonly sentAt: Instant
      readonly doubtful: boolean
    }
  /** The server decided that it will not do it. */
  | { readonly kind: 'error'; readonly error: ServerError; readonly doubtful: boolean }
  | { readonly kind: 'unreachable'; readonly reason: string; readonly doubtful: boolean }

/** `persist`: pass over the endpoints again and again until the budget is spent; `once`: a single pass. */
export type Effort = 'persist' | 'once'

interface Deps {
  readonly connection: Connection
  readonly topology: Topology
  readonly session: Session
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly timing: () => DcsTiming
  /** Ends what is done in the background. */
  readonly closing: AbortSignal
}

const REPEAT_COMPLAINT_MS = 10_000

/** Calls to a cluster of servers: the next one when one fails, again after a pause, within one budget (spec dcs.md 1.6). */
export class Gateway {
  readonly #deps: Deps
  readonly #complaints = new Map<string, { readonly text: string; readonly at: Instant }>()
  /** A call has failed on every endpoint: what is believed about the store may be outdated. */
  failedHard: () => void = () => {}

  constructor(deps: Deps) {
    this.#deps = deps
  }

  async call(path: string, body: JsonObject, budget: Budget, effort: Effort): Promise<CallOutcome> {
    this.#refreshWhenDue()
    const { clock, random } = this.#deps
    const progress: Progress = { doubtful: false, reason: 'no time left', loginsTried: new Set() }
    const pauses = new Pauses(random)
    for (;;) {
      const outcome = await this.#pass(path, body, budget, progress)
      if (outcome) return outcome
      const pauseMs = pauses.next()
      if (effort === 'once' || timeLeftMs(clock, budget) <= pauseMs) break
      this.#rediscover(budget)
      await clock.sleep(pauseMs, budget.signal)
    }
    // A caller who no longer wants to know says nothing about the store.
    if (!budget.signal.aborted || clock.now() >= budget.deadline) this.failedHard()
    return { kind: 'unreachable', reason: progress.reason, doubtful: progress.doubtful }
  }

  /** Each endpoint once. @returns `null` when none gave an answer that settles the call */
  async #pass(path: string, body: JsonObject, budget: Budget, progress: Progress): Promise<CallOutcome | null> {
    const { topology, clock, log, connection } = this.#deps
    const endpoints = topology.endpoints
    const division = this.#divide(budget, endpoints.length)
    if (!division) return null
    let behind = 0
    for (const [i, endpoint] of endpoints.slice(0, division.endpoints).entries()) {
      if (timeLeftMs(clock, budget) <= 0) return null
      if (i > 0) log.info(`Retrying on ${endpoint}`)
      const attempt = await this.#try(endpoint, path, body, budget, division, progress)
      const { doubtful } = progress
      if (attempt.kind === 'answer') {
        if (endpoint !== topology.current) this.#moveTo(endpoint)
        return { ...attempt, doubtful }
      }
      if (attempt.kind === 'lost') {
        progress.doubtful ||= attempt.sent
        progress.reason = `${endpoint}: ${attempt.reason}`
        if (budget.signal.aborted && clock.now() < budget.deadline) return null
        this.#complain(endpoint, attempt.reason)
        if (attempt.behind) behind += 1
        continue
      }
      progress.reason = `${endpoint}: ${attempt.error.message}`
      switch (meaning(attempt.error)) {
        case 'no':
        case 'token':
          return { kind: 'error', error: attempt.error, doubtful }
        case 'unclear':
        case 'elsewhere':
          // Such as "no leader" or "request timed out": the proposal may have been accepted all the same.
          this.#complain(endpoint, attempt.error.message)
          progress.doubtful = true
          break
        case 'later':
          progress.doubtful = true
          return null
      }
    }
    if (behind === endpoints.length) connection.forgetTerm()
    // The next pass begins with one for which there was no time in this one.
    const untried = endpoints[division.endpoints]
    if (untried !== undefined) topology.use(untried)
    return null
  }

  /** While a server stays away it is mentioned now and then, not with each attempt. */
  #complain(endpoint: string, reason: string): void {
    const { clock, log } = this.#deps
    const text = `Request to server ${endpoint} failed: ${reason}`
    const now = clock.now()
    const before = this.#complaints.get(endpoint)
    if (before?.text === text && elapsedMs(before.at, now) < REPEAT_COMPLAINT_MS) {
      log.debug(text)
      return
    }
    this.#complaints.set(endpoint, { text, at: now })
    log.warning(text)
  }

  /** One attempt, repeated on another connection while kept ones turn out dead, and with a new token if the old one was refused. */
  async #try(
    endpoint: string,
    path: string,
    body: JsonObject,
    budget: Budget,
    division: Division,
    progress: Progress,
  ): Promise<Attempt> {
    const { connection, clock, session, log } = this.#deps
    const limits = { ...atMost(clock, budget, division.perTryMs), connectMs: division.connectMs }
    let attempt = await connection.call(endpoint, path, body, limits)
    while (attempt.kind === 'lost' && attempt.stale) {
      progress.doubtful = true
      attempt = await connection.call(endpoint, path, body, limits)
    }
    if (attempt.kind !== 'error' || !needsToken(attempt.error)) return attempt
    // Once for each complaint: a real lack of permission is not cured by logging in again and again.
    if (progress.loginsTried.has(attempt.error.message)) return attempt
    progress.loginsTried.add(attempt.error.message)
    const login = await session.login(budget, [endpoint])
    if (login.kind === 'unreachable') return { kind: 'lost', reason: login.reason, sent: false, stale: false }
    if (login.kind === 'wrong') log.error(login.text)
    if (login.kind !== 'ready') return attempt
    return this.#try(endpoint, path, body, budget, division, progress)
  }

  #divide(budget: Budget, endpoints: number): Division | null {
    const { clock, timing } = this.#deps
    return endpoints === 0 ? null : divide(timeLeftMs(clock, budget), endpoints, leastTryMs(timing().retryTimeoutMs))
  }

  #moveTo(endpoint: string): void {
    this.#deps.topology.use(endpoint)
    this.#inBackground(this.#deps.timing().retryTimeoutMs, false)
  }

  #refreshWhenDue(): void {
    const { topology, clock, timing } = this.#deps
    if (isDue(topology, clock.now(), timing().ttlMs)) this.#inBackground(timing().retryTimeoutMs, false)
  }

  /** Beside the pause and the next pass, never instead of them: it may hang as well. */
  #rediscover(budget: Budget): void {
    this.#inBackground(timeLeftMs(this.#deps.clock, budget), true)
  }

  #inBackground(forMs: number, suspicious: boolean): void {
    const { clock, topology, closing } = this.#deps
    const deadline = (clock.now() + forMs) as Instant
    const time = clock.deadline(deadline, closing)
    void topology.discover({ deadline, signal: time.signal }, suspicious).finally(time.done)
  }
}

/** What the attempts of one call have in common. */
interface Progress {
  doubtful: boolean
  reason: string
  readonly loginsTried: Set<string>
}
