import type { Socket } from 'node:net'
import { connect, createServer, type Server, type TLSSocket } from 'node:tls'
import { opensslReason, type TlsFiles, type TlsMaterial } from './tls-files.ts'

const SETTINGS = { minVersion: 'TLSv1.2' } as const

/** Names in certificates do not matter: the authority of the group signs its members and clients, and nobody else. */
export function connectTls(place: { readonly host: string; readonly port: number }, files: TlsFiles): TLSSocket {
  return connect({ ...place, ...SETTINGS, ...files.material, checkServerIdentity: () => undefined })
}

interface TlsDoorOptions {
  readonly files: TlsFiles
  /** Who has not shown a certificate by then is put out. */
  readonly handshakeMs: number
  /** A peer with a certificate of the authority. */
  readonly onSecure: (socket: Socket) => void
  readonly onRefused: (from: string, reason: string) => void
}

/** Lets those in who show a certificate of the group's authority. */
export class TlsDoor {
  readonly #files: TlsFiles
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #material: TlsMaterial

  constructor({ files, handshakeMs, onSecure, onRefused }: TlsDoorOptions) {
    this.#files = files
    this.#material = files.material
    // What they show is judged by us: nobody could be told the reason otherwise.
    const verification = { requestCert: true, rejectUnauthorized: false }
    this.#server = createServer({ ...SETTINGS, ...this.#material, ...verification, handshakeTimeout: handshakeMs })
    const refuse = (socket: TLSSocket, reason: string): void => {
      const from = socket.remoteAddress ?? 'somebody'
      socket.on('error', () => {}).destroy()
      onRefused(from, reason)
    }
    this.#server.on('secureConnection', (socket) => {
      const reason = refusal(socket)
      if (reason === null) onSecure(socket)
      else refuse(socket, reason)
    })
    this.#server.on('tlsClientError', (error, socket) => refuse(socket, troubleText(error)))
  }

  admit(socket: Socket): void {
    const { material } = this.#files
    if (material !== this.#material) this.#server.setSecureContext({ ...SETTINGS, ...material })
    this.#material = material
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    this.#server.emit('connection', socket)
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

function refusal(socket: TLSSocket): string | null {
  if (socket.authorized) return null
  if (Object.keys(socket.getPeerCertificate()).length === 0) return 'it shows no certificate'
  // Typed as an error, and the name of one in fact.
  return REASONS[String(socket.authorizationError)] ?? `its certificate: ${String(socket.authorizationError)}`
}

const FOREIGN = 'its certificate is not signed by raft.cacert'
const PLAIN = 'it does not use TLS, and here raft.cert is set'
const REASONS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  INVALID_PURPOSE: 'its certificate is made for another purpose: members need serverAuth and clientAuth',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: FOREIGN,
  UNABLE_TO_GET_ISSUER_CERT: FOREIGN,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: FOREIGN,
  SELF_SIGNED_CERT_IN_CHAIN: FOREIGN,
  DEPTH_ZERO_SELF_SIGNED_CERT: FOREIGN,
  CERT_SIGNATURE_FAILURE: FOREIGN,
  'wrong version number': PLAIN,
  'packet length too long': PLAIN,
  'http request': PLAIN,
  ERR_TLS_HANDSHAKE_TIMEOUT: 'it did not introduce itself',
}

/** What broke a connection, in words for a log. */
export function troubleText(error: Error): string {
  const { code = '' } = error as NodeJS.ErrnoException
  const reason = opensslReason(error)
  return REASONS[code] ?? REASONS[reason] ?? reason
}
