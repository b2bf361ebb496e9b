import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import { StringDecoder } from 'node:string_decoder'
import { createSecureContext } from 'node:tls'
import type { Instant } from '../cluster/time.ts'
import { later } from '../cluster/time.ts'
import type { Clock } from '../ports/clock.ts'
import { failureReason } from './failure.ts'
import type { Lookup } from './lookup.ts'
import type { TlsOutcome } from './tls.ts'

/** One request. Headers of the client (credentials, user agent) are added. */
export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'OPTIONS' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly url: string | URL
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** What a request may take. There is no hidden default: who asks says how long. */
export interface HttpLimits {
  /** When the whole answer must be there; for a stream, when its head must be. */
  readonly deadline: Instant
  /** Time to connect, TLS included; `deadline` alone where absent. */
  readonly connectMs?: number
  readonly signal: AbortSignal
  /** A longer body fails the request. 8 MiB where absent. */
  readonly maxBodyBytes?: number
}

export type HttpHeaders = Readonly<Record<string, string | undefined>>

/**
 * No usable answer. `sent` is false only where it is certain that no byte of the request reached a server, so that it
 * cannot have had an effect. `stale` marks a kept connection that the server had closed: worth one try on a new one.
 */
export interface HttpFailure {
  readonly kind: 'failed'
  readonly reason: string
  readonly sent: boolean
  readonly stale: boolean
}

/** Every status is a response; who asks judges it. */
export interface HttpResponse {
  readonly kind: 'response'
  readonly status: number
  /** Names in lower case; repeated ones joined by `, `. */
  readonly headers: HttpHeaders
  readonly body: string
}

export interface HttpStream {
  readonly kind: 'stream'
  readonly status: number
  readonly headers: HttpHeaders
  /** Pieces of text as they arrive, cut anywhere but inside a character. Ends silently when the connection does. */
  readonly chunks: AsyncIterable<string>
  close(): void
}

export interface HttpClient {
  /** Never throws: a refused connection, a time-out, a broken answer are values. */
  request(request: HttpRequest, limits: HttpLimits): Promise<HttpResponse | HttpFailure>
  /** As `request`, but hands the body over while it comes, for as long as `limits.signal` allows. */
  stream(request: HttpRequest, limits: HttpLimits): Promise<HttpStream | HttpFailure>
  /** Closes kept connections; requests under way fail. */
  close(): void
}

export interface HttpClientOptions {
  readonly tls?: () => TlsOutcome
  /** Sent as basic authentication with every request. */
  readonly credentials?: { readonly username: string; readonly password: string } | null
  readonly userAgent: string
  readonly lookup?: Lookup
  /** Idle time after which the kernel probes a connection (TCP keep-alive, ten probes 1 s apart). 20 s where absent. */
  readonly probeAfterMs?: number
}

const PROBE_AFTER_MS = 20_000
const DEFAULT_MAX_BODY_BYTES = 8 * 1024 * 1024
/** Node gives each address of a name 250 ms, too little for a distant or busy server. */
const ADDRESS_ATTEMPT_MS = 1000

/** An HTTP client with a pool of kept connections of its own: one for each group of peers. */
export function createHttpClient(options: HttpClientOptions, clock: Clock): HttpClient {
  return new PooledHttpClient(options, clock)
}

class PooledHttpClient implements HttpClient {
  readonly #options: HttpClientOptions
  readonly #clock: Clock
  readonly #plain: http.Agent
  #secure: { readonly agent: https.Agent } | { readonly failed: string } | undefined

  constructor(options: HttpClientOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
    this.#plain = new http.Agent(this.#pool())
  }

  async request(request: HttpRequest, limits: HttpLimits): Promise<HttpResponse | HttpFailure> {
    const time = this.#clock.deadline(limits.deadline, limits.signal)
    try {
      const opened = await this.#open(request, limits, time.signal)
      if (opened.kind === 'failed') return opened
      const body = await readBody(opened.message, limits.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES)
      if (body.kind === 'failed') return { ...body, reason: failureReason(body.error, time.signal) }
      return { kind: 'response', status: opened.status, headers: opened.headers, body: body.text }
    } finally {
      time.done()
    }
  }

  async stream(request: HttpRequest, limits: HttpLimits): Promise<HttpStream | HttpFailure> {
    const head = this.#clock.deadline(limits.deadline, limits.signal)
    const opened = await this.#open(request, limits, head.signal)
    head.done()
    if (opened.kind === 'failed') return opened
    const { message } = opened
    const close = (): void => {
      message.destroy()
    }
    if (limits.signal.aborted) close()
    limits.signal.addEventListener('abort', close, { once: true })
    message.once('close', () => limits.signal.removeEventListener('abort', close))
    return { kind: 'stream', status: opened.status, headers: opened.headers, chunks: textChunks(message), close }
  }

  close(): void {
    this.#plain.destroy()
    if (this.#secure && 'agent' in this.#secure) this.#secure.agent.destroy()
  }

  /** Sends the request and waits for the head of the answer. `signal` ends both and nothing that comes after. */
  async #open(request: HttpRequest, limits: HttpLimits, signal: AbortSignal): Promise<Opened | HttpFailure> {
    const url = typeof request.url === 'string' ? parseUrl(request.url) : request.url
    if (!url) return notSent('not a URL')
    const agent = this.#agentFor(url)
    if (typeof agent === 'string') return notSent(agent)
    if (signal.aborted) return notSent(failureReason(signal.reason, signal))
    return this.#send(url, agent, request, limits, signal)
  }

  #send(
    url: URL,
    agent: http.Agent,
    request: HttpRequest,
    limits: HttpLimits,
    signal: AbortSignal,
  ): Promise<Opened | HttpFailure> {
    return new Promise((resolve) => {
      let connected = false
      const outgoing = (url.protocol === 'https:' ? https : http).request(url, {
        method: request.method,
        headers: this.#headers(request),
        agent,
        auth: '',
      })
      const connecting = limits.connectMs === undefined ? undefined : this.#connectLimit(limits.connectMs, outgoing)
      const cancel = (): void => {
        outgoing.destroy(signal.reason instanceof Error ? signal.reason : new Error('cancelled'))
      }
      const settle = (outcome: Opened | HttpFailure): void => {
        connecting?.done()
        signal.removeEventListener('abort', cancel)
        resolve(outcome)
      }
      signal.addEventListener('abort', cancel, { once: true })
      outgoing.on('socket', (socket) =>
        whenConnected(socket, url.protocol === 'https:', () => {
          connected = true
          connecting?.done()
          socket.setKeepAlive(true, this.#options.probeAfterMs ?? PROBE_AFTER_MS)
        }),
      )
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        const stale = outgoing.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
        settle({ kind: 'failed', reason: failureReason(error, signal), sent: connected, stale })
      })
      outgoing.on('response', (message) => {
        // The body's own deadline: whoever reads it destroys the message when the signal aborts.
        const cut = (): void => {
          message.destroy(signal.reason instanceof Error ? signal.reason : new Error('cancelled'))
        }
        signal.addEventListener('abort', cut, { once: true })
        message.once('close', () => signal.removeEventListener('abort', cut))
        settle({ kind: 'opened', status: message.statusCode ?? 0, headers: plainHeaders(message), message })
      })
      outgoing.end(request.body)
    })
  }

  #connectLimit(ms: number, outgoing: http.ClientRequest): { readonly done: () => void } {
    const limit = this.#clock.deadline(later(this.#clock.now(), ms))
    limit.signal.addEventListener('abort', () => outgoing.destroy(new Error('connecting timed out')), { once: true })
    return limit
  }

  #headers(request: HttpRequest): Record<string, string> {
    const { credentials, userAgent } = this.#options
    const headers: Record<string, string> = { 'user-agent': userAgent, ...request.headers }
    if (credentials) {
      const pair = Buffer.from(`${credentials.username}:${credentials.password}`, 'utf8').toString('base64')
      headers['authorization'] ??= `Basic ${pair}`
    }
    if (request.body !== undefined) headers['content-length'] = String(Buffer.byteLength(request.body))
    else if (request.method !== 'GET' && request.method !== 'HEAD') headers['content-length'] = '0'
    return headers
  }

  #agentFor(url: URL): http.Agent | string {
    if (url.protocol === 'http:') return this.#plain
    if (url.protocol !== 'https:') return `not an HTTP URL: ${url.protocol}`
    this.#secure ??= this.#secureAgent()
    return 'agent' in this.#secure ? this.#secure.agent : this.#secure.failed
  }

  #secureAgent(): { readonly agent: https.Agent } | { readonly failed: string } {
    const tls = this.#options.tls?.() ?? { kind: 'tls', settings: {} }
    if (tls.kind === 'failed') return { failed: tls.reason }
    try {
      // Made once: a wrong key or password shows here, and no connection has to read the authorities again.
      const secureContext = createSecureContext(tls.settings)
      return { agent: new https.Agent({ ...this.#pool(), ...tls.settings, secureContext }) }
    } catch (error) {
      return { failed: `the TLS files do not fit: ${failureReason(error)}` }
    }
  }

  #pool(): https.AgentOptions {
    const { lookup } = this.#options
    return {
      keepAlive: true,
      keepAliveMsecs: this.#options.probeAfterMs ?? PROBE_AFTER_MS,
      scheduling: 'lifo',
      maxFreeSockets: 4,
      autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS,
      ...(lookup ? { lookup } : {}),
    }
  }
}

interface Opened {
  readonly kind: 'opened'
  readonly status: number
  readonly headers: HttpHeaders
  readonly message: http.IncomingMessage
}

function notSent(reason: string): HttpFailure {
  return { kind: 'failed', reason, sent: false, stale: false }
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

function whenConnected(socket: Socket, secure: boolean, then: () => void): void {
  if (!socket.connecting && (!secure || !(socket as { secureConnecting?: boolean }).secureConnecting)) then()
  else socket.once(secure ? 'secureConnect' : 'connect', then)
}

function plainHeaders(message: http.IncomingMessage): HttpHeaders {
  return Object.fromEntries(
    Object.entries(message.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  )
}

type Body =
  | { readonly kind: 'text'; readonly text: string }
  | (Omit<HttpFailure, 'reason'> & { readonly error: unknown })

async function readBody(message: http.IncomingMessage, maxBytes: number): Promise<Body> {
  const pieces: Buffer[] = []
  let bytes = 0
  try {
    for await (const piece of message as AsyncIterable<Buffer>) {
      bytes += piece.length
      if (bytes > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`)
      pieces.push(piece)
    }
  } catch (error) {
    return { kind: 'failed', error, sent: true, stale: false }
  }
  return { kind: 'text', text: Buffer.concat(pieces).toString('utf8') }
}

async function* textChunks(message: http.IncomingMessage): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8')
  try {
    for await (const piece of message as AsyncIterable<Buffer>) {
      const text = decoder.write(piece)
      if (text !== '') yield text
    }
  } catch {
    // A stream ends when its connection does; why makes no difference to who reads it.
  }
}
