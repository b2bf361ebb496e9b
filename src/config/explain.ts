import { isObject, type Json, type JsonObject, printJson } from '../cluster/json.ts'
import { isEnforced } from './enforced-parameters.ts'
import { DYNAMIC, KEYS } from './keys/all.ts'
import type { Change } from './keys/key.ts'
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

const SECRET = /^(password|keyfile_password|key_password|token|sslpassword|auth|auth_data)$/
/** Copies inside the section that only the agent reads. */
const DERIVED = /^postgresql\.(name|scope|retry_timeout|citus)(\.|$)/
const NEEDS_SERVER = new Set(
  (
    'shared_buffers huge_pages wal_buffers max_files_per_process shared_preload_libraries archive_mode ' +
    'max_logical_replication_workers autovacuum_max_workers autovacuum_freeze_max_age unix_socket_directories ' +
    'logging_collector superuser_reserved_connections max_pred_locks_per_transaction track_activity_query_size ' +
    'event_source wal_decode_buffer_size shared_memory_type max_notify_queue_pages'
  ).split(' '),
)

/** The effective value of each setting with its origin. Pure. */
export function explainSettings({ config, local, dynamic, dynamicOrigin }: ExplainRequest): ExplainedSetting[] {
  const { dir, size } = config.journal
  const defaults = mergePatch(defaultsOf({ ...dynamic, ...config.document }), { journal: { dir, size } })
  const known = mergePatch(defaults, { ...dynamic, ...config.document })
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

/** Sections that are in force whether they are written or not. */
const ALWAYS = ['log', 'restapi', 'ctl', 'postgresql', 'watchdog', 'fence', 'journal', 'tags', 'bootstrap']

/** What is in force where nothing is written; what else is, is in the effective document itself. */
function defaultsOf(document: JsonObject): JsonObject {
  return KEYS.reduce<JsonObject>((known, { path, default: value }) => {
    const [first = '', ...names] = path.replace(`${DYNAMIC}.`, '').split('.')
    const isDynamic = path.startsWith(`${DYNAMIC}.`)
    const counts = names.length === 0 || first in document || (ALWAYS.includes(first) && first !== 'bootstrap')
    // Enforced parameters have theirs by the server's version, in the document.
    const isWithoutEffect =
      path.includes('<') || names[0] === 'parameters' || (isDynamic && first === 'standby_cluster')
    if (value === undefined || isWithoutEffect || !counts) return known
    return mergePatch(known, nested([first, ...names], value))
  }, {})
}

function nested(path: readonly string[], value: Json): JsonObject {
  const [key = '', ...rest] = path
  return { [key]: rest.length === 0 ? value : nested(rest, value) }
}

const CHANGES: ReadonlyMap<string, Change> = new Map(KEYS.map(({ path, change }) => [path, change]))

function restartFor(path: readonly string[]): ExplainedSetting['restart'] {
  if (path[0] === 'postgresql' && path[1] === 'parameters' && NEEDS_SERVER.has(path[2] ?? '')) return 'PostgreSQL'
  const prefixes = path.map((_, i) => path.slice(0, path.length - i).join('.'))
  const known = [...prefixes.map((key) => `${DYNAMIC}.${key}`), ...prefixes].find((key) => CHANGES.has(key))
  const change = known === undefined ? undefined : CHANGES.get(known)
  return change === 'agent' || change === 'PostgreSQL' ? change : null
}
