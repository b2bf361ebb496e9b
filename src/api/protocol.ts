import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { clientAddress } from './access.ts'
import { dateHeader, presented, type Service, serve } from './exchange.ts'
import { FastLane } from './fast-lane.ts'
import { printAnswer } from './print-answer.ts'
import { type ApiResponse, errorPage, unsupportedMethod } from './response.ts'
import type { TlsMaterial } from './tls-material.ts'

/** Longer than the pools of usual clients keep a connection, so that the client is the one that closes it. */
const KEEP_ALIVE_MS = 75_000
/** For the whole request to arrive, its body included; what the handler then takes is its own business. */
const REQUEST_LIMIT_MS = 10_000
const HANDSHAKE_LIMIT_MS = 10_000
const CHECK_EVERY_MS = 5_000
const HEAD_BYTES_MAX = 128 * 1024

/** HTTP over plain or encrypted connections that somebody else accepts: listening and speaking can be swapped apart. */
export interface Protocol {
  readonly fingerprint: string
  take(socket: Socket): void
  /** Takes no more requests on connections that are open; those under way are answered. */
  retire(): void
  /** Ends all connections, whatever goes on in them. */
  destroy(): void
}

export function createProtocol(material: TlsMaterial | null, service: Service): Protocol {
  let isRetired = false
  const onRequest = (request: http.IncomingMessage, response: http.ServerResponse): void =>
    serve(request, response, service, !isRetired)
  const options: http.ServerOptions = {
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: REQUEST_LIMIT_MS,
    requestTimeout: REQUEST_LIMIT_MS,
    connectionsCheckingInterval: CHECK_EVERY_MS,
    maxHeaderSize: HEAD_BYTES_MAX,
    requireHostHeader: false,
  }
  const server = material
    ? https.createServer({ ...options, ...material.options, handshakeTimeout: HANDSHAKE_LIMIT_MS }, onRequest)
    : http.createServer(options, onRequest)
  // One more than is served, so that a request with too many headers is refused rather than cut.
  server.maxHeadersCount = 200
  server.on('clientError', (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket) =>
    refuse(error, socket as Socket, service),
  )
  if (material) watchHandshakes(server as https.Server, material, service)
  // The server never listens itself; this is what starts its checks for requests that do not come to an end.
  server.emit('listening')
  const toLibrary = (socket: Socket): void => {
    server.emit('connection', socket)
  }
  const limits = { requestMs: REQUEST_LIMIT_MS, keepAliveMs: KEEP_ALIVE_MS }
  const lane = material ? null : new FastLane(service, limits, toLibrary)
  return {
    fingerprint: material?.fingerprint ?? 'plain',
    take: (socket) => {
      if (lane) return lane.take(socket)
      // Half a TLS connection has no use, and would never be closed.
      socket.allowHalfOpen = false
      toLibrary(socket)
    },
    retire: () => {
      isRetired = true
      lane?.retire()
      server.closeIdleConnections()
    },
    destroy: () => {
      isRetired = true
      server.closeAllConnections()
      server.close()
    },
  }
}

function watchHandshakes(server: https.Server, { verifyClient }: TlsMaterial, { log }: Service): void {
  server.on('tlsClientError', (error, socket) =>
    log.debug(`TLS handshake with ${clientAddress(socket.remoteAddress)} failed: ${error.message}`),
  )
  if (verifyClient !== 'optional') return
  // The library lets a bad certificate pass where none is needed (spec rest-api.md 4.1).
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    if (!presented(socket) || socket.authorized) return
    log.debug(
      `Client certificate of ${clientAddress(socket.remoteAddress)} refused: ${String(socket.authorizationError)}`,
    )
    socket.destroy()
  })
}

/** Answers what is not HTTP as well as it can be answered, and hangs up. */
function refuse(error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket: Socket, service: Service): void {
  service.log.debug(`Bad request from ${clientAddress(socket.remoteAddress)}: ${error.message}`)
  const { _httpMessage: current } = socket as Socket & { _httpMessage?: http.ServerResponse | null }
  if (!socket.writable || error.code === 'ECONNRESET' || current?.headersSent) {
    socket.destroy()
    return
  }
  const answer = refusal(error)
  socket.end(printAnswer(answer, service.headers, dateHeader(service.clock.wallMs())))
}

function refusal({ code, rawPacket }: NodeJS.ErrnoException & { rawPacket?: Buffer }): ApiResponse {
  if (code === 'HPE_HEADER_OVERFLOW') return errorPage(431)
  if (code === 'HPE_INVALID_VERSION') return errorPage(505)
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return errorPage(408)
  const method = /^[A-Za-z-]{1,32}(?= )/.exec(rawPacket?.toString('latin1', 0, 40) ?? '')
  return code === 'HPE_INVALID_METHOD' && method ? unsupportedMethod(method[0]) : errorPage(400)
}
