import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { elapsedMs } from '../cluster/time.ts'
import type { RestapiConfig } from '../config/types.ts'
import type { Clock } from '../ports/clock.ts'
import type { AgentControl, MemberStatus } from '../ports/control.ts'
import type { Log } from '../ports/log.ts'
import { type Client, clientAddress } from './access.ts'
import type { Allowlist } from './allowlist.ts'
import { denial } from './guard.ts'
import { type HeaderSettings, headerList } from './headers.ts'
import { LiveCall } from './live-call.ts'
import type { Observer } from './observer.ts'
import { knownTarget, NO_BODY, type RequestBody } from './request.ts'
import { type ApiResponse, bare, errorPage, unsupportedMethod } from './response.ts'
import { findRoute, type Route } from './routes.ts'
import type { StatusText } from './status-text.ts'

/** What all requests share. The configuration is swapped as a whole at a reload. */
export interface Service {
  readonly control: AgentControl
  readonly clock: Clock
  readonly log: Log
  readonly observer: Observer
  readonly statusText: StatusText
  readonly allowlist: Allowlist
  readonly openApi: () => Promise<string | null>
  config: RestapiConfig
  headers: HeaderSettings
  /** No connection is kept any more. */
  isStopping: boolean
  /** Those who wait for something and must be told when the server stops. */
  readonly waiting: Set<AbortController>
}

/** No configuration document is near this; the store itself takes less. */
const BODY_BYTES_MAX = 2 * 1024 * 1024
const REQUEST_LINE_MAX = 65_536
const HEADERS_MAX = 100
const LOGGED_TARGET_MAX = 500

/** Serves one request. Returns at once where the answer is at hand; never throws. */
export function serve(request: IncomingMessage, response: ServerResponse, service: Service, mayKeep: boolean): void {
  const started = service.log.isDebug === false ? null : service.clock.now()
  if (!mayKeep || !isKept(request, service)) response.shouldKeepAlive = false
  const { remoteAddress } = request.socket
  const finish = (answer: ApiResponse): void => {
    send(request, response, answer, service)
    if (started === null) return
    logRequest(request, remoteAddress, answer.status, elapsedMs(started, service.clock.now()), service)
  }
  try {
    const answer = answerTo(request, response, service)
    if (answer instanceof Promise)
      answer.then(finish, (error: unknown) => finish(failed(request, remoteAddress, error, service)))
    else finish(answer)
  } catch (error) {
    finish(failed(request, remoteAddress, error, service))
  }
}

function answerTo(
  message: IncomingMessage,
  response: ServerResponse,
  service: Service,
): ApiResponse | Promise<ApiResponse> {
  const { method = '', url = '/' } = message
  if (url.length > REQUEST_LINE_MAX) return errorPage(414)
  if (message.rawHeaders.length > 2 * HEADERS_MAX) return errorPage(431)
  const target = knownTarget(url)
  const route = findRoute(method, target.segment)
  if (!route) return unsupportedMethod(method)
  const status = service.control.status()
  const call = new LiveCall(service, status, response)
  if (route.guard === null) return route.handler({ method, ...target, body: NO_BODY }, call)
  return guarded(message, route, status, service).then(
    (answer) => answer ?? readBody(message, route).then((body) => route.handler({ method, ...target, body }, call)),
  )
}

function guarded(message: IncomingMessage, route: Route, status: MemberStatus, service: Service) {
  const { config, allowlist } = service
  const { authorization } = message.headers
  return denial(route.guard ?? 'members-of-view', clientOf(message), authorization, { config, allowlist, status })
}

function clientOf({ socket }: IncomingMessage): Client {
  return { address: clientAddress(socket.remoteAddress), hasCertificate: hasCertificate(socket as TLSSocket) }
}

/** A resumed session without a certificate counts as authorized for the TLS library; so look at the certificate itself. */
export function hasCertificate(socket: TLSSocket): boolean {
  return socket.authorized && presented(socket)
}

export function presented(socket: TLSSocket): boolean {
  return Object.keys(socket.getPeerCertificate()).length > 0
}

/**
 * HTTP/1.1 connections are kept unless the client asks otherwise, HTTP/1.0 ones if it asks. Members of the reference
 * implementation pool connections without asking and try no second time when one turns out stale, which would make
 * this member look dead in a leader race: theirs are closed (spec rest-api.md 2.2).
 */
function isKept(request: IncomingMessage, { isStopping }: Service): boolean {
  if (isStopping) return false
  const agent = request.headers['user-agent']
  return !agent?.startsWith('Patroni/') || request.headers.connection?.toLowerCase() === 'keep-alive'
}

function announcesBody({ headers }: IncomingMessage): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
}

async function readBody(message: IncomingMessage, { readsBody }: Route): Promise<RequestBody> {
  if (!readsBody || !announcesBody(message)) return NO_BODY
  if (Number(message.headers['content-length'] ?? 0) > BODY_BYTES_MAX) return { kind: 'too-large' }
  const chunks: Buffer[] = []
  let size = 0
  // Leaving the loop must not close the connection: the answer has to go out on it.
  for await (const chunk of message.iterator({ destroyOnReturn: false })) {
    size += (chunk as Buffer).length
    if (size > BODY_BYTES_MAX) return { kind: 'too-large' }
    chunks.push(chunk as Buffer)
  }
  return { kind: 'bytes', bytes: Buffer.concat(chunks) }
}

function failed(
  request: IncomingMessage,
  remoteAddress: string | undefined,
  error: unknown,
  { log }: Service,
): ApiResponse {
  // Nobody is left to hear it.
  if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') return bare(400)
  const port = request.socket?.remotePort ?? 'closed'
  log.warning(`Exception happened during processing of request from ${clientAddress(remoteAddress)}:${port}`)
  log.error(`${request.method} request failed`, error)
  return errorPage(500)
}

let dateText = ''
let dateSecond = -1

/** The Date header; the same text for all answers of a second. */
export function dateHeader(wallMs: number): string {
  const second = Math.floor(wallMs / 1000)
  if (second !== dateSecond) {
    dateSecond = second
    dateText = new Date(wallMs).toUTCString()
  }
  return dateText
}

function send(request: IncomingMessage, response: ServerResponse, answer: ApiResponse, service: Service): void {
  if (response.destroyed || response.headersSent) return
  const isBare = answer.shape === 'bare' || request.method === 'HEAD' || request.method === 'OPTIONS'
  const shown = isBare ? bare(answer.status) : answer
  // What is left of a body that nobody reads is not worth waiting for.
  if (shown.shape === 'page' || (announcesBody(request) && !request.complete)) response.shouldKeepAlive = false
  response.sendDate = false
  const headers = headerList(shown, service.headers, dateHeader(service.clock.wallMs()))
  if (answer.reason) response.writeHead(answer.status, answer.reason, headers)
  else response.writeHead(answer.status, headers)
  response.end(shown.body)
}

function logRequest(
  request: IncomingMessage,
  remoteAddress: string | undefined,
  status: number,
  latencyMs: number,
  { log }: Service,
): void {
  const target = (request.url ?? '').slice(0, LOGGED_TARGET_MAX)
  const line = `${request.method} ${target} HTTP/${request.httpVersion}`
  log.debug(
    `API thread: ${clientAddress(remoteAddress)} - - "${line}" ${status} - latency: ${Math.round(latencyMs * 1000) / 1000} ms`,
  )
}
