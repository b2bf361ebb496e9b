import type { ServerVersion } from '../version.ts'

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
