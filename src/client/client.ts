import { request as httpRequest } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import type {
  ClusterTopology,
  DynamicConfig,
  DynamicConfigPatch,
  FailoverRequest,
  History,
  Journal,
  MemberStatus,
  ReinitializeRequest,
  RestartRequest,
  SwitchoverRequest,
} from './rest-types.ts'

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

export type * from './rest-types.ts'

/** `[timeline, LSN in bytes, reason, time stamp, new leader]`; the last two may be missing. */
export type HistoryRow = History[number]

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

  cluster(options?: CallOptions): Promise<ClusterTopology> {
    return this.#read('/cluster', options)
  }

  history(options?: CallOptions): Promise<History> {
    return this.#read('/history', options)
  }

  /** @param since records that ended before are left out */
  journal(since?: Date, options?: CallOptions): Promise<Journal> {
    return this.#read(since ? `/journal?since=${since.getTime()}` : '/journal', options)
  }

  configuration(options?: CallOptions): Promise<DynamicConfig> {
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
  async configure(changes: DynamicConfigPatch, options?: CallOptions): Promise<DynamicConfig> {
    return parsed(await this.#ask('PATCH', '/config', changes, options)) as DynamicConfig
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
