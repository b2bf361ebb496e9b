import type { JsonObject } from '../cluster/json.ts'
import type { Timing } from '../cluster/settings.ts'
import type { Tags } from '../cluster/tags.ts'

/**
 * The effective configuration of one member: file, environment and store merged (spec configuration.md 2.3), every
 * section typed. Immutable; a reload makes a new one. `document` is the merged tree itself, unknown keys included.
 */
export interface Config {
  readonly document: JsonObject
  /** The raw dynamic document with adjusted timings: the settings of the cluster. */
  readonly dynamic: JsonObject
  /** The dynamic document that `document` was built from; differs from `dynamic` while that one is rejected. */
  readonly acceptedDynamic: JsonObject
  /** In seconds, adjusted, of the accepted document: goes with `dynamic` into `clusterSettings`. */
  readonly timing: Timing
  /** The local configuration that `document` was built from. */
  readonly local: JsonObject
  /** What was found odd while reading the sections, so that a reload tells only what is new. */
  readonly findings: readonly Problem[]
  readonly name: string
  readonly scope: string
  readonly namespace: string
  /** `/<namespace>/<scope>/`, group included where there is one. */
  readonly storePrefix: string
  readonly citus: { readonly group: number; readonly database: string } | null
  readonly log: LogConfig
  readonly restapi: RestapiConfig
  readonly ctl: CtlConfig
  readonly store: StoreConfig
  readonly bootstrap: BootstrapConfig | null
  readonly postgresql: PostgresqlConfig
  readonly watchdog: WatchdogConfig
  readonly fence: FenceConfig
  readonly journal: JournalConfig
  readonly tags: Tags
}

export interface LogConfig {
  readonly type: 'plain' | 'json'
  readonly level: string
  readonly tracebackLevel: 'DEBUG' | 'ERROR'
  /** Python %-style text, or the list form of json logging. */
  readonly format: JsonObject[keyof JsonObject]
  readonly dateFormat: string | null
  readonly staticFields: JsonObject
  readonly maxQueueSize: number
  readonly dir: string | null
  readonly mode: number | null
  readonly fileNum: number
  readonly fileSize: number
  readonly loggers: Readonly<Record<string, string>>
  readonly deduplicateHeartbeatLogs: boolean
}

export interface Credentials {
  readonly username: string
  readonly password: string
}

export interface TlsFiles {
  readonly certfile: string | null
  readonly keyfile: string | null
  readonly keyfilePassword: string | null
}

export interface RestapiConfig extends TlsFiles {
  readonly listen: string
  readonly connectAddress: string
  readonly authentication: Credentials | null
  readonly cafile: string | null
  readonly ciphers: string | null
  readonly verifyClient: 'none' | 'optional' | 'required'
  readonly allowlist: readonly string[]
  readonly allowlistIncludeMembers: boolean
  readonly httpExtraHeaders: Readonly<Record<string, string>>
  readonly httpsExtraHeaders: Readonly<Record<string, string>>
  readonly requestQueueSize: number
  readonly serverTokens: 'original' | 'minimal' | 'productonly'
}

/** How this member and the command-line tool call other members' REST servers. */
export interface CtlConfig extends TlsFiles {
  readonly authentication: Credentials | null
  readonly insecure: boolean
  readonly cacert: string | null
}

/** Which store, and its section as merged. Each adapter parses its own. `null` kind: none is configured. */
export interface StoreConfig {
  readonly kind: 'consul' | 'etcd' | 'etcd3' | 'exhibitor' | 'kubernetes' | 'raft' | 'zookeeper' | null
  readonly section: JsonObject
}

export interface BootstrapConfig {
  readonly dcs: JsonObject | null
  /** Name of the section with the custom method; `initdb` otherwise. */
  readonly method: string
  readonly custom: JsonObject | null
  readonly initdb: ToolOptions
  readonly postBootstrap: string | null
  readonly pgHba: readonly string[]
}

/** Options for initdb, pg_basebackup and pg_rewind as written: a list or a mapping (spec configuration.md 3.12). */
export type ToolOptions = JsonObject[keyof JsonObject]

/** The keys libpq is given for one of the users (spec configuration.md 14.1). Values as written, as text. */
export interface PgUser {
  readonly username: string | null
  readonly password: string | null
  /** sslmode, sslkey, sslcert, sslrootcert, sslpassword, sslcrl, sslcrldir, gssencmode, channel_binding, sslnegotiation: libpq names. */
  readonly options: Readonly<Record<string, string>>
}

export interface PostgresqlConfig {
  readonly listen: string
  readonly connectAddress: string | null
  readonly proxyAddress: string | null
  /** Absolute. */
  readonly dataDir: string
  readonly configDir: string
  readonly configBaseName: string
  /** Empty: look binaries up in PATH. */
  readonly binDir: string
  readonly binName: Readonly<Record<string, string>>
  readonly database: string
  readonly pgpass: string
  readonly useUnixSocket: boolean
  readonly useUnixSocketRepl: boolean
  /** Merged: enforced ones from the store, the rest from everywhere. */
  readonly parameters: JsonObject
  readonly pgHba: readonly string[] | null
  readonly pgIdent: readonly string[] | null
  readonly customConf: string | null
  readonly recoveryConf: JsonObject
  readonly superuser: PgUser
  readonly replication: PgUser
  readonly rewind: PgUser | null
  readonly krbsrvname: string | null
  readonly callbacks: Readonly<Record<string, string>>
  readonly createReplicaMethods: readonly string[]
  /** Sections of replica methods, by name. */
  readonly methodSections: Readonly<Record<string, JsonObject>>
  readonly basebackup: ToolOptions
  readonly rewindOptions: ToolOptions
  readonly useRewind: boolean
  readonly removeOnRewindFailure: boolean
  readonly removeOnDivergedTimelines: boolean
  readonly pgCtlTimeoutMs: number
  readonly prePromote: string | null
  readonly beforeStop: string | null
  readonly useSlots: boolean
  /** The whole merged section, role-specific keys included; see `forRole` in config/. */
  readonly section: JsonObject
}

/** The lease guard. Unknown to other agents. */
export interface FenceConfig {
  readonly mode: 'on' | 'off'
  /** PostgreSQL ends so long before its lease does. */
  readonly safetyMarginMs: number
}

/** Where the agent writes down what it did and why. Unknown to other agents. */
export interface JournalConfig {
  /** Absolute. */
  readonly dir: string
  /** Bytes that its files may take together; 0: nothing is written. */
  readonly size: number
}

export interface WatchdogConfig {
  readonly mode: 'off' | 'automatic' | 'required'
  readonly device: string
  readonly safetyMargin: number
  readonly driver: 'default' | 'testing'
}

/** One finding while reading configuration: where, what was there, what was expected. Never holds a secret. */
export interface Problem {
  readonly severity: 'error' | 'warning'
  /** Dotted path of the key, `''` for the document. */
  readonly key: string
  readonly message: string
  readonly file: string | null
  readonly line: number | null
}
