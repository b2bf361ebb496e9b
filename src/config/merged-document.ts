import { isObject, type Json, type JsonObject } from '../cluster/json.ts'
import { isTruthy } from '../cluster/values.ts'
import type { DynamicOutcome } from './dynamic.ts'
import { STANDBY_CLUSTER_KEYS } from './dynamic.ts'
import {
  DEFAULT_PARAMETERS,
  isEnforced,
  overlayParameters,
  parametersMapping,
  withoutNulls,
} from './enforced-parameters.ts'

export type AcceptedDynamic = Extract<DynamicOutcome, { kind: 'accepted' }>

const DYNAMIC_ONLY = ['ttl', 'loop_wait', 'retry_timeout', 'standby_cluster']

/** Keys that libpq is given for a user; others in `authentication` are dropped (spec configuration.md 14.1). */
const USER_KEYS = [
  'username',
  'password',
  'sslmode',
  'sslcert',
  'sslkey',
  'sslpassword',
  'sslrootcert',
  'sslcrl',
  'sslcrldir',
  'gssencmode',
  'channel_binding',
  'sslnegotiation',
]

/**
 * The effective configuration as one tree (spec configuration.md 2.3): defaults, over them the dynamic document, over
 * that the local configuration, then what is derived. `postgresql.parameters` of `local` must be a mapping or nothing.
 */
export function mergedDocument(local: JsonObject, dynamic: AcceptedDynamic): JsonObject {
  const { timing } = dynamic
  const base: JsonObject = {
    ttl: timing.ttl,
    loop_wait: timing.loopWait,
    retry_timeout: timing.retryTimeout,
    standby_cluster: { ...Object.fromEntries(STANDBY_CLUSTER_KEYS.map((key) => [key, ''])), ...dynamic.standbyCluster },
  }
  const overlay = Object.entries(local).flatMap(([key, value]): [string, Json][] => {
    if (DYNAMIC_ONLY.includes(key) || key === 'postgresql') return []
    if (key === 'citus') return validCitus(value) ? [[key, value]] : []
    return [[key, isTruthy(value) ? value : {}]]
  })
  const merged: JsonObject = { ...base, ...Object.fromEntries(overlay) }
  const withCitus = validCitus(merged['citus']) ? quorumByDefault(merged) : merged
  const section = isObject(local['postgresql']) ? local['postgresql'] : {}
  return { ...withCitus, postgresql: postgresqlSection(section, dynamic.postgresql, withCitus) }
}

function postgresqlSection(local: JsonObject, dynamic: JsonObject, document: JsonObject): JsonObject {
  const dynamicParameters = parametersMapping(dynamic['parameters']) ?? {}
  const localParameters = Object.entries(parametersMapping(local['parameters']) ?? {})
  const free = Object.fromEntries(localParameters.filter(([name]) => !isEnforced(name)))
  const parameters = overlayParameters(overlayParameters(DEFAULT_PARAMETERS, dynamicParameters), free)
  const { use_slots: _, ...rest } = local
  const authentication = local['authentication']
  const copied = ['name', 'scope', 'retry_timeout', 'citus'].filter((key) => key in document)
  return {
    use_slots: true,
    ...dynamic,
    ...rest,
    parameters: withoutNulls(parameters),
    ...(isObject(authentication) ? { authentication: knownUserKeys(authentication) } : {}),
    ...Object.fromEntries(copied.map((key) => [key, document[key] ?? null])),
  }
}

function knownUserKeys(authentication: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(authentication).map(([user, keys]) => [
      user,
      isObject(keys) ? Object.fromEntries(Object.entries(keys).filter(([key]) => USER_KEYS.includes(key))) : keys,
    ]),
  )
}

/** A section that has an integer `group` and a text `database`; any other is dropped. */
export function validCitus(value: Json | undefined): value is JsonObject {
  return isObject(value) && Number.isInteger(value['group']) && typeof value['database'] === 'string'
}

/** A Citus cluster that is initialized here replicates by quorum unless told otherwise. */
function quorumByDefault(document: JsonObject): JsonObject {
  const bootstrap = document['bootstrap']
  if (!isObject(bootstrap)) return document
  const dcs = isObject(bootstrap['dcs']) ? bootstrap['dcs'] : {}
  if ('synchronous_mode' in dcs) return document
  return { ...document, bootstrap: { ...bootstrap, dcs: { ...dcs, synchronous_mode: 'quorum' } } }
}
