import type { Socket } from 'node:net'
import { FrameReader, frame, PART_BYTES, Parts, TEXT_MAX, TextReader, wholeText } from './frames.ts'
import { type Hello, type Peer, parseHello, printHello } from './hello.ts'
import { connectionKeys, newEphemeral, Opener, Sealer } from './keys.ts'
import { troubleText } from './tls.ts'

export interface LinkOptions {
  readonly socket: Socket
  readonly side: 'initiator' | 'acceptor'
  readonly self: Peer
  /** From the password; `null`: there is none, and nothing is hidden. */
  readonly secret: Buffer | null
  readonly onReady: (link: Link) => void
  readonly onText: (link: Link, text: string) => void
  /** Once, whatever happens. `reason` for logs. */
  readonly onClose: (link: Link, reason: string) => void
}

/** More than that is not kept for a peer who does not read: messages are lost then, which is allowed to happen. */
const WAITING_MAX = 4 * 1024 * 1024
const CONFIRMATION = Buffer.from('ready')

/** One connection to one peer: greeting, keys, proof that both know the password, then texts in both directions. */
export class Link {
  readonly #options: LinkOptions
  readonly #own = newEphemeral()
  readonly #ownHello: Buffer
  readonly #frames = new FrameReader()
  readonly #texts = new TextReader()
  #state: 'greeting' | 'proving' | 'ready' | 'closed' = 'greeting'
  #wasReady = false
  #received: Buffer = Buffer.alloc(0)
  #sealer: Sealer | null = null
  #opener: Opener | null = null
  #peer: Peer = { kind: 'client' }
  #bulk: Parts[] = []
  #bulkBytes = 0

  constructor(options: LinkOptions) {
    this.#options = options
    const { socket, side, self, secret } = options
    const { nonce, publicKey } = this.#own
    this.#ownHello = printHello({ peer: self, secured: secret !== null, nonce, publicKey })
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 5000)
    socket.on('data', (bytes: Buffer) => this.#onData(bytes))
    socket.on('drain', () => this.#sendParts())
    socket.on('error', (error) => this.close(troubleText(error)))
    socket.on('close', () =>
      this.close(this.#state === 'ready' ? 'the connection was closed' : 'it hung up; its log may say why'),
    )
    if (side === 'initiator') socket.write(this.#ownHello)
  }

  /** Who the other side is, as far as it could prove that; known once ready. */
  get peer(): Peer {
    return this.#peer
  }

  get isReady(): boolean {
    return this.#state === 'ready'
  }

  /** It came so far, even if it is closed now. */
  get wasReady(): boolean {
    return this.#wasReady
  }

  /** @returns false when too much is waiting already, or nothing can be sent: the text is lost */
  send(text: string): boolean {
    if (this.#state !== 'ready') return false
    const body = Buffer.from(text, 'utf8')
    const { socket } = this.#options
    if (body.length > PART_BYTES) {
      if (body.length + this.#bulkBytes > TEXT_MAX) return false
      this.#bulk.push(new Parts(body))
      this.#bulkBytes += body.length
      this.#sendParts()
      return true
    }
    if (socket.writableLength > WAITING_MAX) return false
    this.#write(wholeText(body))
    return true
  }

  close(reason: string): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#bulk = []
    this.#options.socket.destroy()
    this.#options.onClose(this, reason)
  }

  #sendParts(): void {
    const { socket } = this.#options
    while (this.#bulk[0] && this.#state === 'ready' && socket.writableLength < 2 * PART_BYTES) {
      const parts = this.#bulk[0]
      this.#write(parts.next())
      if (!parts.isDone) continue
      this.#bulk.shift()
      if (this.#bulk.length === 0) this.#bulkBytes = 0
    }
  }

  #write(body: Buffer): void {
    this.#options.socket.write(frame(this.#sealer ? this.#sealer.seal(body) : body))
  }

  #onData(bytes: Buffer): void {
    if (this.#state === 'closed') return
    if (this.#state !== 'greeting') {
      this.#onFrames(bytes)
      return
    }
    this.#received = Buffer.concat([this.#received, bytes])
    const outcome = parseHello(this.#received)
    if (outcome.kind === 'more') return
    // So that the other side can tell its operator what does not fit.
    if (this.#options.side === 'acceptor') this.#options.socket.write(this.#ownHello)
    if (outcome.kind === 'refused') {
      this.close(outcome.reason)
      return
    }
    this.#received = Buffer.alloc(0)
    const problem = this.#greeted(outcome.hello, Buffer.from(outcome.bytes))
    if (problem !== null) {
      this.close(problem)
      return
    }
    if (outcome.rest.length > 0) this.#onFrames(Buffer.from(outcome.rest))
  }

  #greeted(hello: Hello, bytes: Buffer): string | null {
    const { secret, side } = this.#options
    if (hello.secured !== (secret !== null)) {
      return hello.secured ? 'it uses raft.password, and here is none' : 'it uses no raft.password, and here is one'
    }
    this.#peer = hello.peer
    if (secret) {
      const greetings =
        side === 'initiator'
          ? { initiator: this.#ownHello, acceptor: bytes }
          : { initiator: bytes, acceptor: this.#ownHello }
      try {
        const keys = connectionKeys(secret, this.#own, hello.publicKey, greetings)
        this.#sealer = new Sealer(side === 'initiator' ? keys.fromInitiator : keys.fromAcceptor)
        this.#opener = new Opener(side === 'initiator' ? keys.fromAcceptor : keys.fromInitiator)
      } catch {
        return 'its key cannot be used'
      }
    }
    this.#state = 'proving'
    // Who came proves himself first: the door says nothing to strangers that could be used to guess the password.
    if (side === 'initiator') this.#write(CONFIRMATION)
    return null
  }

  #onFrames(bytes: Buffer): void {
    const frames = this.#frames.push(bytes)
    if (!frames) {
      this.close('it sent something that is no message')
      return
    }
    for (const sealed of frames) {
      const body = this.#opener ? this.#opener.open(sealed) : sealed
      if (body === null) {
        this.close(this.#state === 'proving' ? 'its raft.password is another one' : 'a message was tampered with')
        return
      }
      if (this.#state === 'proving') this.#proved(body)
      else this.#onBody(body)
      if ((this.#state as string) === 'closed') return
    }
  }

  #proved(body: Buffer): void {
    if (!body.equals(CONFIRMATION)) {
      this.close('it does not keep to the protocol')
      return
    }
    if (this.#options.side === 'acceptor') this.#write(CONFIRMATION)
    this.#state = 'ready'
    this.#wasReady = true
    this.#options.onReady(this)
  }

  #onBody(body: Buffer): void {
    const text = this.#texts.push(body)
    if (text === null) this.close('it sent something that is no message')
    else if (text !== undefined) this.#options.onText(this, text)
  }
}
