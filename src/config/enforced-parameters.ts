import { isObject, type Json, type JsonObject } from '../cluster/json.ts'
import { parseBool, parseInteger, shortForm, textForm } from '../cluster/values.ts'

/**
 * A server parameter that must be alike in the whole cluster (spec configuration.md 6.1, postgres.md 2.3). It comes from
 * the store alone and is given on the command line, so that neither a file nor ALTER SYSTEM changes it on one member.
 */
interface Enforced {
  /** `null`: derived from other settings, never configured. */
  readonly fallback: Json
  readonly accepts: (value: Json) => boolean
  /** The version of PostgreSQL that has it, as `server_version_num`. */
  readonly since: number
  /** PostgreSQL calls it different things in different versions: it is only written into the file, and has no default here. */
  readonly fileOnly?: true
}

const never = (): boolean => false
const atLeast =
  (least: number, unit?: string) =>
  (value: Json): boolean =>
    (parseInteger(value, unit) ?? Number.NEGATIVE_INFINITY) >= least
const anyBoolean = (value: Json): boolean => parseBool(value) !== undefined
const walLevel = (value: Json): boolean => ['hot_standby', 'replica', 'logical'].includes(textForm(value).toLowerCase())

/** In the order of the command line. */
const ENFORCED: ReadonlyMap<string, Enforced> = new Map<string, Enforced>([
  ['listen_addresses', { fallback: null, accepts: never, since: 90100 }],
  ['port', { fallback: null, accepts: never, since: 90100 }],
  ['cluster_name', { fallback: null, accepts: never, since: 90500 }],
  ['wal_level', { fallback: 'hot_standby', accepts: walLevel, since: 90100 }],
  ['hot_standby', { fallback: 'on', accepts: (value) => parseBool(value) === true, since: 90100 }],
  ['max_connections', { fallback: 100, accepts: atLeast(25), since: 90100 }],
  ['max_wal_senders', { fallback: 10, accepts: atLeast(3), since: 90100 }],
  ['wal_keep_segments', { fallback: 8, accepts: atLeast(1), since: 90100, fileOnly: true }],
  ['wal_keep_size', { fallback: '128MB', accepts: atLeast(16, 'MB'), since: 130000, fileOnly: true }],
  ['max_prepared_transactions', { fallback: 0, accepts: atLeast(0), since: 90100 }],
  ['max_locks_per_transaction', { fallback: 64, accepts: atLeast(32), since: 90100 }],
  ['track_commit_timestamp', { fallback: 'off', accepts: anyBoolean, since: 90500 }],
  ['max_replication_slots', { fallback: 10, accepts: atLeast(4), since: 90400 }],
  ['max_worker_processes', { fallback: 8, accepts: atLeast(2), since: 90400 }],
  ['wal_log_hints', { fallback: 'on', accepts: anyBoolean, since: 90400 }],
])

export function isEnforced(parameter: string): boolean {
  return ENFORCED.has(parameter.toLowerCase())
}

/** Their names, in the order of the command line. */
export const ENFORCED_PARAMETERS: readonly string[] = [...ENFORCED.keys()]

/** Those that the command line gives to the postmaster. */
export const COMMAND_LINE_PARAMETERS = ENFORCED_PARAMETERS.filter((name) => !ENFORCED.get(name)?.fileOnly)

/** Derived from other settings: neither configured, nor taken from a running server when it is adopted. */
export const DERIVED_PARAMETERS = ENFORCED_PARAMETERS.filter((name) => ENFORCED.get(name)?.fallback === null)

/** @param version as `server_version_num`, of which only the major part counts */
export function unknownEnforced(version: number): readonly string[] {
  return ENFORCED_PARAMETERS.filter((name) => (ENFORCED.get(name)?.since ?? 0) > version)
}

/** `null` for one that is derived. */
export function enforcedDefault(name: string): Json {
  return ENFORCED.get(name)?.fallback ?? null
}

/** What is in force where nothing is configured. */
export const DEFAULT_PARAMETERS: JsonObject = Object.fromEntries(
  Array.from(ENFORCED)
    .filter(([, { fallback, fileOnly }]) => fallback !== null && !fileOnly)
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
    const shown = `${name}=${shortForm(value)}`
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
