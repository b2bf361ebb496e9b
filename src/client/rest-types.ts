// Made from docs/openapi.yaml: npm run generate.

/** Index 0..14 in this order is the value of the patroni_postgres_state metric; unknown (-1) only in responses */
export type StateWord = 
  | 'initializing new cluster'
  | 'initdb failed'
  | 'running custom bootstrap script'
  | 'custom bootstrap failed'
  | 'creating replica'
  | 'running'
  | 'starting'
  | 'starting after custom bootstrap'
  | 'start failed'
  | 'restarting'
  | 'restart failed'
  | 'stopping'
  | 'stopped'
  | 'stop failed'
  | 'crashed'
  | 'unknown'

export type RoleWord = 'primary' | 'replica' | 'standby_leader' | 'demoted' | 'promoted' | 'uninitialized'

export interface Tags {
  readonly clonefrom?: unknown
  readonly nofailover?: unknown
  readonly noloadbalance?: unknown
  readonly nosync?: unknown
  readonly nostream?: unknown
  readonly replicatefrom?: string
  readonly failover_priority?: unknown
  readonly sync_priority?: unknown
  readonly [key: string]: unknown
}

export type PendingRestartReason = Readonly<Record<string, {
  readonly old_value: string
  readonly new_value: string
}>>

export interface ScheduledRestart {
  /** ISO 8601 with T and offset */
  readonly schedule: string
  readonly role?: string
  readonly postgres_version?: string
  readonly timeout?: number
  readonly restart_pending?: unknown
  /** Only in /cluster and in the DCS member key */
  readonly postmaster_start_time?: string | null
}

export interface ReplicationEntry {
  readonly usename: string | null
  readonly application_name: string | null
  readonly client_addr: string | null
  readonly state: string | null
  readonly sync_state: string | null
  readonly sync_priority: number | null
}

export interface XlogPrimary {
  /** Byte position in the WAL */
  readonly location: number
}

export interface XlogReplica {
  readonly received_location: number | null
  readonly replayed_location: number | null
  /** YYYY-MM-DD HH:MM:SS[.ffffff]+HH:MM */
  readonly replayed_timestamp: string | null
  readonly paused: boolean
}

export interface MemberStatus {
  readonly state: StateWord
  /** YYYY-MM-DD HH:MM:SS[.ffffff]+HH:MM */
  readonly postmaster_start_time?: string
  readonly role: RoleWord
  readonly server_version?: number
  /** Absent when no SQL data is available */
  readonly xlog?: XlogPrimary | XlogReplica
  readonly sync_standby?: true
  readonly quorum_standby?: true
  readonly timeline?: number | null
  readonly replication_state?: 'streaming' | 'in archive recovery'
  readonly replication?: readonly ReplicationEntry[]
  readonly pause?: true
  readonly cluster_unlocked?: true
  readonly failsafe_mode_is_active?: true
  readonly dcs_last_seen: number
  readonly tags?: Tags
  readonly database_system_identifier?: string
  readonly pending_restart?: true
  readonly pending_restart_reason?: PendingRestartReason
  readonly patroni: {
    readonly version: string
    readonly scope: string
    readonly name: string
  }
  readonly scheduled_restart?: ScheduledRestart
  readonly watchdog_failed?: true
  /** How far the base backup is that this member is being made from; absent otherwise */
  readonly clone?: {
    readonly done_bytes: number
    /** An estimate; absent where there is none */
    readonly total_bytes?: number
  }
  readonly logger_queue_size?: number
  readonly logger_records_lost?: number
}

export interface TopologyMember {
  readonly name: string
  readonly role: 'leader' | 'standby_leader' | 'sync_standby' | 'quorum_standby' | 'replica'
  /** A state word, streaming, in archive recovery, or empty */
  readonly state: string
  readonly api_url: string | null
  readonly host?: string
  readonly port?: number
  readonly timeline?: number
  readonly pending_restart?: boolean
  readonly pending_restart_reason?: PendingRestartReason
  readonly scheduled_restart?: ScheduledRestart
  readonly tags?: Tags
  readonly receive_lag?: number | 'unknown'
  readonly receive_lsn?: string
  readonly replay_lag?: number | 'unknown'
  readonly replay_lsn?: string
  readonly lag?: number | 'unknown'
  readonly lsn?: string
}

export interface ClusterTopology {
  readonly members: readonly TopologyMember[]
  readonly pause?: true
  readonly scheduled_switchover?: {
    /** ISO 8601 with T and offset */
    readonly at: string
    readonly from?: string
    readonly to?: string
  }
  readonly scope: string
}

export type History = ReadonlyArray<readonly [timeline: number, lsnInBytes: number, reason: string, isoTimeStamp?: string, newLeader?: string]>

export interface Journal {
  readonly name: string
  readonly scope: string
  /** Milliseconds since 1970 by the clock of this member */
  readonly now: number
  readonly records: readonly CycleRecord[]
}

export interface CycleRecord {
  /** Counts up, restarts of the agent included */
  readonly number: number
  /** When the first of these cycles ended, milliseconds since 1970 */
  readonly at: number
  /** When the last of them ended */
  readonly until: number
  readonly times: number
  /** Stable name of the rule that decided */
  readonly rule: string
  /** The line of the log */
  readonly text: string
  readonly tookMs: number
  readonly entries: ReadonlyArray<{
    readonly at: number
    readonly kind: 'saw' | 'asked' | 'considered' | 'decided' | 'did'
    readonly what: string
    readonly detail?: unknown
  }>
}

export type DynamicConfig = Readonly<Record<string, unknown>>

/** null removes a key, objects merge recursively, anything else replaces */
export type DynamicConfigPatch = Readonly<Record<string, unknown>>

export type DynamicConfigBody = Readonly<Record<string, unknown>>

export type FailsafeTopology = Readonly<Record<string, string>>

export interface FailsafePing {
  readonly name: string
  readonly conn_url: string
  readonly api_url: string
  readonly slots?: Readonly<Record<string, number>> | null
}

export interface RestartRequest {
  /** Time stamp with zone */
  readonly schedule?: string
  readonly role?: 'primary' | 'standby_leader' | 'replica'
  readonly postgres_version?: string
  /** Seconds, or a duration such as 1min */
  readonly timeout?: number | string
  /** Presence activates the filter */
  readonly restart_pending?: unknown
}

export interface ReinitializeRequest {
  readonly force?: boolean | string | number
  readonly from_leader?: boolean | string | number
}

export interface SwitchoverRequest {
  readonly leader: string
  readonly candidate?: string | null
  /** Alias of candidate */
  readonly member?: string | null
  /** Time stamp with zone; empty means now */
  readonly scheduled_at?: string | null
}

export interface FailoverRequest {
  /** Turns the request into a switchover */
  readonly leader?: string | null
  readonly candidate?: string
  /** Alias of candidate */
  readonly member?: string | null
}
