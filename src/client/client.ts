import { request as httpRequest } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'

/** How to reach one member's REST server, and what it asks for. */
export interface MatriarchClientOptions {
  /** Scheme, host and port: `http://10.0.0.1:8008`. */
  readonly url: string
  /** For requests that change something (`restapi.authentication`). */
  readonly credentials?: { readonly username: string; readonly password: string }
  /** PEM texts. */
  readonly tls?: {
    readonly ca?: string
    readonly cert?: string
    readonly key?: string
    readonly passphrase?: string
    /** Accepts any certificate. */
    readonly insecure?: boolean
  }
  /** How long one request may take in all, in milliseconds; 10,000 where absent. */
  readonly timeoutMs?: number
}

/** Limits of one call. */
export interface CallOptions {
  readonly signal?: AbortSignal
  /** Instead of the client's. */
  readonly timeoutMs?: number
}

export type Role = 'primary' | 'standby_leader' | 'replica' | 'demoted' | 'uninitialized'

/** `GET /patroni`. */
export interface MemberStatus {
  readonly state: string
  readonly role: Role
  readonly postmaster_start_time?: string
  readonly server_version?: number
  readonly timeline?: number
  readonly xlog?: {
    readonly location?: number
    readonly received_location?: number
    readonly replayed_location?: number
    readonly replayed_timestamp?: string | null
    readonly paused?: boolean
  }
  readonly replication_state?: string
  readonly sync_standby?: boolean
  readonly quorum_standby?: boolean
  readonly pause?: boolean
  readonly cluster_unlocked?: boolean
  readonly pending_restart?: boolean
  readonly scheduled_restart?: { readonly schedule?: string; readonly [key: string]: unknown }
  readonly tags?: Readonly<Record<string, unknown>>
  readonly database_system_identifier?: string
  readonly dcs_last_seen?: number
  readonly watchdog_failed?: boolean
  readonly failsafe_mode_is_active?: boolean
  readonly patroni: { readonly version: string; readonly scope: string; readonly name: string }
}

/** One row of `GET /cluster`. */
export interface ClusterMember {
  readonly name: string
  readonly role: 'leader' | 'standby_leader' | 'sync_standby' | 'quorum_standby' | 'replica'
  readonly state: string
  readonly api_url?: string
  readonly host?: string
  readonly port?: number
  readonly timeline?: number
  readonly lag?: number | 'unknown'
  readonly tags?: Readonly<Record<string, unknown>>
  readonly pending_restart?: boolean
}

/** `GET /cluster`. */
export interface Cluster {
  readonly members: readonly ClusterMember[]
  readonly scope: string
  readonly pause?: boolean
  readonly scheduled_switchover?: { readonly at: string; readonly from?: string; readonly to?: string }
}

/** `[timeline, LSN in bytes, reason, time stamp, new leader]`; the last two may be missing. */
export type HistoryRow = readonly [timeline: number, lsn: number, reason: string, at?: string, leader?: string]

/** `GET /journal`. */
export interface Journal {
  readonly name: string
  readonly scope: string
  /** Milliseconds since 1970, as all times of a journal. */
  readonly now: number
  readonly records: readonly JournalRecord[]
}

export interface JournalRecord {
  readonly number: number
  readonly at: number
  readonly until: number
  readonly times: number
  readonly rule: string
  readonly text: string
  readonly tookMs: number
  readonly entries: readonly {
    readonly at: number
    readonly kind: 'saw' | 'asked' | 'considered' | 'decided' | 'did'
    readonly what: string
    readonly detail?: unknown
  }[]
}

export type DynamicConfiguration = Readonly<Record<string, unknown>>

export interface SwitchoverRequest {
  readonly leader: string
  readonly candidate?: string
  /** ISO 8601 with a zone; without it: now. */
  readonly scheduled_at?: string
}

export interface FailoverRequest {
  readonly candidate: string
}

export interface RestartRequest {
  /** ISO 8601 with a zone; without it: now. */
  readonly schedule?: string
  readonly role?: 'primary' | 'standby_leader' | 'replica'
  readonly postgres_version?: string
  readonly timeout?: number | string
  readonly restart_pending?: boolean
}

export interface ReinitializeRequest {
  readonly force?: boolean
  'from-leader'?: boolean
}

/** What the server did with a request that changes something: it says so in words. */
export interface Answer {
  readonly status: number
  readonly text: string
}

/** The server answered with an error. */
export class RefusedError extends Error {
  readonly status: number
  readonly body: string
  constructor(status: number, body: string) {
    super(`the server answered ${status}: ${body.trim()}`)
    this.name = 'RefusedError'
    this.status = status
    this.body = body
  }
}

/** There was no usable answer. A request that changes something may have been carried out all the same. */
export class UnreachableError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'UnreachableError'
  }
}

const TIMEOUT_MS = 10_000
/** A switchover or restart is answered when it is over. */
const LONG_MS = 300_000
const BODY_MAX = 16 * 1024 * 1024

/**
 * Talks to the REST server of one member (docs/openapi.yaml). Methods reject with `RefusedError` or `UnreachableError`,
 * or with the reason of the given signal.
 */
export class MatriarchClient {
  readonly #options: MatriarchClientOptions
  readonly #url: URL

  /** @throws {TypeError} when the address is none */
  constructor(options: MatriarchClientOptions | string) {
    this.#options = typeof options === 'string' ? { url: options } : options
    this.#url = new URL(this.#options.url)
    if (!['http:', 'https:'].includes(this.#url.protocol)) throw new TypeError(`${this.#options.url} is not http(s)`)
  }

  status(options?: CallOptions): Promise<MemberStatus> {
    return this.#read('/patroni', options)
  }

  cluster(options?: CallOptions): Promise<Cluster> {
    return this.#read('/cluster', options)
  }

  history(options?: CallOptions): Promise<readonly HistoryRow[]> {
    return this.#read('/history', options)
  }

  /** @param since records that ended before are left out */
  journal(since?: Date, options?: CallOptions): Promise<Journal> {
    return this.#read(since ? `/journal?since=${since.getTime()}` : '/journal', options)
  }

  configuration(options?: CallOptions): Promise<DynamicConfiguration> {
    return this.#read('/config', options)
  }

  /** In the text format of Prometheus. */
  async metrics(options?: CallOptions): Promise<string> {
    return (await this.#ask('GET', '/metrics', undefined, options)).text
  }

  /** Whether a health check passes: `/primary`, `/replica?lag=10MB`, … */
  async isHealthy(check: `/${string}`, options?: CallOptions): Promise<boolean> {
    return (await this.#send('GET', check, undefined, options)).status === 200
  }

  /** Merges `changes` into the dynamic configuration; a `null` removes a key. @returns all of it */
  async configure(changes: DynamicConfiguration, options?: CallOptions): Promise<DynamicConfiguration> {
    return parsed(await this.#ask('PATCH', '/config', changes, options)) as DynamicConfiguration
  }

  /** Ends when somebody else leads, or the request was refused. */
  switchover(request: SwitchoverRequest, options?: CallOptions): Promise<Answer> {
    return this.#ask('POST', '/switchover', request, { timeoutMs: LONG_MS, ...options })
  }

  cancelSwitchover(options?: CallOptions): Promise<Answer> {
    return this.#ask('DELETE', '/switchover', undefined, options)
  }

  failover(request: FailoverRequest, options?: CallOptions): Promise<Answer> {
    return this.#ask('POST', '/failover', request, { timeoutMs: LONG_MS, ...options })
  }

  /** Ends when PostgreSQL runs again, or the restart is planned. */
  restart(request: RestartRequest = {}, options?: CallOptions): Promise<Answer> {
    return this.#ask('POST', '/restart', request, { timeoutMs: LONG_MS, ...options })
  }

  cancelRestart(options?: CallOptions): Promise<Answer> {
    return this.#ask('DELETE', '/restart', undefined, options)
  }

  reinitialize(request: ReinitializeRequest = {}, options?: CallOptions): Promise<Answer> {
    return this.#ask('POST', '/reinitialize', request, options)
  }

  reload(options?: CallOptions): Promise<Answer> {
    return this.#ask('POST', '/reload', undefined, options)
  }

  async #read<T>(path: string, options?: CallOptions): Promise<T> {
    return parsed(await this.#ask('GET', path, undefined, options)) as T
  }

  async #ask(method: string, path: string, body?: unknown, options?: CallOptions): Promise<Answer> {
    const answer = await this.#send(method, path, body, options)
    if (answer.status < 200 || answer.status > 299) throw new RefusedError(answer.status, answer.text)
    return answer
  }

  #send(method: string, path: string, body: unknown, options: CallOptions = {}): Promise<Answer> {
    const { credentials, tls, timeoutMs = TIMEOUT_MS } = this.#options
    const limitMs = options.timeoutMs ?? timeoutMs
    const limit = AbortSignal.timeout(limitMs)
    const signal = options.signal ? AbortSignal.any([options.signal, limit]) : limit
    const content = body === undefined ? null : JSON.stringify(body)
    const settings: RequestOptions = {
      method,
      signal,
      headers:
        content === null ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) },
      ...(credentials ? { auth: `${credentials.username}:${credentials.password}` } : {}),
      ...(tls ? { ca: tls.ca, cert: tls.cert, key: tls.key, passphrase: tls.passphrase } : {}),
      ...(tls?.insecure ? { rejectUnauthorized: false } : {}),
    }
    const url = new URL(path, this.#url)
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        if (options.signal?.aborted) reject(options.signal.reason as Error)
        else if (limit.aborted) reject(new UnreachableError(`${url.href}: no answer within ${limitMs} ms`, error))
        else reject(new UnreachableError(`${url.href}: ${error.message}`, error))
      }
      const send = url.protocol === 'https:' ? httpsRequest : httpRequest
      const sent = send(url, settings, (response) => {
        const parts: Buffer[] = []
        let size = 0
        response.on('data', (part: Buffer) => {
          size += part.length
          if (size > BODY_MAX) response.destroy(new Error('the answer is too large'))
          else parts.push(part)
        })
        response.once('error', fail)
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString() }))
      })
      sent.once('error', fail)
      sent.end(content ?? undefined)
    })
  }
}

function parsed({ text }: Answer): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new UnreachableError('the answer is not JSON: is this the REST server of a member?', error)
  }
}
