import type { Budget } from '../ports/clock.ts'

/** How a child process ended. `code` is `null` where it could not be started, was killed or cancelled. */
export interface RunResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** Why there is no code. */
  readonly failure: 'not-started' | 'killed' | 'cancelled' | null
}

export interface RunOptions {
  /** Added to the cleaned environment of the agent (no PATRONI_*, no secrets). */
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string
  /** Passed through to the agent's own output instead of being collected: long-running tools. */
  readonly inheritOutput?: boolean
  /** SIGTERM at abort, SIGKILL to the whole tree after 10 s. */
  readonly signal: AbortSignal
}

/** Runs PostgreSQL's tools and the operator's commands. Never throws for anything the command does. */
export interface CommandRunner {
  /** `argv[0]` is a path or a name looked up in PATH. */
  run(argv: readonly string[], options: RunOptions): Promise<RunResult>
}

/** Paths of PostgreSQL's own programs (spec postgres.md 1.1). */
export interface Binaries {
  path(tool: string): string
}

export type SqlRow = Readonly<Record<string, unknown>>
export type SqlOutcome =
  | { readonly kind: 'rows'; readonly rows: readonly SqlRow[] }
  /** The server answered with an error. */
  | { readonly kind: 'error'; readonly sqlState: string; readonly message: string }
  /** No usable answer: not connected, connection lost, deadline over. */
  | { readonly kind: 'unreachable'; readonly reason: string }

/** One kept connection that is opened when needed. A query that misses its deadline destroys the connection. */
export interface SqlConnection {
  query(sql: string, parameters: readonly unknown[], budget: Budget): Promise<SqlOutcome>
  /** Drops the connection; the next query opens a new one. */
  close(): void
}

/** libpq keywords (host, port, dbname, user, password, sslmode, application_name, options, replication, …). */
export type ConnectionKeywords = Readonly<Record<string, string>>

export interface SqlConnector {
  /** A short-lived or kept connection to any server, own or remote. */
  connection(keywords: ConnectionKeywords): SqlConnection
}
