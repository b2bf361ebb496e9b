import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  pbkdf2,
  randomBytes,
} from 'node:crypto'
import { promisify } from 'node:util'

/** So that guessing passwords costs something to somebody who plays the part of a member. */
const ITERATIONS = 100_000
const TAG = 16

/** The secret that the password stands for; costs some 50 ms, once. */
export async function stretchPassword(password: string): Promise<Buffer> {
  return promisify(pbkdf2)(password, 'matriarch raft 1', ITERATIONS, 32, 'sha256')
}

/** What one side makes for one connection. */
export interface Ephemeral {
  readonly nonce: Buffer
  readonly publicKey: Buffer
  readonly privateKey: KeyObject
}

export function newEphemeral(): Ephemeral {
  const { publicKey, privateKey } = generateKeyPairSync('x25519')
  return { nonce: randomBytes(32), publicKey: publicKey.export({ type: 'spki', format: 'der' }), privateKey }
}

/**
 * Keys for both directions of one connection. They depend on the password and on everything said so far: a listener who
 * has the password cannot read along, and who does not have it cannot take part.
 * @throws when the other side's key is none
 */
export function connectionKeys(
  secret: Buffer,
  own: Ephemeral,
  otherPublicKey: Buffer,
  greetings: { readonly initiator: Buffer; readonly acceptor: Buffer },
): { readonly fromInitiator: Buffer; readonly fromAcceptor: Buffer } {
  const publicKey = createPublicKey({ key: otherPublicKey, type: 'spki', format: 'der' })
  const shared = diffieHellman({ privateKey: own.privateKey, publicKey })
  const said = createHash('sha256').update(greetings.initiator).update(greetings.acceptor).digest()
  const key = Buffer.concat([shared, secret])
  const keys = Buffer.from(hkdfSync('sha256', key, said, 'matriarch raft channel', 64))
  return { fromInitiator: keys.subarray(0, 32), fromAcceptor: keys.subarray(32) }
}

/** AES-256-GCM with a counter: frames cannot be changed, left out, repeated or put in another order. */
export class Sealer {
  readonly #key: Buffer
  #count = 0

  constructor(key: Buffer) {
    this.#key = key
  }

  seal(plain: Buffer): Buffer {
    const cipher = createCipheriv('aes-256-gcm', this.#key, counter(this.#count))
    this.#count += 1
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
  }
}

export class Opener {
  readonly #key: Buffer
  #count = 0

  constructor(key: Buffer) {
    this.#key = key
  }

  /** @returns `null` for what was not sealed with this key, as the next one in order */
  open(sealed: Buffer): Buffer | null {
    if (sealed.length < TAG) return null
    const decipher = createDecipheriv('aes-256-gcm', this.#key, counter(this.#count), { authTagLength: TAG })
    this.#count += 1
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG))
    try {
      return Buffer.concat([decipher.update(sealed.subarray(0, sealed.length - TAG)), decipher.final()])
    } catch {
      return null
    }
  }
}

function counter(count: number): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeBigUInt64BE(BigInt(count), 4)
  return nonce
}
