import { isObject } from '../../cluster/json.ts'
import { type Instant, LONG_AGO, later } from '../../cluster/time.ts'
import type { Budget, Clock, Random } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { type BootstrapDeps, bootstrapEndpoints, clientUrls, namesIn } from './bootstrap.ts'
import type { Connection } from './connection.ts'
import { needsToken, type ServerError } from './errors.ts'
import type { EtcdOptions } from './options.ts'
import { type Dialect, readVersion } from './version.ts'

export type DiscoveryOutcome =
  | { readonly kind: 'found' }
  | { readonly kind: 'unsupported'; readonly text: string }
  /** A server answered, but wants a token first. */
  | { readonly kind: 'token-wanted'; readonly error: ServerError }
  | { readonly kind: 'nothing'; readonly reason: string }

interface Deps extends BootstrapDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** Which servers there are, and which of them is the one in use. */
export class Topology {
  readonly #options: EtcdOptions
  readonly #connection: Connection
  readonly #deps: Deps
  #endpoints: readonly string[] = []
  #configured: readonly string[] = []
  #current: string | null = null
  #refreshedAt: Instant = LONG_AGO
  #running: Promise<DiscoveryOutcome> | null = null
  dialect: Dialect = { apiPrefix: '/v3', watches: true, authenticates: true }
  /** The server in use has changed. */
  changed: (endpoint: string) => void = () => {}

  constructor(options: EtcdOptions, connection: Connection, deps: Deps) {
    this.#options = options
    this.#connection = connection
    this.#deps = deps
  }

  /** The one in use first, then the others in the order of the list. Empty before the first discovery. */
  get endpoints(): readonly string[] {
    const current = this.#current
    return current === null ? [] : [current, ...this.#endpoints.filter((endpoint) => endpoint !== current)]
  }

  /** All that might answer, for the time before the first discovery has succeeded. */
  get candidates(): readonly string[] {
    return this.#current === null ? this.#configured : this.endpoints
  }

  get current(): string | null {
    return this.#current
  }

  get refreshedAt(): Instant {
    return this.#refreshedAt
  }

  use(endpoint: string): void {
    if (endpoint === this.#current) return
    this.#current = endpoint
    this.#deps.log.info(`Selected new etcd server ${endpoint}`)
    this.changed(endpoint)
  }

  /** Goes on to the next in the list: this one has failed. */
  advance(failed: string): void {
    if (failed !== this.#current) return
    const next = this.#endpoints[(this.#endpoints.indexOf(failed) + 1) % this.#endpoints.length]
    if (next !== undefined) this.use(next)
  }

  /**
   * Asks the servers for the list of members. All at once: the first good answer is used, a hung server costs nothing.
   * One discovery at a time; who comes later shares it.
   * @param suspicious forget addresses of names: none of them answered
   */
  discover(budget: Budget, suspicious: boolean): Promise<DiscoveryOutcome> {
    this.#running ??= this.#discover(budget, suspicious).finally(() => {
      this.#running = null
    })
    return this.#running
  }

  async #discover(budget: Budget, suspicious: boolean): Promise<DiscoveryOutcome> {
    this.#refreshedAt = this.#deps.clock.now()
    if (suspicious) this.#deps.names.expire(namesIn(this.#options.source))
    const configured = await bootstrapEndpoints(this.#options.source, this.#deps, budget)
    if (configured.length > 0) this.#configured = configured
    const candidates = [...new Set([...this.endpoints, ...configured])]
    if (candidates.length === 0) return { kind: 'nothing', reason: 'no endpoint is known' }
    const outcome = this.#options.useProxies
      ? await this.#askProxies(configured, budget)
      : await this.#askMembers(candidates, budget)
    return outcome
  }

  async #askProxies(configured: readonly string[], budget: Budget): Promise<DiscoveryOutcome> {
    // Without an answer to an earlier question the version is still open.
    const first = await firstGood(configured.map((endpoint) => this.#askVersion(endpoint, budget)))
    if (first.kind !== 'dialect') return first
    this.#speak(first.dialect)
    this.#replace(configured)
    return { kind: 'found' }
  }

  async #askMembers(candidates: readonly string[], budget: Budget): Promise<DiscoveryOutcome> {
    const first = await firstGood(candidates.map((endpoint) => this.#askOne(endpoint, budget)))
    if (first.kind !== 'members') return first
    this.#speak(first.dialect)
    this.#replace(shuffled([...new Set(first.urls)], this.#deps.random))
    return { kind: 'found' }
  }

  async #askOne(endpoint: string, budget: Budget): Promise<Found | Failed> {
    const version = await this.#askVersion(endpoint, budget)
    if (version.kind !== 'dialect') return version
    this.#connection.apiPrefix = version.dialect.apiPrefix
    const limits = { ...budget, connectMs: Math.max(1, budget.deadline - this.#deps.clock.now()) }
    const attempt = await this.#connection.call(endpoint, '/cluster/member/list', {}, limits)
    switch (attempt.kind) {
      case 'lost':
        return { kind: 'nothing', reason: `${endpoint}: ${attempt.reason}` }
      case 'error':
        if (needsToken(attempt.error)) return { kind: 'token-wanted', error: attempt.error }
        return { kind: 'nothing', reason: `${endpoint}: ${attempt.error.message}` }
      case 'answer': {
        const members = attempt.answer['members']
        const urls = Array.isArray(members)
          ? members.flatMap((member) =>
              isObject(member) && !member['isLearner'] ? clientUrls(member['clientURLs']) : [],
            )
          : []
        if (urls.length === 0) return { kind: 'nothing', reason: `${endpoint}: lists no member with a client URL` }
        return { kind: 'members', dialect: version.dialect, urls }
      }
    }
  }

  async #askVersion(
    endpoint: string,
    budget: Budget,
  ): Promise<{ readonly kind: 'dialect'; readonly dialect: Dialect } | Failed> {
    const response = await this.#connection.get(`${endpoint}/version`, budget)
    if (response.kind === 'failed') {
      this.#deps.log.debug(`Failed to get the version of ${endpoint}: ${response.reason}`)
      return { kind: 'nothing', reason: `${endpoint}: ${response.reason}` }
    }
    const version = readVersion(response.body)
    switch (version.kind) {
      case 'supported':
        return { kind: 'dialect', dialect: version.dialect }
      case 'unsupported':
        this.#deps.log.error(`${endpoint}: ${version.text}`)
        return version
      case 'unreadable':
        return { kind: 'nothing', reason: `${endpoint}: status ${response.status}, not the version of an etcd server` }
    }
  }

  #speak(dialect: Dialect): void {
    this.dialect = dialect
    this.#connection.apiPrefix = dialect.apiPrefix
  }

  #replace(endpoints: readonly string[]): void {
    this.#endpoints = endpoints
    const [first] = endpoints
    if (first !== undefined && (this.#current === null || !endpoints.includes(this.#current))) this.use(first)
  }
}

interface Found {
  readonly kind: 'members'
  readonly dialect: Dialect
  readonly urls: readonly string[]
}
type Failed = Exclude<DiscoveryOutcome, { readonly kind: 'found' }>

/** The first good outcome, or when all have failed the most telling failure. Losers are left to their deadline. */
function firstGood<T extends { readonly kind: string }>(asked: readonly Promise<T | Failed>[]): Promise<T | Failed> {
  const rank = (failure: Failed): number => ['nothing', 'unsupported', 'token-wanted'].indexOf(failure.kind)
  return new Promise((resolve) => {
    let open = asked.length
    let worst: Failed = { kind: 'nothing', reason: 'no endpoint is known' }
    if (open === 0) resolve(worst)
    for (const one of asked) {
      void one.then((outcome) => {
        open -= 1
        if (isFailed(outcome)) {
          if (rank(outcome) >= rank(worst)) worst = outcome
          if (open === 0) resolve(worst)
        } else {
          resolve(outcome)
        }
      })
    }
  })
}

function isFailed(outcome: { readonly kind: string }): outcome is Failed {
  return outcome.kind === 'nothing' || outcome.kind === 'unsupported' || outcome.kind === 'token-wanted'
}

/** So that not every member of a cluster leans on the same server. */
function shuffled(urls: string[], random: Random): string[] {
  for (let i = urls.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random.next() * (i + 1))
    ;[urls[i], urls[j]] = [urls[j] as string, urls[i] as string]
  }
  return urls
}

/** When the list is due for a refresh although nothing has failed: every ten ttl (spec dcs.md 3.1). */
export function isDue(topology: Topology, now: Instant, ttlMs: number): boolean {
  return topology.current !== null && now >= later(topology.refreshedAt, ttlMs * 10)
}
