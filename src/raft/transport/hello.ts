import { isObject, parseJson } from '../../cluster/json.ts'
import { type NodeId, nodeId } from '../core/types.ts'

/** Who is at the other end. A client asks and gets answers; it is no part of the group. */
export type Peer = { readonly kind: 'member'; readonly id: NodeId } | { readonly kind: 'client' }

/** The first thing that both sides say, in plain. */
export interface Hello {
  readonly peer: Peer
  /** Whether what follows is encrypted and authenticated by the common password. */
  readonly secured: boolean
  readonly nonce: Buffer
  /** X25519, made for this connection. */
  readonly publicKey: Buffer
}

export const VERSION = 1
const MAGIC = Buffer.from('MTRCHRF', 'latin1')
/** Magic, version, length of the JSON that follows. */
const HEADER = MAGIC.length + 1 + 2
const HELLO_MAX = 1024
/** First bytes of who speaks TLS. */
const TLS_HANDSHAKE = 0x16
const TLS_ALERT = 0x15

export function printHello({ peer, secured, nonce, publicKey }: Hello): Buffer {
  const id = peer.kind === 'member' ? peer.id : null
  const json = { id, secured, nonce: nonce.toString('base64'), key: publicKey.toString('base64') }
  const body = Buffer.from(JSON.stringify(json), 'utf8')
  const header = Buffer.alloc(HEADER)
  MAGIC.copy(header)
  header.writeUInt8(VERSION, MAGIC.length)
  header.writeUInt16BE(body.length, MAGIC.length + 1)
  return Buffer.concat([header, body])
}

export type HelloOutcome =
  | { readonly kind: 'more' }
  | { readonly kind: 'hello'; readonly hello: Hello; readonly bytes: Buffer; readonly rest: Buffer }
  | { readonly kind: 'refused'; readonly reason: string }

/** @param received everything so far */
export function parseHello(received: Buffer): HelloOutcome {
  if (received[0] === TLS_HANDSHAKE || received[0] === TLS_ALERT) {
    return { kind: 'refused', reason: 'it uses TLS, and here raft.cert is not set' }
  }
  const known = Math.min(received.length, MAGIC.length)
  if (!received.subarray(0, known).equals(MAGIC.subarray(0, known))) {
    return { kind: 'refused', reason: 'it does not speak the protocol of Matriarch' }
  }
  if (received.length < HEADER) return { kind: 'more' }
  const version = received.readUInt8(MAGIC.length)
  if (version !== VERSION) {
    return {
      kind: 'refused',
      reason: `it speaks version ${version} of the protocol, and only ${VERSION} is understood`,
    }
  }
  const end = HEADER + received.readUInt16BE(MAGIC.length + 1)
  if (end > HEADER + HELLO_MAX) return { kind: 'refused', reason: 'its greeting is too long' }
  if (received.length < end) return { kind: 'more' }
  const hello = readHello(received.subarray(HEADER, end).toString('utf8'))
  if (!hello) return { kind: 'refused', reason: 'its greeting cannot be understood' }
  return { kind: 'hello', hello, bytes: received.subarray(0, end), rest: received.subarray(end) }
}

function readHello(text: string): Hello | null {
  const json = parseJson(text)
  if (!isObject(json)) return null
  const { id, secured, nonce, key } = json
  if ((id !== null && typeof id !== 'string') || typeof secured !== 'boolean') return null
  if (typeof nonce !== 'string' || typeof key !== 'string') return null
  const peer: Peer = id === null ? { kind: 'client' } : { kind: 'member', id: nodeId(id) }
  return { peer, secured, nonce: Buffer.from(nonce, 'base64'), publicKey: Buffer.from(key, 'base64') }
}
