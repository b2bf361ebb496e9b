import { isObject, type Json, type JsonObject, printJson } from '../cluster/json.ts'
import { isEnforced } from './enforced-parameters.ts'
import { type LocalConfiguration, locate } from './local.ts'
import { mergePatch } from './merge.ts'
import type { Config } from './types.ts'

/** One setting in force. */
export interface ExplainedSetting {
  readonly key: string
  /** As JSON; a secret is `***`. */
  readonly value: string
  /** `patroni.yml:12`, `environment variable PATRONI_NAME`, `the store`, `default`. */
  readonly origin: string
  /** What has to be restarted for a change: nothing, PostgreSQL, or the agent. */
  readonly restart: 'PostgreSQL' | 'agent' | null
}

export interface ExplainRequest {
  readonly config: Config
  readonly local: LocalConfiguration
  /** The dynamic document, and what to call the place that it came from. */
  readonly dynamic: JsonObject
  readonly dynamicOrigin: string
}

/** In force where nothing is written; the rest of the defaults is in the effective document itself. */
const DEFAULTS: JsonObject = {
  namespace: 'service',
  maximum_lag_on_failover: 1_048_576,
  maximum_lag_on_syncnode: -1,
  primary_start_timeout: 300,
  primary_stop_timeout: 0,
  primary_race_backoff: 0,
  synchronous_mode: false,
  synchronous_node_count: 1,
  failsafe_mode: false,
  member_slots_ttl: '30min',
  log: { type: 'plain', level: 'INFO', traceback_level: 'ERROR', max_queue_size: 1000 },
  restapi: { verify_client: 'none', request_queue_size: 5 },
  ctl: { insecure: false },
  watchdog: { mode: 'automatic', device: '/dev/watchdog', safety_margin: 5 },
  fence: { mode: 'on', safety_margin: 1 },
  postgresql: { use_pg_rewind: false, database: 'postgres' },
}

const SECRET = /^(password|keyfile_password|key_password|token|sslpassword|auth|auth_data)$/
/** Copies inside the section that only the agent reads. */
const DERIVED = /^postgresql\.(name|scope|retry_timeout|citus)(\.|$)/
const NEEDS_AGENT = /^(name|scope|namespace|fence|journal|citus)(\.|$)/
const NEEDS_SERVER = new Set(
  (
    'shared_buffers huge_pages wal_buffers max_files_per_process shared_preload_libraries archive_mode ' +
    'max_logical_replication_workers autovacuum_max_workers autovacuum_freeze_max_age unix_socket_directories ' +
    'logging_collector superuser_reserved_connections max_pred_locks_per_transaction track_activity_query_size ' +
    'event_source wal_decode_buffer_size shared_memory_type max_notify_queue_pages'
  ).split(' '),
)
const RELOADED = ['wal_keep_segments', 'wal_keep_size']

/** The effective value of each setting with its origin. Pure. */
export function explainSettings({ config, local, dynamic, dynamicOrigin }: ExplainRequest): ExplainedSetting[] {
  const { dir, size } = config.journal
  const known = mergePatch({ ...DEFAULTS, journal: { dir, size } }, { ...dynamic, ...config.document })
  return leaves(known, []).flatMap(({ path, value }) => {
    const key = path.join('.')
    if (DERIVED.test(key) || value === '') return []
    const isSecret = path.some((part) => SECRET.test(part))
    const origin = originOf(path, value, { local, dynamic, dynamicOrigin })
    return [{ key, value: isSecret ? '***' : printJson(value), origin, restart: restartFor(path) }]
  })
}

/** Keys of `bootstrap.dcs` that say something else than the store does: they count only when a cluster is made. */
export function bootstrapDifferences(local: JsonObject, stored: JsonObject): string[] {
  const bootstrap = isObject(local['bootstrap']) ? local['bootstrap']['dcs'] : undefined
  if (!isObject(bootstrap)) return []
  return leaves(bootstrap, []).flatMap(({ path, value }) => {
    const there = at(stored, path)
    if (there !== undefined && printJson(there) === printJson(value)) return []
    const shown = there === undefined ? 'nothing' : printJson(there)
    return [
      `bootstrap.dcs.${path.join('.')} is ${printJson(value)}, the store has ${shown}: only the store counts (edit-config)`,
    ]
  })
}

interface Leaf {
  readonly path: readonly string[]
  readonly value: Json
}

function leaves(value: Json, path: readonly string[]): Leaf[] {
  if (!isObject(value) || Object.keys(value).length === 0) return path.length === 0 ? [] : [{ path, value }]
  return Object.entries(value).flatMap(([key, one]) => leaves(one, [...path, key]))
}

function at(document: JsonObject, path: readonly string[]): Json | undefined {
  return path.reduce<Json | undefined>((value, key) => (isObject(value) ? value[key] : undefined), document)
}

function originOf(
  path: readonly string[],
  value: Json,
  { local, dynamic, dynamicOrigin }: Pick<ExplainRequest, 'local' | 'dynamic' | 'dynamicOrigin'>,
): string {
  const isLocal =
    at(local.document, path) !== undefined && printJson(at(local.document, path) ?? null) === printJson(value)
  const onlyDynamic = path[0] === 'postgresql' && path[1] === 'parameters' && isEnforced(path[2] ?? '')
  if (isLocal && !onlyDynamic) {
    const { file, line } = locate(local, path)
    return file === null ? 'the file' : line === null ? file : `${file}:${line}`
  }
  return at(dynamic, path) === undefined ? 'default' : dynamicOrigin
}

function restartFor(path: readonly string[]): ExplainedSetting['restart'] {
  const [section, key, name = ''] = path
  if (section === 'postgresql' && key === 'parameters')
    return (isEnforced(name) && !RELOADED.includes(name)) || NEEDS_SERVER.has(name) ? 'PostgreSQL' : null
  if (section === 'postgresql' && key === 'listen') return 'PostgreSQL'
  if (section === 'postgresql' && (key === 'data_dir' || key === 'bin_dir')) return 'agent'
  return NEEDS_AGENT.test(path.join('.')) ? 'agent' : null
}
