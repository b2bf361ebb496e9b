import type { Credentials } from '../../config/types.ts'
import type { Budget, Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { atMost, divide, leastTryMs, timeLeftMs } from '../budget.ts'
import { type Connection, LOGIN_PATH } from './connection.ts'
import { meaning, TEXT } from './errors.ts'
import type { Topology } from './topology.ts'

export type LoginOutcome =
  | { readonly kind: 'ready' }
  /** The server says that the credentials are wrong. */
  | { readonly kind: 'wrong'; readonly text: string }
  | { readonly kind: 'not-configured' }
  | { readonly kind: 'unreachable'; readonly reason: string }

/** Keeps the token that stands for user name and password. */
export class Session {
  readonly #connection: Connection
  readonly #topology: Topology
  readonly #clock: Clock
  readonly #log: Log
  readonly #leastMs: () => number
  #credentials: Credentials | null
  #running: Promise<LoginOutcome> | null = null

  constructor(
    credentials: Credentials | null,
    deps: {
      readonly connection: Connection
      readonly topology: Topology
      readonly clock: Clock
      readonly log: Log
      readonly retryTimeoutMs: () => number
    },
  ) {
    this.#credentials = credentials
    this.#connection = deps.connection
    this.#topology = deps.topology
    this.#clock = deps.clock
    this.#log = deps.log
    this.#leastMs = () => leastTryMs(deps.retryTimeoutMs())
  }

  get hasCredentials(): boolean {
    return this.#credentials !== null && this.#topology.dialect.authenticates
  }

  /** New credentials after a reload; the next refusal of the old token uses them. */
  setCredentials(credentials: Credentials | null): void {
    this.#credentials = credentials
  }

  /** One login at a time; who comes later shares it, since all need the same token. */
  login(budget: Budget, candidates: readonly string[] = this.#topology.candidates): Promise<LoginOutcome> {
    this.#running ??= this.#login(budget, candidates).finally(() => {
      this.#running = null
    })
    return this.#running
  }

  async #login(budget: Budget, candidates: readonly string[]): Promise<LoginOutcome> {
    if (!this.#credentials || !this.#topology.dialect.authenticates) {
      this.#log.error('Username or password not set, authentication is not possible')
      return { kind: 'not-configured' }
    }
    const body = { name: this.#credentials.username, password: this.#credentials.password }
    let reason = 'no time left'
    const division = divide(timeLeftMs(this.#clock, budget), candidates.length, this.#leastMs())
    for (const endpoint of division ? candidates.slice(0, division.endpoints) : []) {
      const limits = { ...atMost(this.#clock, budget, division?.perTryMs ?? 0), connectMs: division?.connectMs ?? 0 }
      const attempt = await this.#connection.call(endpoint, LOGIN_PATH, body, limits)
      if (attempt.kind === 'answer') {
        const token = attempt.answer['token']
        this.#connection.token = typeof token === 'string' ? token : null
        return { kind: 'ready' }
      }
      if (attempt.kind === 'error') {
        if (attempt.error.message === TEXT.authenticationOff) return { kind: 'ready' }
        const judged = meaning(attempt.error)
        if (judged === 'no' || judged === 'token') {
          return { kind: 'wrong', text: `Etcd3 authentication failed: ${attempt.error.message}` }
        }
      }
      reason = attempt.kind === 'lost' ? attempt.reason : attempt.error.message
    }
    return { kind: 'unreachable', reason }
  }
}
