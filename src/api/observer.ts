import { elapsedMs, type Instant, later } from '../cluster/time.ts'
import type { Clock } from '../ports/clock.ts'
import type { AgentControl, MemberStatus } from '../ports/control.ts'
import type { ObservationOutcome } from '../ports/postgres.ts'
import { FAILED, isWorthAsking, type Look, NOT_ASKED } from './picture.ts'

/** One look into the server serves all health checks of this time (spec rest-api.md 21.19). */
const SHARED_FOR_MS = 1_000
/** How long one look may take; the statement's own limit is 2 s, but a frozen server does not keep it. */
const LOOK_LIMIT_MS = 2_500
/** While the server is known not to answer, nobody waits longer than this to hear it again. */
const PATIENCE_WHEN_FAILED_MS = 250
/** Peers that decide about the leadership wait 2 s for an answer, its way included. */
const FRESH_LIMIT_MS = 1_800
const FRESH_MAX_AGE_MS = 10

interface Seen {
  readonly outcome: ObservationOutcome
  /** Before the question was sent: what is shown is at least as new. */
  readonly at: Instant
  readonly role: MemberStatus['role']
  readonly state: MemberStatus['state']
}

/**
 * Looks into PostgreSQL for those who ask over REST, so that answers are truthful and quick at once: one look is shared
 * by all, renewed in the background while it is asked for, and nobody waits for a server that hangs.
 */
export class Observer {
  readonly #control: AgentControl
  readonly #clock: Clock
  #last: Seen | null = null
  #running: { readonly done: Promise<void>; readonly since: Instant } | null = null

  constructor(control: AgentControl, clock: Clock) {
    this.#control = control
    this.#clock = clock
  }

  /**
   * A look that is at most a second old. No promise where one is at hand: the hot path stays synchronous.
   * @param patienceMs how long the caller would rather wait than hear that the server does not answer
   */
  recent(status: MemberStatus, patienceMs: number): Look | Promise<Look> {
    if (!isWorthAsking(status.state)) return NOT_ASKED
    const last = this.#last
    // A look at a server that has changed its part since then says nothing about now.
    if (last && last.role === status.role && last.state === status.state) {
      const age = elapsedMs(last.at, this.#clock.now())
      if (age > SHARED_FOR_MS / 2) void this.#refresh(status)
      if (age <= SHARED_FOR_MS) return lookOf(last.outcome)
    }
    return this.#wait(status, patienceMs)
  }

  /** A look made for this question: what a leader race is decided by. */
  async fresh(status: MemberStatus): Promise<Look> {
    if (!isWorthAsking(status.state)) return NOT_ASKED
    const at = this.#clock.now()
    const outcome = await this.#ask(FRESH_MAX_AGE_MS, FRESH_LIMIT_MS)
    this.#last = { outcome, at, role: status.role, state: status.state }
    return lookOf(outcome)
  }

  async #wait(status: MemberStatus, patienceMs: number): Promise<Look> {
    const hasFailed = this.#last?.outcome.kind === 'unreachable'
    const running = this.#refresh(status)
    const waited = elapsedMs(running.since, this.#clock.now())
    const limitMs = hasFailed ? Math.max(0, PATIENCE_WHEN_FAILED_MS - waited) : patienceMs
    const timer = new AbortController()
    const inTime = await Promise.race([
      running.done.then(() => true),
      this.#clock.sleep(limitMs, timer.signal).then(() => false),
    ])
    timer.abort()
    return inTime && this.#last ? lookOf(this.#last.outcome) : FAILED
  }

  /** Starts a look, or joins the one under way. */
  #refresh(status: MemberStatus): { readonly done: Promise<void>; readonly since: Instant } {
    if (this.#running) return this.#running
    const at = this.#clock.now()
    const done = this.#ask(SHARED_FOR_MS / 2, LOOK_LIMIT_MS).then((outcome) => {
      this.#last = { outcome, at, role: status.role, state: status.state }
      this.#running = null
    })
    this.#running = { done, since: at }
    return this.#running
  }

  /** Ends in time even if the agent's own look does not. */
  async #ask(maxAgeMs: number, limitMs: number): Promise<ObservationOutcome> {
    const limit = this.#clock.deadline(later(this.#clock.now(), limitMs))
    const late = new Promise<ObservationOutcome>((resolve) => {
      const end = (): void => resolve({ kind: 'unreachable', reason: `no answer within ${limitMs} ms` })
      if (limit.signal.aborted) end()
      else limit.signal.addEventListener('abort', end, { once: true })
    })
    const budget = { deadline: later(this.#clock.now(), limitMs), signal: limit.signal }
    try {
      return await Promise.race([this.#control.observe(maxAgeMs, budget), late])
    } catch (error) {
      return { kind: 'unreachable', reason: error instanceof Error ? error.message : String(error) }
    } finally {
      limit.done()
    }
  }
}

function lookOf(outcome: ObservationOutcome): Look {
  return outcome.kind === 'observed' ? outcome : FAILED
}
