import { later } from '../../cluster/time.ts'
import type { Budget, Clock } from '../../ports/clock.ts'
import type { DcsTiming } from '../../ports/dcs.ts'
import type { Log } from '../../ports/log.ts'
import type { Change } from './cache.ts'
import type { Connection } from './connection.ts'
import { needsToken, readServerError, type ServerError } from './errors.ts'
import type { Session } from './session.ts'
import type { Topology } from './topology.ts'
import { readWatch, watchRequest } from './watch.ts'

export interface WatchDeps {
  readonly connection: Connection
  readonly topology: Topology
  readonly session: Session
  readonly clock: Clock
  readonly log: Log
  readonly timing: () => DcsTiming
}

/** Why a watch is over. `expected`: nothing is wrong with the server, begin anew at once. */
export interface RoundEnd {
  readonly reason: string
  readonly expected: boolean
}

export const DROPPED: RoundEnd = { reason: 'dropped', expected: true }

export function trouble(reason: string): RoundEnd {
  return { reason, expected: false }
}

export interface WatchSink {
  /** The server has begun to watch: from now on every change is told. */
  created(): void
  changes(changes: readonly Change[]): void
}

const LONGEST_ERROR = 10_000

/** One watch on the server in use, from its opening to its end, whatever ends it. */
export class WatchRound {
  readonly #deps: WatchDeps
  readonly #signal: AbortSignal

  constructor(deps: WatchDeps, signal: AbortSignal) {
    this.#deps = deps
    this.#signal = signal
  }

  async run(prefix: string, afterRevision: string, sink: WatchSink): Promise<RoundEnd> {
    const { clock, timing, topology, connection } = this.#deps
    const endpoint = topology.current
    if (endpoint === null) return trouble('no endpoint is known')
    const limitMs = timing().retryTimeoutMs
    const deadline = later(clock.now(), limitMs)
    const opening = clock.deadline(deadline, this.#signal)
    try {
      const limits = { deadline, connectMs: limitMs, signal: this.#signal }
      const stream = await connection.openWatch(endpoint, watchRequest(prefix, afterRevision), limits)
      if (this.#signal.aborted) return DROPPED
      if (stream.kind === 'failed') return this.#failed(endpoint, stream.reason)
      // The head of the answer has come; the message that says "created" has the same deadline.
      opening.signal.addEventListener('abort', () => stream.close(), { once: true })
      if (stream.status >= 400) return this.#ended(endpoint, await readRefusal(stream.status, stream.chunks))
      for await (const message of readWatch(stream)) {
        opening.done()
        if (message.kind === 'ended' && message.compacted) return { reason: message.error.message, expected: true }
        if (message.kind === 'ended') return await this.#ended(endpoint, message.error)
        if (!connection.accept(message.header)) return this.#failed(endpoint, 'the server lags behind')
        // Requests go elsewhere meanwhile: they would not notice if this server hangs.
        if (message.kind === 'created' && topology.current !== endpoint) return DROPPED
        if (message.kind === 'created') sink.created()
        else if (message.kind === 'changes') sink.changes(message.changes)
      }
      return this.#signal.aborted ? DROPPED : this.#failed(endpoint, 'the watch stream ended')
    } finally {
      opening.done()
    }
  }

  async #ended(endpoint: string, error: ServerError): Promise<RoundEnd> {
    const { session, log, clock, timing } = this.#deps
    log.info(`etcd ended the watch: ${error.message}`)
    if (!needsToken(error) || !session.hasCredentials) return this.#failed(endpoint, error.message)
    await withBudget(clock, timing().retryTimeoutMs, this.#signal, (budget) => session.login(budget))
    return trouble(error.message)
  }

  #failed(endpoint: string, reason: string): RoundEnd {
    this.#deps.topology.advance(endpoint)
    return trouble(`${endpoint}: ${reason}`)
  }
}

async function readRefusal(status: number, chunks: AsyncIterable<string>): Promise<ServerError> {
  let body = ''
  for await (const chunk of chunks) if (body.length < LONGEST_ERROR) body += chunk
  return readServerError(status, body)
}

export async function withBudget<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  work: (budget: Budget) => Promise<T>,
): Promise<T> {
  const deadline = later(clock.now(), ms)
  const time = clock.deadline(deadline, signal)
  try {
    return await work({ deadline, signal: time.signal })
  } finally {
    time.done()
  }
}
