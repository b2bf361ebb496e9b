import { createConnection, createServer, type Server, type Socket } from 'node:net'
import type { JsonObject } from '../../cluster/json.ts'
import { elapsedMs, type Instant } from '../../cluster/time.ts'
import type { Budget, Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { Message } from '../core/types.ts'
import { addressOf } from '../replica/identity.ts'
import { Caller } from './caller.ts'
import { Complaints } from './complaints.ts'
import type { Peer } from './hello.ts'
import { Link } from './link.ts'
import { connectTls, TlsDoor } from './tls.ts'
import type { Trust } from './trust.ts'
import { parsePacket, printPacket } from './wire.ts'

export interface MeshOptions extends Trust {
  readonly self: Peer
  readonly secret: Buffer | null
  readonly clock: Clock
  readonly log: Log
  readonly onMessage: (message: Message) => void
  readonly onRequest: (body: JsonObject, answer: (body: JsonObject) => void) => void
  /** The connection by which messages went to that address is gone. */
  readonly onLost: (address: string) => void
}

export type CallOutcome =
  | { readonly kind: 'answer'; readonly body: JsonObject }
  /** It certainly has not been told. */
  | { readonly kind: 'not-sent'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string }

/** Connections that others have opened, at most; and such that have not shown who they are, for how long. */
const INCOMING_MAX = 256
const GREETING_MS = 5000
/** Members that start one after the other, or again, are away for a while: no reason to warn. */
const ABSENCE_MS = 10_000

/** All connections of one member, or of one client: one outgoing to each address, and what comes in. */
export class Mesh {
  readonly #options: MeshOptions
  readonly #callers = new Map<string, Caller>()
  readonly #incoming = new Map<Link, Instant>()
  readonly #waiting = new Map<number, { readonly link: Link; readonly done: (outcome: CallOutcome) => void }>()
  readonly #complaints: Complaints
  #nextCall = 1
  #server: Server | null = null
  readonly #door: TlsDoor | null
  #isClosed = false

  constructor(options: MeshOptions) {
    this.#options = options
    this.#complaints = new Complaints(options.clock, options.log)
    const { tls } = options
    this.#door =
      tls &&
      new TlsDoor({
        files: tls,
        handshakeMs: GREETING_MS,
        onSecure: (socket) => this.#accept(socket),
        onRefused: (from, reason) => this.#refused(from, reason),
      })
  }

  /** @returns why nobody can be heard; `null`: it works */
  listen(host: string | null, port: number): Promise<string | null> {
    const server = createServer((socket) => (this.#door ? this.#door.admit(socket) : this.#accept(socket)))
    server.maxConnections = INCOMING_MAX
    this.#server = server
    return new Promise((resolve) => {
      server.once('error', (error) => resolve(error.message))
      const done = (): void => {
        server.removeAllListeners('error')
        server.on('error', (error) => this.#options.log.error(`raft: ${error.message}`))
        resolve(null)
      }
      if (host === null) server.listen(port, done)
      else server.listen(port, host, done)
    })
  }

  /** Messages may be lost; whoever sends them knows that. @returns whether there was a connection to take it */
  send(message: Message): boolean {
    const address = addressOf(message.to)
    return this.#caller(address).send(printPacket({ kind: 'raft', message }))
  }

  /** Opens connections to these addresses and keeps them open; all others are closed. */
  keep(addresses: readonly string[]): void {
    for (const [address, caller] of this.#callers) {
      if (addresses.includes(address)) continue
      caller.close()
      this.#callers.delete(address)
    }
    for (const address of addresses) this.#caller(address)
  }

  isConnected(address: string): boolean {
    return this.#callers.get(address)?.isReady ?? false
  }

  async call(address: string, body: JsonObject, budget: Budget): Promise<CallOutcome> {
    const caller = this.#caller(address)
    const link = await caller.whenReady(budget)
    if (!link) return { kind: 'not-sent', reason: `${address}: ${caller.trouble}` }
    const number = this.#nextCall
    this.#nextCall += 1
    if (!link.send(printPacket({ kind: 'request', number, body }))) {
      return { kind: 'not-sent', reason: `${address} does not read what it is sent` }
    }
    caller.noteSent()
    const { clock } = this.#options
    const time = clock.deadline(budget.deadline, budget.signal)
    return new Promise<CallOutcome>((resolve) => {
      const done = (outcome: CallOutcome): void => {
        this.#waiting.delete(number)
        time.done()
        resolve(outcome)
      }
      this.#waiting.set(number, { link, done })
      const expire = (): void => done({ kind: 'unknown', reason: `${address} has not answered in time` })
      if (time.signal.aborted) expire()
      else time.signal.addEventListener('abort', expire, { once: true })
    })
  }

  /** To be called every second or so: closes what has fallen silent. */
  look(): void {
    const now = this.#options.clock.now()
    for (const caller of this.#callers.values()) caller.look(now)
    for (const [link, since] of this.#incoming) {
      if (!link.isReady && elapsedMs(since, now) > GREETING_MS) link.close('it did not introduce itself')
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const caller of this.#callers.values()) caller.close()
    for (const link of this.#incoming.keys()) link.close('closing')
    this.#door?.close()
    const server = this.#server
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()))
  }

  #caller(address: string): Caller {
    const known = this.#callers.get(address)
    if (known) return known
    const { clock, onLost, self, secret, tls } = this.#options
    const caller = new Caller({
      address,
      clock,
      connect: (place, events) => {
        const socket = tls ? connectTls(place, tls) : createConnection(place)
        return new Link({ socket, side: 'initiator', self, secret, ...events })
      },
      onText: (link, text) => this.#onText(link, text),
      onLost: (link, reason) => {
        this.#forget(link, reason)
        if (!this.#isClosed) this.#complaints.note(address, `raft: no connection to ${address}: ${reason}`, ABSENCE_MS)
        onLost(address)
      },
      onReady: () => this.#complaints.over(address, `raft: connected to ${address}`),
    })
    this.#callers.set(address, caller)
    return caller
  }

  #accept(socket: Socket): void {
    const { self, secret, clock } = this.#options
    if (this.#isClosed) {
      socket.destroy()
      return
    }
    const from = socket.remoteAddress ?? 'somebody'
    const link = new Link({
      socket,
      side: 'acceptor',
      self,
      secret,
      onReady: () => {},
      onText: (own, text) => this.#onText(own, text),
      onClose: (own, reason) => {
        this.#incoming.delete(own)
        if (!own.wasReady) this.#refused(from, reason)
      },
    })
    this.#incoming.set(link, clock.now())
  }

  #refused(from: string, reason: string): void {
    if (!this.#isClosed) this.#complaints.note(`from ${from}`, `raft: refused ${from}: ${reason}`)
  }

  #onText(link: Link, text: string): void {
    const packet = parsePacket(text)
    if (packet === null) {
      link.close('it sent something that is no message')
      return
    }
    switch (packet.kind) {
      case 'raft': {
        const { from } = packet.message
        // Nobody speaks for another.
        if (link.peer.kind !== 'member' || link.peer.id !== from) return
        this.#callers.get(addressOf(from))?.noteHeard()
        this.#options.onMessage(packet.message)
        return
      }
      case 'request':
        this.#options.onRequest(packet.body, (body) => {
          link.send(printPacket({ kind: 'answer', number: packet.number, body }))
        })
        return
      case 'answer': {
        const waiting = this.#waiting.get(packet.number)
        if (waiting?.link === link) waiting.done({ kind: 'answer', body: packet.body })
        for (const caller of this.#callers.values()) if (caller.has(link)) caller.noteHeard()
        return
      }
    }
  }

  #forget(link: Link, reason: string): void {
    for (const { link: own, done } of this.#waiting.values()) {
      if (own === link) done({ kind: 'unknown', reason })
    }
  }
}
