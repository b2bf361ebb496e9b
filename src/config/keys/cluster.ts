import type { JsonObject } from '../../cluster/json.ts'
import { ENFORCED_PARAMETERS, enforcedDefault } from '../enforced-parameters.ts'
import { type Key, section } from './key.ts'

const BOOLEAN = { type: 'boolean' } as const
const PARAMETERS: Readonly<Record<string, readonly [meaning: string, schema: JsonObject]>> = {
  wal_level: ['What is written to the WAL.', { examples: ['replica', 'logical'] }],
  hot_standby: ['Standbys answer queries; always on.', BOOLEAN],
  max_connections: ['Connections that a server takes.', {}],
  max_wal_senders: ['Standbys, backups and subscribers that may copy at a time.', {}],
  wal_keep_segments: ['WAL files that are kept, before PostgreSQL 13.', { type: 'integer', minimum: 1 }],
  wal_keep_size: ['WAL that is kept, from PostgreSQL 13 on; at least 16MB.', { type: 'string' }],
  max_prepared_transactions: ['Transactions that may be prepared at a time.', {}],
  max_locks_per_transaction: ['Locks that there is room for, for each transaction.', {}],
  track_commit_timestamp: ['The times of commits are kept.', BOOLEAN],
  max_replication_slots: ['Replication slots that may exist.', {}],
  max_worker_processes: ['Background processes that may run.', {}],
  wal_log_hints: ['Hint bits are written to the WAL, as pg_rewind needs it.', BOOLEAN],
}

const NOT_RESTARTED = ['wal_keep_segments', 'wal_keep_size']

/**
 * The dynamic configuration: in the store, the same for all members. In the file these keys stand only under
 * `bootstrap.dcs`, for a new cluster.
 */
export const CLUSTER_KEYS: readonly Key[] = [
  ...section('bootstrap.dcs', 'reload', {
    ttl: ['Seconds after which a lock that is not renewed is free; from 5 on with the lease guard.', { default: 30 }],
    loop_wait: ['Seconds between two looks, at the longest.', { default: 10 }],
    retry_timeout: [
      'Seconds that the store or PostgreSQL may not answer before a primary steps down.',
      { default: 10 },
    ],
    maximum_lag_on_failover: [
      'A replica that is further behind, in bytes, does not become primary.',
      { default: 1_048_576 },
    ],
    maximum_lag_on_syncnode: [
      'A synchronous standby further behind, in bytes, is replaced by a better one; 0 or less: never.',
      { default: -1 },
    ],
    max_timelines_history: [
      'How many changes of the leader are kept in the store; 0: all.',
      { default: 0, type: 'integer' },
    ],
    check_timeline: ['A replica on an older timeline does not become primary.', { default: false, type: 'boolean' }],
    primary_start_timeout: [
      'Seconds that a crashed primary may take to start before another takes over.',
      { default: 300 },
    ],
    master_start_timeout: ['Older spelling of it.', { type: 'integer' }],
    primary_stop_timeout: [
      'Seconds that a primary may take to stop, in synchronous mode; then it is killed; 0: as long as it needs.',
      { default: 0 },
    ],
    master_stop_timeout: ['Older spelling of it.', { type: 'integer' }],
    primary_race_backoff: ['Seconds by which a former primary lets others go first.', { default: 0, type: 'integer' }],
    synchronous_mode: [
      'No acknowledged commit is lost: `on` one by one, `quorum` any so many of them.',
      { default: false },
    ],
    synchronous_mode_strict: ['Commits wait also while no synchronous standby is there.', { default: false }],
    synchronous_node_count: ['How many synchronous standbys are wanted.', { default: 1 }],
    failsafe_mode: [
      'Without the store a primary goes on as long as all members agree.',
      { default: false, type: 'boolean' },
    ],
    pause: ['Nothing is done automatically: `matriarchctl pause`.', { default: false, type: 'boolean' }],
    member_slots_ttl: [
      'How long the slot of a member that is gone is kept; seconds, or with a unit.',
      { default: '30min' },
    ],
    slots: [
      'Replication slots that are kept through a failover: name to attributes.',
      { default: {}, type: 'mapping' },
    ],
    permanent_slots: ['Another spelling of it.', { type: 'mapping' }],
    permanent_replication_slots: ['Another spelling of it.', { type: 'mapping' }],
    'slots.<name>.type': [
      '`physical` or `logical`.',
      { otherwise: 'logical with `database` and `plugin`', type: 'string' },
    ],
    'slots.<name>.database': ['Database of a logical slot.', { type: 'string' }],
    'slots.<name>.plugin': ['Output plugin of a logical slot.', { type: 'string' }],
    'slots.<name>.cluster_type': ['Only in a cluster of this type: `primary`, `standby`.', { type: 'string' }],
    ignore_slots: [
      'Slots that are left alone: a list of mappings with `name`, `type`, `database`, `plugin`.',
      { default: [], schema: { type: 'array', items: { type: 'object' } } },
    ],
  }),
  ...section('bootstrap.dcs.standby_cluster', 'reload', {
    host: 'The cluster is a standby cluster and copies from this address, or several separated by commas.',
    port: 'Port there.',
    primary_slot_name: 'Slot there.',
    create_replica_methods: ['How the standby leader is made.', { default: ['basebackup'] }],
    restore_command: 'Command that fetches WAL from the archive.',
    archive_cleanup_command: 'Command that removes WAL from the archive.',
    recovery_min_apply_delay: 'How far the standby leader stays behind.',
  }),
  ...section('bootstrap.dcs.postgresql', 'reload', {
    use_slots: ['Standbys have replication slots.', { default: true }],
    use_pg_rewind: ['As in the file, for all members.', { default: false }],
    pg_hba: 'As in the file, for all members.',
    pg_ident: 'As in the file, for all members.',
    basebackup: 'As in the file, for all members.',
    rewind: 'As in the file, for all members.',
    pg_ctl_timeout: ['As in the file, for all members.', { default: 60 }],
    parameters: 'Parameters of PostgreSQL, for all members.',
  }),
  ...section(
    'bootstrap.dcs.postgresql.parameters',
    'PostgreSQL',
    Object.fromEntries(
      ENFORCED_PARAMETERS.flatMap((name) => {
        const told = PARAMETERS[name]
        if (!told) return []
        const [meaning, schema] = told
        const change = NOT_RESTARTED.includes(name) ? 'reload' : 'PostgreSQL'
        return [[name, [meaning, { default: enforcedDefault(name), change, schema }]] as const]
      }),
    ),
  ),
]
