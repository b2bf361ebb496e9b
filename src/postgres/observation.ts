import { type Lsn, maxLsn, parseLsn, ZERO_LSN } from '../cluster/lsn.ts'
import type { Instant } from '../cluster/time.ts'
import { parseTimeline, UNKNOWN_TIMELINE } from '../cluster/timeline.ts'
import type { Observation, SlotFact, WalSender } from '../ports/postgres.ts'
import type { SqlRow } from './parts.ts'
import type { ServerVersion } from './version.ts'

/** Moments as clients of the REST server know them: ISO 8601 with a blank, microseconds and the offset. */
const MOMENT = `'YYYY-MM-DD HH24:MI:SS.USTZH:TZM'`

/**
 * The one statement that asks a server of version 12 or later for everything the agent wants to know
 * (spec postgres.md 3.2). Positions come as text, lists as JSON, so that no number can lose digits on the way.
 */
export function observationQuery(version: ServerVersion): string {
  const since = (first: ServerVersion, expression: string, otherwise: string): string =>
    version >= first ? expression : otherwise
  return `
SELECT r.in_recovery,
  CASE WHEN r.in_recovery THEN 0 ELSE ('x' || pg_catalog.substr(
    pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8))::bit(32)::bigint END AS timeline,
  CASE WHEN r.in_recovery THEN '0/0' ELSE pg_catalog.pg_current_wal_flush_lsn()::text END AS primary_lsn,
  CASE WHEN r.in_recovery THEN '0/0' ELSE pg_catalog.pg_current_wal_insert_lsn()::text END AS insert_lsn,
  pg_catalog.pg_last_wal_receive_lsn()::text AS received_lsn,
  pg_catalog.pg_last_wal_replay_lsn()::text AS replayed_lsn,
  pg_catalog.to_char(pg_catalog.pg_last_xact_replay_timestamp(), ${MOMENT}) AS replayed_at,
  CASE WHEN r.in_recovery THEN pg_catalog.pg_is_wal_replay_paused() ELSE false END AS replay_paused,
  pg_catalog.to_char(pg_catalog.pg_postmaster_start_time(), ${MOMENT}) AS started_at,
  w.status AS receiver_status, w.slot_name::text AS receiver_slot, w.received_tli AS receiver_timeline,
  w.latest_end_lsn::text AS receiver_latest_end, w.conninfo AS receiver_conninfo,
  ${since(130000, 'w.written_lsn::text', 'NULL::text')} AS written_lsn,
  pg_catalog.current_setting('synchronous_standby_names') AS synchronous_standby_names,
  pg_catalog.current_setting('synchronous_commit') AS synchronous_commit,
  pg_catalog.current_setting('restore_command') AS restore_command,
  pg_catalog.pg_conf_load_time()::text AS configuration_loaded_at,
  (SELECT coalesce(pg_catalog.json_agg(s), '[]'::json) FROM (
    SELECT pid, application_name, usename AS user_name, client_addr, state, sync_state,
      sync_priority, write_lsn::text AS write_lsn, flush_lsn::text AS flush_lsn, replay_lsn::text AS replay_lsn
    FROM pg_catalog.pg_stat_replication) s) AS wal_senders,
  (SELECT coalesce(pg_catalog.json_agg(s), '[]'::json) FROM (
    SELECT slot_name::text AS name, slot_type AS type, database::text AS database, plugin::text AS plugin, active,
      restart_lsn::text AS restart_lsn, confirmed_flush_lsn::text AS confirmed_flush_lsn,
      xmin::text AS xmin, catalog_xmin::text AS catalog_xmin,
      ${since(130000, 'wal_status', 'NULL::text')} AS wal_status,
      ${since(170000, 'failover', 'false')} AS failover, ${since(170000, 'synced', 'false')} AS synced
    FROM pg_catalog.pg_replication_slots WHERE NOT temporary) s) AS slots
FROM (SELECT pg_catalog.pg_is_in_recovery() AS in_recovery) r, pg_catalog.pg_stat_get_wal_receiver() w`
}

/** @returns `null` where the row is not what `observationQuery` asks for */
export function readObservation(row: SqlRow, at: Instant): Observation | null {
  if (typeof row['in_recovery'] !== 'boolean' || !Array.isArray(row['wal_senders']) || !Array.isArray(row['slots']))
    return null
  const receiverStatus = text(row['receiver_status'])
  return {
    at,
    inRecovery: row['in_recovery'],
    timeline: parseTimeline(row['timeline']) ?? UNKNOWN_TIMELINE,
    primaryLsn: position(row['primary_lsn']) ?? ZERO_LSN,
    insertLsn: position(row['insert_lsn']) ?? ZERO_LSN,
    receivedLsn: maxLsn(position(row['received_lsn']), position(row['written_lsn'])),
    replayedLsn: position(row['replayed_lsn']) ?? ZERO_LSN,
    replayedAt: text(row['replayed_at']),
    replayPaused: row['replay_paused'] === true,
    postmasterStartTime: text(row['started_at']) ?? '',
    walReceiver:
      receiverStatus === null
        ? null
        : {
            status: receiverStatus,
            slotName: text(row['receiver_slot']),
            // Until something was received the timeline is only the one that was asked for.
            timeline: row['receiver_latest_end'] === null ? null : parseTimeline(row['receiver_timeline']),
            latestEndLsn: position(row['receiver_latest_end']),
            conninfo: text(row['receiver_conninfo']),
          },
    walSenders: row['wal_senders'].map((one) => walSender(one as SqlRow)),
    slots: row['slots'].map((one) => slotFact(one as SqlRow)),
    synchronousStandbyNames: text(row['synchronous_standby_names']) ?? '',
    synchronousCommit: text(row['synchronous_commit']) ?? 'on',
    hasRestoreCommand: (text(row['restore_command']) ?? '') !== '',
    configurationLoadedAt: text(row['configuration_loaded_at']),
  }
}

function walSender(row: SqlRow): WalSender {
  return {
    pid: Number(row['pid']),
    applicationName: text(row['application_name']) ?? '',
    userName: text(row['user_name']),
    clientAddr: text(row['client_addr']),
    state: text(row['state']) ?? '',
    syncState: text(row['sync_state']) ?? '',
    syncPriority: Number(row['sync_priority'] ?? 0),
    writeLsn: position(row['write_lsn']),
    flushLsn: position(row['flush_lsn']),
    replayLsn: position(row['replay_lsn']),
  }
}

function slotFact(row: SqlRow): SlotFact {
  return {
    name: text(row['name']) ?? '',
    type: row['type'] === 'logical' ? 'logical' : 'physical',
    database: text(row['database']),
    plugin: text(row['plugin']),
    active: row['active'] === true,
    restartLsn: position(row['restart_lsn']),
    confirmedFlushLsn: position(row['confirmed_flush_lsn']),
    xmin: text(row['xmin']),
    catalogXmin: text(row['catalog_xmin']),
    failover: row['failover'] === true,
    synced: row['synced'] === true,
    walStatus: text(row['wal_status']),
  }
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function position(value: unknown): Lsn | null {
  return parseLsn(value)
}
