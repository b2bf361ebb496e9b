import { readFile } from 'node:fs/promises'
import type { Server, Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { later } from '../cluster/time.ts'
import type { RestapiConfig } from '../config/types.ts'
import { NameCache } from '../http/lookup.ts'
import type { Clock } from '../ports/clock.ts'
import type { AgentControl } from '../ports/control.ts'
import type { Log } from '../ports/log.ts'
import { clientAddress } from './access.ts'
import { Allowlist, type Names } from './allowlist.ts'
import type { Service } from './exchange.ts'
import { headerSettings } from './headers.ts'
import { listen, parseListen } from './listen.ts'
import { Observer } from './observer.ts'
import { createProtocol, type Protocol } from './protocol.ts'
import { StatusText } from './status-text.ts'
import { loadTlsMaterial } from './tls-material.ts'

export type StartOutcome =
  | { readonly kind: 'listening'; readonly address: string; readonly port: number }
  /** The text is meant for the operator. Whatever served before serves on. */
  | { readonly kind: 'failed'; readonly reason: string }

export interface RestServerParts {
  readonly control: AgentControl
  readonly clock: Clock
  readonly log: Log
  /** The file that `GET /openapi.yaml` serves; `null`: none. Where absent, the one that is installed with the program. */
  readonly openApiFile?: string | null
  /** How host names in the allowlist become addresses; the system's way where absent. */
  readonly names?: Names
}

/** Nobody needs more connections at once; what goes beyond is somebody's mistake or ill will. */
const CONNECTIONS_MAX = 2_048
const CONNECTIONS_PER_CLIENT_MAX = 512

/** The REST server of one member: spec rest-api.md. It reads state, hands requests to the agent and decides nothing. */
export class RestServer {
  readonly #service: Service
  readonly #sockets = new Set<Socket>()
  readonly #perClient = new Map<string, number>()
  #protocol: Protocol | null = null
  #listener: Server | null = null
  /** What is bound, as configured. */
  #bound = ''

  constructor(parts: RestServerParts, config: RestapiConfig) {
    const { control, clock, log, openApiFile = installedDescription(process.argv[1]) } = parts
    this.#service = {
      control,
      clock,
      log,
      observer: new Observer(control, clock),
      statusText: new StatusText(),
      allowlist: new Allowlist(parts.names ?? new NameCache(clock), clock, log),
      openApi: async () => (openApiFile === null ? null : readFile(openApiFile, 'utf8').catch(() => null)),
      config,
      headers: headerSettings(config, control.status().version, log),
      isStopping: false,
      waiting: new Set(),
    }
  }

  /** Binds and serves. */
  start(): Promise<StartOutcome> {
    return this.#apply(this.#service.config)
  }

  /**
   * Takes a new configuration, and certificates whose files have changed, without losing a connection: what is new is
   * built first and swapped in when it stands. After a failure everything is as before.
   */
  reload(config: RestapiConfig): Promise<StartOutcome> {
    return this.#apply(config)
  }

  /** Takes no more connections, waits for requests under way up to `graceMs`, then ends them. */
  async stop(graceMs: number): Promise<void> {
    const { clock, waiting } = this.#service
    this.#service.isStopping = true
    const closed = closing(this.#listener)
    this.#protocol?.retire()
    for (const abort of waiting) abort.abort(new Error('the REST server stops'))
    const grace = clock.deadline(later(clock.now(), graceMs))
    await Promise.race([closed, clock.sleep(graceMs, grace.signal)])
    grace.done()
    this.#protocol?.destroy()
    // Those whose handshake has not ended are known to nobody else.
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  async #apply(config: RestapiConfig): Promise<StartOutcome> {
    const { allowlist, control, log } = this.#service
    const tls = await loadTlsMaterial(config)
    if (tls.kind === 'failed') return { kind: 'failed', reason: tls.reason }
    // Before anybody can connect: an empty list lets everybody in.
    await allowlist.configure(config.allowlist)
    const bound = await this.#bind(config)
    if (bound.kind === 'failed') {
      if (this.#listener) await allowlist.configure(this.#service.config.allowlist)
      return bound
    }
    this.#service.config = config
    this.#service.headers = headerSettings(config, control.status().version, log)
    const material = tls.kind === 'tls' ? tls.material : null
    if (this.#protocol?.fingerprint !== (material?.fingerprint ?? 'plain')) {
      const old = this.#protocol
      this.#protocol = createProtocol(material, this.#service)
      old?.retire()
    }
    return bound
  }

  /** Binds what is configured now, if it is not bound yet. */
  async #bind(config: RestapiConfig): Promise<StartOutcome> {
    const old = this.#listener
    if (old?.listening && this.#bound === config.listen) return addressOf(old)
    const options = { backlog: config.requestQueueSize, onConnection: (socket: Socket) => this.#accept(socket) }
    let outcome = await listen(config.listen, options)
    const held = old?.listening ? addressOf(old) : null
    const isInTheWay = held?.kind === 'listening' && held.port === parseListen(config.listen)?.port
    if (outcome.kind === 'failed' && outcome.isTaken && old && isInTheWay) {
      // The old socket may be what is in the way: `*:8008` and `10.0.0.1:8008` cannot be bound at the same time.
      old.close()
      outcome = await listen(config.listen, options)
      if (outcome.kind === 'failed') {
        const back = await listen(this.#bound, options)
        if (back.kind === 'listening') this.#listener = back.server
      }
    }
    if (outcome.kind === 'failed') return { kind: 'failed', reason: outcome.reason }
    old?.close()
    this.#listener = outcome.server
    this.#bound = config.listen
    return { kind: 'listening', address: outcome.address, port: outcome.port }
  }

  #accept(socket: Socket): void {
    const client = clientAddress(socket.remoteAddress)
    const ofClient = this.#perClient.get(client) ?? 0
    if (!this.#protocol || this.#sockets.size >= CONNECTIONS_MAX || ofClient >= CONNECTIONS_PER_CLIENT_MAX) {
      this.#service.log.debug(
        `Connection from ${client} refused: ${this.#sockets.size} are open, ${ofClient} of them from there`,
      )
      socket.destroy()
      return
    }
    this.#sockets.add(socket)
    this.#perClient.set(client, ofClient + 1)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      const left = (this.#perClient.get(client) ?? 1) - 1
      if (left > 0) this.#perClient.set(client, left)
      else this.#perClient.delete(client)
    })
    this.#protocol.take(socket)
  }
}

/** `docs/openapi.yaml` of the package that the running program, `dist/matriarch.cjs`, belongs to. */
function installedDescription(program: string | undefined): string | null {
  return program === undefined ? null : join(dirname(program), '..', 'docs', 'openapi.yaml')
}

function addressOf(server: Server): StartOutcome {
  const bound = server.address()
  return typeof bound === 'object' && bound
    ? { kind: 'listening', address: bound.address, port: bound.port }
    : { kind: 'failed', reason: 'the socket is not bound' }
}

/** Resolves when the last connection is gone. */
function closing(server: Server | null): Promise<void> {
  return new Promise((resolve) => {
    if (server) server.close(() => resolve())
    else resolve()
  })
}
