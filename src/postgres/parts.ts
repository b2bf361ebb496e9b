import type { InstanceState, Role } from '../cluster/instance.ts'
import type { Instant } from '../cluster/time.ts'
import type { Timeline } from '../cluster/timeline.ts'
import type { Config } from '../config/types.ts'
import type { Budget } from '../ports/clock.ts'
import type {
  CallbackName,
  ControlData,
  MayLaunch,
  ObservationOutcome,
  StandbyRole,
  StartOutcome,
  StopRequest,
  Upstream,
} from '../ports/postgres.ts'

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
  /** Given each line of its standard error; what it does not take (`false`) is passed through. */
  readonly onErrorLine?: (line: string) => boolean
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
  /**
   * No usable answer: not connected, connection lost, deadline over. `sqlState`: what the server refused us with.
   * `noListener`: the host answers, and nobody listens there.
   */
  | {
      readonly kind: 'unreachable'
      readonly reason: string
      readonly sqlState?: string
      readonly noListener?: true
    }

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

// ---------------------------------------------------------------------------------------------------------------------
// The seam between the process side (server.ts and the files beside it) and the files side (configuration/, bootstrap/,
// clone/, rewind/, slots/). Each side sees the other only through these.

/** The configuration in force now; a reload replaces it. */
export type ConfigSource = () => Config

/** Role and state as this agent remembers them. One owner: everybody else reads, and writes through here. */
export interface InstanceMemory {
  readonly role: Role
  readonly state: InstanceState
  readonly stateSince: Instant
  setRole(role: Role): void
  setState(state: InstanceState): void
}

export interface RestartOptions {
  readonly callback: boolean
  readonly mayLaunch?: MayLaunch
}

export interface ServerStart {
  readonly timeoutMs: number | null
  /** Default: by the recovery files in the data directory. */
  readonly role?: Role
  /** `false`: no callback when it runs (a restart, a change of role). */
  readonly callback: boolean
  /** A custom bootstrap: the state is `starting after custom bootstrap`. */
  readonly customBootstrap?: boolean
  readonly mayLaunch?: MayLaunch
}

/** Where the server was last started to listen (spec postgres.md 2.7); a reload does not change it. */
export interface LocalAddress {
  /** `host` and `port` for superuser connections; `host` may be a socket directory. */
  readonly superuser: { readonly host: string; readonly port: string }
  readonly replication: { readonly host: string; readonly port: string }
  /** The TCP address, whatever the connections above use. */
  readonly tcp: { readonly host: string; readonly port: string }
}

/** The process side, as the files side uses it. */
export interface Server {
  isAlive(): boolean
  /** e.g. 150018 of the running server; else of the last one seen; else major version by PG_VERSION; 0 unknown. */
  readonly version: number
  /** The heartbeat connection: statements of 2 s at most, `search_path=pg_catalog`, autocommit. */
  readonly sql: SqlConnection
  /** Where it listens, for building connections of one's own and the trust lines of a custom bootstrap. */
  readonly address: LocalAddress
  /** Keywords of a superuser connection to itself, without options; add `options`, `dbname`, `application_name`. */
  superuserKeywords(): ConnectionKeywords
  /** Keywords of a replication connection to itself (`replication: 'true'`). */
  replicationKeywords(): ConnectionKeywords
  start(request: ServerStart, signal: AbortSignal): Promise<StartOutcome>
  stop(request: StopRequest, signal: AbortSignal): Promise<'stopped' | 'failed'>
  /** Stops (fast, with checkpoint) and starts with new files. */
  restart(timeoutMs: number | null, options: RestartOptions, signal: AbortSignal): Promise<StartOutcome>
  /** SIGHUP to the postmaster, as pg_ctl does. @returns false: there is none. `callback` fires on_reload. */
  reload(options: { readonly callback: boolean }): boolean
  controlData(signal: AbortSignal): Promise<ControlData | null>
  observe(signal: AbortSignal): Promise<ObservationOutcome>
  forgetObservation(): void
  identifyTimeline(signal: AbortSignal): Promise<Timeline | null>
  singleUserRecovery(signal: AbortSignal): Promise<'done' | 'failed'>
  fireCallback(name: CallbackName, role: Role): void
  /** Whether any callback was tried since the agent started (spec postgres.md 9.3). */
  readonly callbackAttempted: boolean
  /** Start time of the postmaster in seconds since 1970; `null` when none runs. Tells one incarnation from the next. */
  postmasterIdentity(): string | null
}

/** What a start needs of the files side (spec postgres.md 1.5 steps 4 to 6). */
export interface LaunchPlan {
  /** What follows `postgres -D <data_dir> --config-file=…`: `--name=value`, in the order of spec 2.3. */
  readonly options: readonly string[]
  /** Effective values. `null`: not set. */
  readonly listenAddresses: string
  readonly port: string
  readonly unixSocketDirectories: string | null
}

/** The files side, as the process side uses it. */
export interface ServerFiles {
  /** By PG_VERSION: 90600, 150000; 0 unknown. */
  majorVersion(): number
  /**
   * Checks directories, writes B.conf, pg_hba.conf and pg_ident.conf for this role and clears the reasons of a pending
   * restart. `null`: version unknown or the effective configuration cannot be computed now.
   */
  prepareStart(role: Role, signal: AbortSignal): Promise<LaunchPlan | null>
  /** Listening addresses of the configuration in force, for adopting a running server. */
  listening(): Omit<LaunchPlan, 'options'>
  /** Copies the configuration files to `.backup` (spec 2.1). */
  backupConfiguration(): Promise<void>
  /** Builds the recovery settings for `upstream` and puts them in place: remembered, signal file (spec 2.8). */
  putRecoverySettings(upstream: Upstream | null, role: StandbyRole, signal: AbortSignal): Promise<void>
  /** Deletes recovery.conf and both signal files and forgets the settings. */
  removeRecoverySettings(): Promise<void>
  /** Writes B.conf for a reload. */
  writeServerConfiguration(signal: AbortSignal): Promise<void>
  /** Adoption of a running server (spec 1.4 step 2): its parameters, hba and ident. */
  joinRunning(role: Role, signal: AbortSignal): Promise<void>
  readonly pendingRestart: Readonly<Record<string, { readonly old_value: string; readonly new_value: string }>>
  /** Runs archive_command for the `.ready` segments (spec 6.4). */
  archiveReadySegments(signal: AbortSignal): Promise<void>
}

/** Files that libpq reads passwords from (spec postgres.md 2.11). */
export interface PasswordFile {
  /** The configured file; what `primary_conninfo` names. */
  readonly path: string
  /** What the file must contain for this connection: one line per host. Empty without a password. */
  lines(keywords: ConnectionKeywords): readonly string[]
  /** Writes the configured file, whole. Does nothing without a password. */
  write(keywords: ConnectionKeywords): Promise<void>
  /** A file of its own for one run of a tool, so that the standby's file stays as it is; `null` without a password. */
  temporary(keywords: ConnectionKeywords): Promise<{ readonly path: string; remove(): Promise<void> } | null>
}
