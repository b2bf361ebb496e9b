import { Socket } from 'node:net'
import pg from 'pg'
import { later } from '../cluster/time.ts'
import type { Budget, Clock } from '../ports/clock.ts'
import { connectionAttempts, type HostAttempts, mayTryNextWay, saysNoTls } from './connection-attempts.ts'
import { errorText } from './files.ts'
import type { ConnectionKeywords, SqlConnection, SqlConnector, SqlOutcome, SqlRow } from './parts.ts'
import { lookUpPassword } from './password-lookup.ts'
import { parseVersion, type ServerVersion, UNKNOWN_VERSION } from './version.ts'

/** A kept connection with what its owner may watch. */
export interface LiveConnection extends SqlConnection {
  readonly isOpen: boolean
  /** Of the server last connected to; 0 before. */
  readonly serverVersion: ServerVersion
  /** Connects now if it is not connected. `null`: connected. */
  open(budget: Budget): Promise<SqlOutcome | null>
  /** Called when an open connection ends by anything but our own `close`. The server's end looks like this. */
  onLost(listener: () => void): void
}

export interface LiveConnector extends SqlConnector {
  /** With a function, host and all are asked for anew at each connection. */
  connection(keywords: ConnectionKeywords | (() => ConnectionKeywords), onOpening?: () => void): LiveConnection
}

/** A type of value that JavaScript holds exactly is read; everything else stays the text that PostgreSQL sent. */
const PARSERS: Readonly<Record<number, (text: string) => unknown>> = {
  16: (text) => text === 't',
  17: (text) => (text.startsWith('\\x') ? Buffer.from(text.slice(2), 'hex') : text),
  20: (text) => (Number.isSafeInteger(Number(text)) ? Number(text) : text),
  21: Number,
  23: Number,
  26: Number,
  114: (text) => JSON.parse(text) as unknown,
  700: Number,
  701: Number,
  3802: (text) => JSON.parse(text) as unknown,
}
const identity = (text: string): unknown => text

export function sqlConnector(clock: Clock): LiveConnector {
  const refusesTls = new Set<string>()
  return {
    connection: (keywords, onOpening) =>
      new PgConnection(typeof keywords === 'function' ? keywords : () => keywords, clock, refusesTls, onOpening),
  }
}

interface Session {
  readonly client: pg.Client
  readonly socket: Socket
}

class PgConnection implements LiveConnection {
  readonly #keywords: () => ConnectionKeywords
  readonly #clock: Clock
  readonly #refusesTls: Set<string>
  readonly #onOpening: () => void
  readonly #lostListeners: (() => void)[] = []
  /** Statements run one after the other: each waits for the one before it. */
  #last: Promise<unknown> = Promise.resolve()
  #session: Session | null = null
  serverVersion: ServerVersion = UNKNOWN_VERSION

  constructor(keywords: () => ConnectionKeywords, clock: Clock, refusesTls: Set<string>, onOpening?: () => void) {
    this.#keywords = keywords
    this.#clock = clock
    this.#refusesTls = refusesTls
    this.#onOpening = onOpening ?? ((): void => {})
  }

  get isOpen(): boolean {
    return this.#session !== null
  }

  onLost(listener: () => void): void {
    this.#lostListeners.push(listener)
  }

  close(): void {
    const session = this.#session
    this.#session = null
    if (!session) return
    session.client.end().catch(() => {})
    session.socket.destroySoon() // After the farewell is written; a server that hangs shall not keep the socket.
  }

  open(budget: Budget): Promise<SqlOutcome | null> {
    return this.#inTurn(budget, () => this.#connected(budget))
  }

  query(sql: string, parameters: readonly unknown[], budget: Budget): Promise<SqlOutcome> {
    return this.#inTurn(budget, async () => {
      const failure = await this.#connected(budget)
      const session = this.#session
      if (failure || !session) return failure ?? { kind: 'unreachable', reason: 'the connection was closed' }
      return this.#run(session, sql, parameters, budget)
    })
  }

  async #inTurn<T>(budget: Budget, work: () => Promise<T | Unreachable>): Promise<T | Unreachable> {
    const before = this.#last
    let finish = (): void => {}
    this.#last = new Promise<void>((resolve) => (finish = resolve))
    try {
      const { signal, done } = this.#clock.deadline(budget.deadline, budget.signal)
      const inTime = await Promise.race([before.then(() => true), aborted(signal)])
      done()
      // The one before it is still busy: it keeps its turn, and those after us wait for it as well.
      if (!inTime) return over(budget)
      return await work()
    } finally {
      void before.then(finish)
    }
  }

  async #connected(budget: Budget): Promise<Unreachable | null> {
    if (this.#session) return null
    this.#onOpening()
    const keywords = this.#keywords()
    const limit = Number(keywords['connect_timeout'])
    const deadline =
      limit > 0
        ? (Math.min(budget.deadline, later(this.#clock.now(), limit * 1000)) as typeof budget.deadline)
        : budget.deadline
    const { signal, done } = this.#clock.deadline(deadline, budget.signal)
    try {
      return await this.#tryHosts(keywords, signal)
    } finally {
      done()
    }
  }

  async #tryHosts(keywords: ConnectionKeywords, signal: AbortSignal): Promise<Unreachable | null> {
    const found = await connectionAttempts(keywords, this.#refusesTls)
    if (found.kind === 'impossible') return { kind: 'unreachable', reason: found.reason }
    let failure: Unreachable = { kind: 'unreachable', reason: 'no host to connect to' }
    for (const host of found.hosts) {
      if (signal.aborted) break
      const result = await this.#tryWays(keywords, host, signal)
      if (result.kind === 'unreachable') {
        failure = result
        continue
      }
      const refusal = await sessionRefusal(result.session, keywords['target_session_attrs'], signal)
      if (refusal === null) {
        this.#adopt(result.session, result.version)
        return null
      }
      failure = { kind: 'unreachable', reason: `${host.host}:${host.port}: ${refusal}` }
      result.session.socket.destroy()
    }
    return failure
  }

  async #tryWays(
    keywords: ConnectionKeywords,
    host: HostAttempts,
    signal: AbortSignal,
  ): Promise<Connected | Unreachable> {
    const key = `${host.host}:${host.port}`
    let failure: Unreachable = { kind: 'unreachable', reason: 'no way to connect' }
    for (const way of host.ways) {
      const result = await connectOnce(keywords, host, way, signal)
      if (result.kind === 'connected') return result
      failure = describe(result.error)
      if (saysNoTls(result.error)) this.#refusesTls.add(key)
      else if (way === 'plain') this.#refusesTls.delete(key)
      if (signal.aborted || !mayTryNextWay(result.error)) break
    }
    return failure
  }

  #adopt(session: Session, version: ServerVersion): void {
    this.#session = session
    if (version !== UNKNOWN_VERSION) this.serverVersion = version
    session.client.on('end', () => {
      if (this.#session !== session) return
      this.#session = null
      for (const listener of this.#lostListeners) listener()
    })
  }

  async #run(session: Session, sql: string, parameters: readonly unknown[], budget: Budget): Promise<SqlOutcome> {
    const { signal, done } = this.#clock.deadline(budget.deadline, budget.signal)
    // PostgreSQL may hang: then only the end of the socket frees us (and a later answer could be taken for another's).
    const cut = (): void => void session.socket.destroy()
    if (signal.aborted) cut()
    signal.addEventListener('abort', cut, { once: true })
    try {
      const answer = await session.client.query<SqlRow>(sql, parameters.length > 0 ? [...parameters] : undefined)
      const results: readonly pg.QueryResult<SqlRow>[] = Array.isArray(answer) ? answer : [answer]
      return { kind: 'rows', rows: results.at(-1)?.rows ?? [] }
    } catch (error) {
      if (signal.aborted) return over(budget)
      const code = error instanceof pg.DatabaseError ? error.code : undefined
      // Classes 08 and 57P: this session is at its end, whatever the statement was.
      if (code !== undefined && !code.startsWith('08') && !code.startsWith('57P'))
        return { kind: 'error', sqlState: code, message: errorText(error) }
      if (this.#session === session) session.socket.destroy()
      return describe(error)
    } finally {
      signal.removeEventListener('abort', cut)
      done()
    }
  }
}

type Unreachable = Extract<SqlOutcome, { kind: 'unreachable' }>

function describe(error: unknown): Unreachable {
  const code = error instanceof pg.DatabaseError ? error.code : undefined
  const reason = errorText(error) || (error as { code?: string }).code || 'connection failed'
  const noListener = isRefusal(error) ? { noListener: true as const } : {}
  return { kind: 'unreachable', reason, ...(code === undefined ? {} : { sqlState: code }), ...noListener }
}

/** A name with several addresses fails with the error of each. */
function isRefusal(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(isRefusal)
  return error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED'
}

function over(budget: Budget): Unreachable {
  return { kind: 'unreachable', reason: budget.signal.aborted ? 'cancelled' : 'no answer in time' }
}

function aborted(signal: AbortSignal): Promise<false> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(false)
    else signal.addEventListener('abort', () => resolve(false), { once: true })
  })
}

interface Connected {
  readonly kind: 'connected'
  readonly session: Session
  readonly version: ServerVersion
}

async function connectOnce(
  keywords: ConnectionKeywords,
  { host, port }: HostAttempts,
  way: HostAttempts['ways'][number],
  signal: AbortSignal,
): Promise<Connected | { readonly kind: 'failed'; readonly error: unknown }> {
  if (signal.aborted) return { kind: 'failed', error: new Error('no connection in time') }
  const socket = new Socket()
  const user = keywords['user'] || process.env['USER'] || 'postgres'
  const database = keywords['dbname'] || user
  const { password, passfile, application_name: name, fallback_application_name: fallback } = keywords
  const replication = keywords['replication']
  const client = new pg.Client({
    stream: () => socket,
    host,
    port: Number(port),
    user,
    database,
    // Always a function: the driver must not look into the environment or into files by itself.
    password: async () => password || ((await lookUpPassword(passfile, { host, port, database, user })) ?? ''),
    ssl: way === 'plain' ? false : way,
    enableChannelBinding: keywords['channel_binding'] !== 'disable',
    keepAlive: true,
    keepAliveInitialDelayMillis: 3000,
    connectionTimeoutMillis: 0,
    types: { getTypeParser: (oid: number) => (replication ? identity : (PARSERS[oid] ?? identity)) },
    ...(name || fallback ? { application_name: name || fallback } : {}),
    ...(keywords['options'] ? { options: keywords['options'] } : {}),
    ...(replication ? { replication } : {}),
  })
  client.on('error', () => {}) // Losing an idle connection is told by `end`.
  let version: ServerVersion = UNKNOWN_VERSION
  client.connection.on('parameterStatus', (status: { parameterName?: string; parameterValue?: string }) => {
    if (status.parameterName === 'server_version') version = parseVersion(status.parameterValue ?? '')
  })
  const cut = (): void => void socket.destroy(new Error('no connection in time'))
  signal.addEventListener('abort', cut, { once: true })
  try {
    await client.connect()
    return { kind: 'connected', session: { client, socket }, version }
  } catch (error) {
    socket.destroy()
    return { kind: 'failed', error }
  } finally {
    signal.removeEventListener('abort', cut)
  }
}

/** `target_session_attrs` of libpq. @returns why this session is not the wanted one, or `null` */
async function sessionRefusal(
  session: Session,
  wanted: string | undefined,
  signal: AbortSignal,
): Promise<string | null> {
  if (wanted === undefined || wanted === 'any' || wanted === '' || wanted === 'prefer-standby') return null
  const cut = (): void => void session.socket.destroy()
  signal.addEventListener('abort', cut, { once: true })
  try {
    // SHOW also works on a replication connection.
    const { rows } = await session.client.query<{ transaction_read_only: string }>('SHOW transaction_read_only')
    const readOnly = rows[0]?.transaction_read_only === 'on'
    if (['read-write', 'primary'].includes(wanted) && readOnly) return 'the session is read-only'
    if (['read-only', 'standby'].includes(wanted) && !readOnly) return 'the session is not read-only'
    return null
  } catch (error) {
    return errorText(error)
  } finally {
    signal.removeEventListener('abort', cut)
  }
}
