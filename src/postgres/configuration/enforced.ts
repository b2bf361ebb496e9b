import type { ServerVersion } from '../version.ts'

/**
 * The parameters that must be alike in the whole cluster (spec postgres.md 2.3, configuration.md 6.1). They come from
 * the store alone and are given on the command line, so that neither a file nor ALTER SYSTEM changes them on one member.
 */
export interface EnforcedParameter {
  readonly name: string
  /** `null`: always derived from other settings. */
  readonly fallback: string | null
  readonly since: ServerVersion
  /** PostgreSQL calls it different things in different versions: it is only written into the file. */
  readonly fileOnly?: true
}

/** In the order of the command line. */
export const ENFORCED: readonly EnforcedParameter[] = [
  { name: 'listen_addresses', fallback: null, since: 90100 },
  { name: 'port', fallback: null, since: 90100 },
  { name: 'cluster_name', fallback: null, since: 90500 },
  { name: 'wal_level', fallback: 'hot_standby', since: 90100 },
  { name: 'hot_standby', fallback: 'on', since: 90100 },
  { name: 'max_connections', fallback: '100', since: 90100 },
  { name: 'max_wal_senders', fallback: '10', since: 90100 },
  { name: 'wal_keep_segments', fallback: '8', since: 90100, fileOnly: true },
  { name: 'wal_keep_size', fallback: '128MB', since: 130000, fileOnly: true },
  { name: 'max_prepared_transactions', fallback: '0', since: 90100 },
  { name: 'max_locks_per_transaction', fallback: '64', since: 90100 },
  { name: 'track_commit_timestamp', fallback: 'off', since: 90500 },
  { name: 'max_replication_slots', fallback: '10', since: 90400 },
  { name: 'max_worker_processes', fallback: '8', since: 90400 },
  { name: 'wal_log_hints', fallback: 'on', since: 90400 },
]

/** What never comes from a running server when it is adopted: it is always derived. */
export const DERIVED: readonly string[] = ENFORCED.filter((one) => one.fallback === null).map((one) => one.name)

/**
 * Settings of the control file that a hot standby may not go below (spec postgres.md 1.12, 2.2): it would refuse to
 * start, or pause replay.
 */
export const CONTROL_FILE_MINIMA: readonly {
  readonly name: string
  readonly item: string
  readonly since: ServerVersion
}[] = [
  { name: 'max_connections', item: 'max_connections setting', since: 90300 },
  { name: 'max_prepared_transactions', item: 'max_prepared_xacts setting', since: 90300 },
  { name: 'max_locks_per_transaction', item: 'max_locks_per_xact setting', since: 90300 },
  { name: 'max_worker_processes', item: 'max_worker_processes setting', since: 90400 },
  { name: 'max_wal_senders', item: 'max_wal_senders setting', since: 120000 },
]
