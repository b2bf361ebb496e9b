import { type JsonObject, printJson } from '../../cluster/json.ts'
import { elapsedMs, type Instant } from '../../cluster/time.ts'
import type { HttpClient, HttpFailure, HttpLimits, HttpStream } from '../../http/client.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { readServerError, type ServerError } from './errors.ts'
import { firstDocument, type Header, readHeader } from './wire.ts'

export const LOGIN_PATH = '/auth/authenticate'

/** How one request to one endpoint ended. */
export type Attempt =
  | { readonly kind: 'answer'; readonly answer: JsonObject; readonly header: Header; readonly sentAt: Instant }
  | { readonly kind: 'error'; readonly error: ServerError }
  /** No usable answer. `sent`: the request may have been carried out. `stale`: a kept connection was closed already. */
  | {
      readonly kind: 'lost'
      readonly reason: string
      readonly sent: boolean
      readonly stale: boolean
      /** It did answer, but is behind the raft term that others have reported. */
      readonly behind?: boolean
    }

export interface AttemptLimits extends HttpLimits {
  readonly connectMs: number
}

/**
 * Speaks with single endpoints: adds the token, reads answers, and refuses a server that lags behind what we have
 * heard from others already (spec dcs.md 3.1, stale node guard).
 */
export class Connection {
  readonly #http: HttpClient
  readonly #clock: Clock
  readonly #log: Log
  readonly #terms: TermGuard
  /** Path of the API by the version of the cluster: `/v3`, `/v3beta`, `/v3alpha`. */
  apiPrefix = '/v3'
  /** From authentication; `null` where none is needed. */
  token: string | null = null
  /** Every good answer passes here: a sign of life of that endpoint. */
  heard: (header: Header) => void = () => {}
  /** The store is not the one that we knew. */
  replaced: () => void = () => {}

  constructor(http: HttpClient, clock: Clock, log: Log) {
    this.#http = http
    this.#clock = clock
    this.#log = log
    this.#terms = new TermGuard(log)
  }

  async call(endpoint: string, path: string, body: JsonObject, limits: AttemptLimits): Promise<Attempt> {
    const sentAt = this.#clock.now()
    const response = await this.#http.request(this.#post(endpoint, path, body), limits)
    if (response.kind === 'failed') return this.#lost(endpoint, path, response)
    this.#log.debug(
      `etcd ${endpoint}${path}: status ${response.status} after ${Math.round(elapsedMs(sentAt, this.#clock.now()))} ms`,
    )
    if (response.status >= 400) return { kind: 'error', error: readServerError(response.status, response.body) }
    const answer = firstDocument(response.body)
    if (!answer || response.status >= 300) {
      return { kind: 'lost', reason: 'the answer is not what etcd answers', sent: true, stale: false }
    }
    const header = readHeader(answer['result'] ? (answer['result'] as JsonObject) : answer)
    if (!this.accept(header)) {
      return { kind: 'lost', reason: 'the server lags behind', sent: true, stale: false, behind: true }
    }
    return { kind: 'answer', answer, header, sentAt }
  }

  /** Opens a watch. Its messages are to be passed to `accept` as well. */
  async openWatch(endpoint: string, body: JsonObject, limits: AttemptLimits): Promise<HttpStream | HttpFailure> {
    const request = this.#post(endpoint, '/watch', body)
    // Without it a watch on a server that has lost its quorum stays open and silent.
    const headers = { ...request.headers, 'grpc-metadata-hasleader': 'true' }
    for (;;) {
      const stream = await this.#http.stream({ ...request, headers }, limits)
      if (stream.kind === 'stream' || !stream.stale) return stream
    }
  }

  /** A plain GET, for the version and for discovery by peer addresses. */
  get(url: string, limits: HttpLimits): ReturnType<HttpClient['request']> {
    return this.#http.request({ method: 'GET', url }, limits)
  }

  /** @returns false for a server that is behind the highest raft term known */
  accept(header: Header): boolean {
    switch (this.#terms.judge(header)) {
      case 'behind':
        return false
      case 'other-cluster':
        this.replaced()
        break
      case 'fine':
        break
    }
    this.heard(header)
    return true
  }

  /** Every server there is reports a lower term: they were restored from a backup, and it is we who are behind. */
  forgetTerm(): void {
    this.#log.warning('All etcd servers have a lower term than before: the store was restored or replaced')
    this.#terms.forget()
    this.replaced()
  }

  #post(endpoint: string, path: string, body: JsonObject) {
    // An old token would be judged before the credentials are.
    const token = path === LOGIN_PATH ? null : this.token
    return {
      method: 'POST',
      url: `${endpoint}${this.apiPrefix}${path}`,
      headers: { 'content-type': 'application/json', ...(token === null ? {} : { authorization: token }) },
      body: printJson(body),
    } as const
  }

  #lost(endpoint: string, path: string, failure: HttpFailure): Attempt {
    this.#log.debug(`Request to server ${endpoint} failed: ${path}: ${failure.reason}`)
    return { kind: 'lost', reason: failure.reason, sent: failure.sent, stale: failure.stale }
  }
}

/** A raft term never goes back: a server that reports a lower one than another did has not heard of the present. */
class TermGuard {
  readonly #log: Log
  #clusterId: string | null = null
  #highest = 0n

  constructor(log: Log) {
    this.#log = log
  }

  judge({ clusterId, raftTerm }: Header): 'fine' | 'behind' | 'other-cluster' {
    const known = this.#clusterId
    const isOther = known !== null && clusterId !== null && known !== clusterId
    if (isOther) {
      this.#log.warning(`The etcd cluster has changed: its id was ${known}, now it is ${clusterId}`)
      this.#highest = 0n
    }
    this.#clusterId = clusterId ?? known
    if (raftTerm !== null && raftTerm < this.#highest) {
      this.#log.warning(
        `Connected to Etcd node with term ${raftTerm}. Old known term ${this.#highest}. Switching to another node.`,
      )
      return 'behind'
    }
    this.#highest = raftTerm ?? this.#highest
    return isOther ? 'other-cluster' : 'fine'
  }

  forget(): void {
    this.#highest = 0n
  }
}
