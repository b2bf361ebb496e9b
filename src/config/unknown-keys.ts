import { isObject, type JsonObject } from '../cluster/json.ts'
import { isEnforced } from './enforced-parameters.ts'
import { DYNAMIC, keysBelow } from './keys/all.ts'
import { validCitus } from './merged-document.ts'
import type { Finding } from './section.ts'
import { STORE_KINDS } from './section-store.ts'

const TOP_LEVEL = keysBelow('')
const DYNAMIC_ONLY = new Set([...keysBelow(DYNAMIC)].filter((key) => key !== 'postgresql'))

/** Sections that have a closed set of keys (spec configuration.md 3). */
const CLOSED = [
  'log',
  'restapi',
  'restapi.authentication',
  'ctl',
  'ctl.authentication',
  'watchdog',
  'fence',
  'journal',
  'citus',
  ...STORE_KINDS,
  'postgresql.authentication',
  'postgresql.authentication.superuser',
  'postgresql.authentication.replication',
  'postgresql.authentication.rewind',
  'postgresql.callbacks',
]

/** Keys of `postgresql` besides the names of replica methods, which have mappings; the last ones are older or copied in. */
const POSTGRESQL = new Set([
  ...keysBelow('postgresql'),
  'name',
  'scope',
  'retry_timeout',
  'citus',
  'replication',
  'superuser',
  'pg_rewind',
])

/** Whether a key at the top of the dynamic configuration means anything to a member. */
export function isKnownDynamicKey(key: string): boolean {
  return DYNAMIC_ONLY.has(key) || TOP_LEVEL.has(key)
}

/**
 * Keys of the local configuration that have no effect: misspelled ones, and those that count only in the dynamic
 * configuration (spec configuration.md 2.3, 16 W21). Such keys are kept; they are told so that a typing error is seen.
 */
export function unknownKeys(document: JsonObject): Finding[] {
  return [...topLevel(document), ...closedSections(document), ...citus(document), ...postgresql(document)]
}

function topLevel(document: JsonObject): Finding[] {
  return Object.keys(document).flatMap((key) => {
    if (TOP_LEVEL.has(key)) return []
    if (DYNAMIC_ONLY.has(key)) return [finding([key], ONLY_DYNAMIC)]
    return [finding([key], UNKNOWN)]
  })
}

function closedSections(document: JsonObject): Finding[] {
  return CLOSED.flatMap((dotted) => {
    const known = keysBelow(dotted)
    const path = dotted.split('.')
    const section = path.reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), document)
    if (!isObject(section)) return []
    return Object.keys(section)
      .filter((key) => !known.has(key))
      .map((key) => finding([...path, key], UNKNOWN))
  })
}

function citus(document: JsonObject): Finding[] {
  if (!('citus' in document) || validCitus(document['citus'])) return []
  return [finding(['citus'], 'is ignored: it needs an integer group and a string database')]
}

function postgresql(document: JsonObject): Finding[] {
  const section = document['postgresql']
  if (!isObject(section)) return []
  const parameters = section['parameters']
  const enforced = isObject(parameters) ? Object.keys(parameters).filter(isEnforced) : []
  const unknown = Object.entries(section).filter(([key, value]) => !POSTGRESQL.has(key) && !isObject(value))
  return [
    ...unknown.map(([key]) => finding(['postgresql', key], UNKNOWN)),
    ...('use_slots' in section ? [finding(['postgresql', 'use_slots'], ONLY_DYNAMIC)] : []),
    ...enforced.map((name) => finding(['postgresql', 'parameters', name], ONLY_DYNAMIC)),
  ]
}

const UNKNOWN = 'unknown key, it has no effect'
const ONLY_DYNAMIC = 'has no effect here: it counts only in the dynamic configuration (edit-config)'

function finding(path: readonly string[], message: string): Finding {
  return { severity: 'warning', path, message }
}
