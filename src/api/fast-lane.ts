import type { Socket } from 'node:net'
import { dateHeader, type Service } from './exchange.ts'
import { LiveCall } from './live-call.ts'
import { printAnswer } from './print-answer.ts'
import { type Check, recognizeCheck } from './recognize.ts'
import { type ApiResponse, bare } from './response.ts'

export interface LaneLimits {
  /** For the first request to arrive. */
  readonly requestMs: number
  /** For the next one. */
  readonly keepAliveMs: number
}

/**
 * Answers health checks on plain connections that bring nothing else: one small packet, the same again and again. They are
 * recognized as a whole and answered from memory without the objects that an HTTP library makes of a request, which costs
 * half the processor time. With the first packet that is not such a check the connection goes to the library for good.
 */
export class FastLane {
  readonly #service: Service
  readonly #limits: LaneLimits
  readonly #next: (socket: Socket) => void
  readonly #open = new Set<LaneConnection>()
  #isRetired = false
  #kept: {
    readonly answer: ApiResponse
    readonly date: string
    readonly headers: object
    readonly bytes: Buffer
  } | null = null

  /** @param next the library: takes a connection, with what has been read of it put back */
  constructor(service: Service, limits: LaneLimits, next: (socket: Socket) => void) {
    this.#service = service
    this.#limits = limits
    this.#next = next
  }

  take(socket: Socket): void {
    if (!this.isOpen) return this.#next(socket)
    const connection = new LaneConnection(this, socket, this.#limits)
    this.#open.add(connection)
    socket.once('close', () => this.#open.delete(connection))
  }

  /** Every request is to stand in the log when details are asked for: the library's side does that. */
  get isOpen(): boolean {
    return !this.#isRetired && !this.#service.isStopping && this.#service.log.isDebug === false
  }

  /** Ends connections that wait for their next request. */
  retire(): void {
    this.#isRetired = true
    for (const connection of this.#open) connection.endIfIdle()
  }

  leave(connection: LaneConnection, socket: Socket): void {
    this.#open.delete(connection)
    this.#next(socket)
  }

  answer({ handler, request }: Check, socket: Socket): ApiResponse | Promise<ApiResponse> {
    return handler(request, new LiveCall(this.#service, this.#service.control.status(), socket))
  }

  /** Between two changes of this member thousands of checks get the same bytes within one second. */
  bytes({ request }: Check, answer: ApiResponse): Buffer {
    const { clock, headers } = this.#service
    const date = dateHeader(clock.wallMs())
    const shown = request.method === 'GET' ? answer : bare(answer.status)
    const last = this.#kept
    if (last && last.headers === headers && last.date === date && isSame(last.answer, shown)) return last.bytes
    const keep = `Keep-Alive: timeout=${this.#limits.keepAliveMs / 1000}`
    const bytes = Buffer.from(printAnswer(shown, headers, date, ['Connection: keep-alive', keep]))
    this.#kept = { answer: shown, date, headers, bytes }
    return bytes
  }
}

/** Checks never carry headers of their own. */
function isSame(one: ApiResponse, other: ApiResponse): boolean {
  return one.body === other.body && one.status === other.status && one.shape === other.shape
}

class LaneConnection {
  readonly #lane: FastLane
  readonly #socket: Socket
  readonly #limits: LaneLimits
  #answered = 0
  #isBusy = false

  constructor(lane: FastLane, socket: Socket, limits: LaneLimits) {
    this.#lane = lane
    this.#socket = socket
    this.#limits = limits
    socket.setTimeout(limits.requestMs)
    socket.on('timeout', this.#onTimeout).on('error', ignore).on('end', this.#onEnd).on('data', this.#onData)
  }

  /** One that has not asked yet may be about to. */
  endIfIdle(): void {
    if (!this.#isBusy && this.#answered > 0) this.#socket.destroy()
  }

  readonly #onTimeout = (): void => {
    if (!this.#isBusy) this.#socket.destroy()
  }

  /** A client may close its side and still read the answer. */
  readonly #onEnd = (): void => {
    if (!this.#isBusy) this.#socket.end()
  }

  readonly #onData = (chunk: Buffer): void => {
    const check = this.#lane.isOpen ? recognizeCheck(chunk.toString('latin1')) : null
    if (!check) return this.#leave(chunk)
    try {
      const answer = this.#lane.answer(check, this.#socket)
      if (answer instanceof Promise) void this.#sendLater(check, answer, chunk)
      else this.#send(check, answer)
    } catch {
      // The library asks once more, and says what it made of it.
      this.#leave(chunk)
    }
  }

  async #sendLater(check: Check, answer: Promise<ApiResponse>, chunk: Buffer): Promise<void> {
    this.#isBusy = true
    this.#socket.pause()
    const ready = await answer.catch(() => null)
    this.#isBusy = false
    if (this.#socket.destroyed) return
    if (!ready || !this.#lane.isOpen) return this.#leave(chunk)
    this.#send(check, ready)
  }

  #send(check: Check, answer: ApiResponse): void {
    const socket = this.#socket
    if (this.#answered === 0) socket.setTimeout(this.#limits.keepAliveMs)
    this.#answered += 1
    if (socket.write(this.#lane.bytes(check, answer))) {
      if (socket.isPaused()) socket.resume()
      return
    }
    socket.pause()
    socket.once('drain', () => socket.resume())
  }

  #leave(chunk: Buffer): void {
    const socket = this.#socket
    socket.setTimeout(0)
    socket.off('timeout', this.#onTimeout).off('error', ignore).off('end', this.#onEnd).off('data', this.#onData)
    socket.pause()
    socket.unshift(chunk)
    this.#lane.leave(this, socket)
    socket.resume()
  }
}

function ignore(): void {}
