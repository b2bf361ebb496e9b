import { isObject, type Json, type JsonObject } from '../cluster/json.ts'
import { parseBool, parseInteger, textForm } from '../cluster/values.ts'

/** Server parameters that only the store sets (spec configuration.md 6.1): a default, and which values are accepted. */
interface Enforced {
  /** `null`: derived from other settings, never configured. */
  readonly fallback: Json
  readonly accepts: (value: Json) => boolean
  /** Not part of the defaults: what replaces it depends on the server's version. */
  readonly withoutDefault?: true
}

const never = (): boolean => false
const atLeast =
  (least: number, unit?: string) =>
  (value: Json): boolean =>
    (parseInteger(value, unit) ?? Number.NEGATIVE_INFINITY) >= least
const anyBoolean = (value: Json): boolean => parseBool(value) !== undefined
const walLevel = (value: Json): boolean => ['hot_standby', 'replica', 'logical'].includes(textForm(value).toLowerCase())

const ENFORCED: ReadonlyMap<string, Enforced> = new Map<string, Enforced>([
  ['listen_addresses', { fallback: null, accepts: never }],
  ['port', { fallback: null, accepts: never }],
  ['cluster_name', { fallback: null, accepts: never }],
  ['wal_level', { fallback: 'hot_standby', accepts: walLevel }],
  ['hot_standby', { fallback: 'on', accepts: (value) => parseBool(value) === true }],
  ['max_connections', { fallback: 100, accepts: atLeast(25) }],
  ['max_wal_senders', { fallback: 10, accepts: atLeast(3) }],
  ['wal_keep_segments', { fallback: 8, accepts: atLeast(1), withoutDefault: true }],
  ['wal_keep_size', { fallback: '128MB', accepts: atLeast(16, 'MB'), withoutDefault: true }],
  ['max_prepared_transactions', { fallback: 0, accepts: atLeast(0) }],
  ['max_locks_per_transaction', { fallback: 64, accepts: atLeast(32) }],
  ['track_commit_timestamp', { fallback: 'off', accepts: anyBoolean }],
  ['max_replication_slots', { fallback: 10, accepts: atLeast(4) }],
  ['max_worker_processes', { fallback: 8, accepts: atLeast(2) }],
  ['wal_log_hints', { fallback: 'on', accepts: anyBoolean }],
])

export function isEnforced(parameter: string): boolean {
  return ENFORCED.has(parameter.toLowerCase())
}

/** What is in force where nothing is configured. */
export const DEFAULT_PARAMETERS: JsonObject = Object.fromEntries(
  Array.from(ENFORCED)
    .filter(([, { fallback, withoutDefault }]) => fallback !== null && !withoutDefault)
    .map(([name, { fallback }]) => [name, fallback]),
)

/**
 * The parameters of the dynamic document with the enforced ones checked: an unacceptable value becomes the default,
 * whole numbers become numbers.
 */
export function checkedDynamicParameters(parameters: JsonObject): {
  readonly parameters: JsonObject
  readonly warnings: readonly string[]
} {
  const warnings: string[] = []
  const checked = Object.entries(parameters).flatMap(([name, value]): [string, Json][] => {
    const rule = ENFORCED.get(name.toLowerCase())
    if (!rule) return [[name, value]]
    if (rule.accepts(value)) return [[name, typeof value === 'boolean' ? value : (parseInteger(value) ?? value)]]
    const shown = `${name}=${textForm(value)}`
    warnings.push(`postgresql parameter ${shown} failed validation, defaulting to ${textForm(rule.fallback)}`)
    return rule.fallback === null ? [] : [[name, rule.fallback]]
  })
  return { parameters: Object.fromEntries(checked), warnings }
}

/** Puts parameters over others; names are the same in any case, the last spelling stays. */
export function overlayParameters(base: JsonObject, over: JsonObject): JsonObject {
  const spelled = new Map(Object.entries(base).map(([name, value]) => [name.toLowerCase(), [name, value] as const]))
  for (const [name, value] of Object.entries(over)) spelled.set(name.toLowerCase(), [name, value])
  return Object.fromEntries(spelled.values())
}

/** A parameter that is null counts as not set; a local null so hides a value from the store. */
export function withoutNulls(parameters: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== null))
}

/** @returns the mapping, an empty one for nothing, or `null` where it is anything else */
export function parametersMapping(value: Json | undefined): JsonObject | null {
  if (isObject(value)) return value
  const empty = value === undefined || value === null || value === '' || value === 0 || value === false
  return empty || (Array.isArray(value) && value.length === 0) ? {} : null
}
