import type { ServerVersion } from '../version.ts'

/**
 * The parameters that must be alike in the whole cluster (spec postgres.md 2.3, configuration.md 6.1). They come from
 * the store alone and are given on the command line, so that neither a file nor ALTER SYSTEM changes them on one member.
 * Which values are accepted is checked where the configuration is merged.
 */
export interface EnforcedParameter {
  readonly name: string
  readonly since: ServerVersion
  /** PostgreSQL calls it different things in different versions: it is only written into the file. */
  readonly fileOnly?: true
}

/** In the order of the command line. */
export const ENFORCED: readonly EnforcedParameter[] = [
  { name: 'listen_addresses', since: 90100 },
  { name: 'port', since: 90100 },
  { name: 'cluster_name', since: 90500 },
  { name: 'wal_level', since: 90100 },
  { name: 'hot_standby', since: 90100 },
  { name: 'max_connections', since: 90100 },
  { name: 'max_wal_senders', since: 90100 },
  { name: 'wal_keep_segments', since: 90100, fileOnly: true },
  { name: 'wal_keep_size', since: 130000, fileOnly: true },
  { name: 'max_prepared_transactions', since: 90100 },
  { name: 'max_locks_per_transaction', since: 90100 },
  { name: 'track_commit_timestamp', since: 90500 },
  { name: 'max_replication_slots', since: 90400 },
  { name: 'max_worker_processes', since: 90400 },
  { name: 'wal_log_hints', since: 90400 },
]

/** What never comes from a running server when it is adopted: it is always derived. */
export const DERIVED: readonly string[] = ['listen_addresses', 'port', 'cluster_name']

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
