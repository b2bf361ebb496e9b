import { isObject, type Json, type JsonObject } from '../cluster/json.ts'
import { adjustedTiming, DEFAULT_TIMING, type Timing } from '../cluster/settings.ts'
import { isTruthy, shortForm, textForm } from '../cluster/values.ts'
import { checkedDynamicParameters, parametersMapping } from './enforced-parameters.ts'

/** The part of the dynamic document that becomes effective configuration (spec configuration.md 2.3, step 2). */
export type DynamicOutcome =
  | {
      readonly kind: 'accepted'
      /** As given, with the timings that had to be adjusted: what is cached and restored. */
      readonly document: JsonObject
      readonly timing: Timing
      /** Known keys of `standby_cluster`. */
      readonly standbyCluster: JsonObject
      /** Section `postgresql` without local-only keys, enforced parameters checked. */
      readonly postgresql: JsonObject
      readonly warnings: readonly string[]
    }
  /** Nothing of it becomes effective (5.4). */
  | { readonly kind: 'rejected'; readonly reason: string }

const LOCAL_ONLY = ['connect_address', 'proxy_address', 'listen', 'config_dir', 'data_dir', 'pgpass', 'authentication']

export const STANDBY_CLUSTER_KEYS = [
  'create_replica_methods',
  'host',
  'port',
  'primary_slot_name',
  'restore_command',
  'recovery_min_apply_delay',
  'archive_cleanup_command',
] as const

/** Understands a dynamic document: adjusts its timings, checks enforced parameters, or rejects it as a whole. */
export function readDynamic(document: JsonObject, minimum: Timing): DynamicOutcome {
  const { timing, warnings } = adjustedTiming(document, minimum)
  if (!timing) return { kind: 'rejected', reason: timingReason(document) }
  const section = document['postgresql'] ?? null
  if (isTruthy(section) && !isObject(section)) return { kind: 'rejected', reason: 'postgresql is not a dictionary' }
  const postgresql = isObject(section) ? section : {}
  const parameters = parametersMapping(postgresql['parameters'])
  if (!parameters) return { kind: 'rejected', reason: 'postgresql.parameters is not a dictionary' }
  const standby = document['standby_cluster'] ?? null
  if (isTruthy(standby) && !isObject(standby))
    return { kind: 'rejected', reason: 'standby_cluster is not a dictionary' }
  const checked = checkedDynamicParameters(parameters)
  return {
    kind: 'accepted',
    document: withTiming(document, timing),
    timing,
    standbyCluster: only(isObject(standby) ? standby : {}, STANDBY_CLUSTER_KEYS),
    postgresql: { ...without(postgresql, LOCAL_ONLY), parameters: checked.parameters },
    warnings: [...warnings, ...checked.warnings],
  }
}

const TIMING_KEYS = { ttl: 'ttl', loop_wait: 'loopWait', retry_timeout: 'retryTimeout' } as const

/** Stores adjusted timings; values that mean the same stay as they are written. */
function withTiming(document: JsonObject, timing: Timing): JsonObject {
  const adjusted = Object.entries(TIMING_KEYS).flatMap(([key, field]) => {
    const given: Json = document[key] ?? DEFAULT_TIMING[field]
    return textForm(given) === String(timing[field]) ? [] : [[key, timing[field]] as const]
  })
  return adjusted.length === 0 ? document : { ...document, ...Object.fromEntries(adjusted) }
}

function timingReason(document: JsonObject): string {
  const wrong = Object.keys(TIMING_KEYS).filter((key) => {
    return key in document && adjustedTiming({ [key]: document[key] ?? null }).timing === undefined
  })
  const shown = wrong.map((key) => `${key}=${shortForm(document[key])}`)
  return `${shown.join(', ')}: a whole number of seconds is expected`
}

function only(document: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(document).filter(([key]) => keys.includes(key)))
}

function without(document: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(document).filter(([key]) => !keys.includes(key)))
}
