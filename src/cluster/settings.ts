import { isObject, type Json, type JsonObject } from './json.ts'
import { isTruthy, parseBool, parseInteger, textForm } from './values.ts'

export type SyncMode = 'off' | 'on' | 'quorum'

/** Where a standby cluster copies from: section `standby_cluster` of the dynamic configuration (spec ha.md 15.1). */
export interface StandbyCluster {
  readonly host: string | null
  readonly port: string | null
  readonly primarySlotName: string | null
  readonly createReplicaMethods: readonly string[]
  readonly restoreCommand: string | null
  readonly archiveCleanupCommand: string | null
  readonly recoveryMinApplyDelay: string | null
}

/** The cluster-wide settings that decisions use (spec ha.md 1.2, configuration.md 5.2), validated, in milliseconds and bytes. */
export interface ClusterSettings {
  readonly ttlMs: number
  readonly loopWaitMs: number
  readonly retryTimeoutMs: number
  readonly paused: boolean
  readonly maximumLagOnFailover: number
  /** Bytes; 0 or less: no limit. */
  readonly maximumLagOnSyncnode: number
  readonly checkTimeline: boolean
  readonly primaryStartTimeoutMs: number
  /** As configured; in force only when positive and synchronous mode is on: see `primaryStopLimitMs`. */
  readonly primaryStopTimeoutMs: number
  readonly primaryRaceBackoffMs: number
  /** What is configured. A standby cluster never is synchronous: see `syncMode`. */
  readonly synchronousMode: SyncMode
  readonly synchronousModeStrict: boolean
  readonly synchronousNodeCount: number
  readonly failsafeMode: boolean
  readonly maxTimelinesHistory: number
  readonly memberSlotsTtlMs: number
  readonly standbyCluster: StandbyCluster | null
  readonly useSlots: boolean
  /** Permanent slots, name to attributes, as written. */
  readonly permanentSlots: JsonObject
  readonly ignoreSlots: readonly JsonObject[]
}

export interface Timing {
  readonly ttl: number
  readonly loopWait: number
  readonly retryTimeout: number
}

export const DEFAULT_TIMING: Timing = { ttl: 30, loopWait: 10, retryTimeout: 10 }
export const MINIMUM_TIMING: Timing = { ttl: 20, loopWait: 1, retryTimeout: 3 }
/** With the lease guard a short lease is safe: what it saves is the time until another member may take over. */
export const MINIMUM_GUARDED_TIMING: Timing = { ttl: 5, loopWait: 1, retryTimeout: 1 }

/**
 * The three timings in seconds, adjusted to the rule loop_wait + 2 * retry_timeout <= ttl, with the warnings that
 * explain each change (spec configuration.md 5.3).
 * @returns `undefined` timing where one of them is not a whole number: such a document is rejected
 */
export function adjustedTiming(
  document: JsonObject,
  minimum: Timing = MINIMUM_TIMING,
): { readonly timing: Timing | undefined; readonly warnings: readonly string[] } {
  const warnings: string[] = []
  const given = (key: string, fallback: number): number | undefined =>
    key in document ? wholeNumber(document[key]) : fallback
  const raised = (key: string, value: number, least: number): number => {
    if (value >= least) return value
    warnings.push(`${key}=${value} can't be smaller than ${least}, adjusting...`)
    return least
  }
  const ttlGiven = given('ttl', DEFAULT_TIMING.ttl)
  const loopGiven = given('loop_wait', DEFAULT_TIMING.loopWait)
  const retryGiven = given('retry_timeout', DEFAULT_TIMING.retryTimeout)
  if (ttlGiven === undefined || loopGiven === undefined || retryGiven === undefined)
    return { timing: undefined, warnings }
  let loopWait = raised('loop_wait', loopGiven, minimum.loopWait)
  let retryTimeout = raised('retry_timeout', retryGiven, minimum.retryTimeout)
  const ttl = raised('ttl', ttlGiven, minimum.ttl)
  const rule = `Violated the rule "loop_wait + 2*retry_timeout <= ttl", where ttl=${ttl}`
  if (1 + 2 * retryTimeout > ttl) {
    const retry = Math.floor((ttl - 1) / 2)
    warnings.push(
      `${rule}. Adjusting loop_wait from ${loopWait} to 1 and retry_timeout from ${retryTimeout} to ${retry}`,
    )
    loopWait = 1
    retryTimeout = retry
  } else if (loopWait + 2 * retryTimeout > ttl) {
    const loop = ttl - 2 * retryTimeout
    warnings.push(`${rule} and retry_timeout=${retryTimeout}. Adjusting loop_wait from ${loopWait} to ${loop}`)
    loopWait = loop
  }
  return { timing: { ttl, loopWait, retryTimeout }, warnings }
}

/** 68 years. No lease is longer, and no store takes one. */
const SECONDS_MAX = 2 ** 31 - 1

/** Python's int(): whole numbers and their decimal text; a fraction is cut. */
function wholeNumber(value: Json | undefined): number | undefined {
  if (typeof value === 'boolean') return value ? 1 : 0
  const isText = typeof value === 'string' && /^\s*[-+]?\d+\s*$/.test(value)
  const number = isText ? Number(value) : typeof value === 'number' ? Math.trunc(value) : Number.NaN
  return Math.abs(number) <= SECONDS_MAX ? number : undefined
}

/**
 * Reads the settings out of the dynamic configuration document. A value that cannot be read is as if it were not
 * set: one bad key never stops a cluster.
 * @param timing the adjusted timing in force; a rejected document keeps the previous one
 */
export function clusterSettings(document: JsonObject, timing: Timing): ClusterSettings {
  const integer = (key: string, fallback: number): number => parseInteger(document[key]) ?? fallback
  const flag = (key: string): boolean => parseBool(document[key]) ?? false
  const renamed = (key: string, oldKey: string, fallback: number): number =>
    integer(key in document ? key : oldKey, fallback)
  const postgresql = document['postgresql']
  const useSlots = isObject(postgresql) ? parseBool(postgresql['use_slots']) : undefined
  return {
    ttlMs: timing.ttl * 1000,
    loopWaitMs: timing.loopWait * 1000,
    retryTimeoutMs: timing.retryTimeout * 1000,
    paused: flag('pause'),
    maximumLagOnFailover: integer('maximum_lag_on_failover', 1048576),
    maximumLagOnSyncnode: integer('maximum_lag_on_syncnode', -1),
    checkTimeline: flag('check_timeline'),
    primaryStartTimeoutMs: renamed('primary_start_timeout', 'master_start_timeout', 300) * 1000,
    primaryStopTimeoutMs: renamed('primary_stop_timeout', 'master_stop_timeout', 0) * 1000,
    primaryRaceBackoffMs: integer('primary_race_backoff', 0) * 1000,
    synchronousMode: parseSyncMode(document['synchronous_mode']),
    synchronousModeStrict: flag('synchronous_mode_strict'),
    synchronousNodeCount: integer('synchronous_node_count', 1),
    failsafeMode: flag('failsafe_mode'),
    maxTimelinesHistory: integer('max_timelines_history', 0),
    memberSlotsTtlMs: (parseInteger(document['member_slots_ttl'], 's') ?? 1800) * 1000,
    standbyCluster: parseStandbyCluster(document['standby_cluster']),
    useSlots: useSlots ?? true,
    permanentSlots: permanentSlots(document),
    ignoreSlots: Array.isArray(document['ignore_slots']) ? document['ignore_slots'].filter(isObject) : [],
  }
}

function parseSyncMode(value: Json | undefined): SyncMode {
  if (textForm(value).toLowerCase() === 'quorum') return 'quorum'
  return parseBool(value) ? 'on' : 'off'
}

function permanentSlots(document: JsonObject): JsonObject {
  for (const key of ['permanent_replication_slots', 'permanent_slots', 'slots']) {
    const slots = document[key]
    if (isObject(slots) && isTruthy(slots)) return slots
  }
  return {}
}

export function parseStandbyCluster(value: Json | undefined): StandbyCluster | null {
  if (!isObject(value)) return null
  if (!['host', 'port', 'restore_command'].some((key) => isTruthy(value[key]))) return null
  const text = (key: string): string | null => (isTruthy(value[key]) ? textForm(value[key]) : null)
  const methods = value['create_replica_methods']
  return {
    host: text('host'),
    port: text('port'),
    primarySlotName: text('primary_slot_name'),
    createReplicaMethods: Array.isArray(methods) ? methods.map(textForm) : [],
    restoreCommand: text('restore_command'),
    archiveCleanupCommand: text('archive_cleanup_command'),
    recoveryMinApplyDelay: text('recovery_min_apply_delay'),
  }
}

/** Synchronous mode as it is in force: never in a standby cluster. */
export function syncMode(settings: ClusterSettings): SyncMode {
  return settings.standbyCluster ? 'off' : settings.synchronousMode
}

/** At least so many synchronous standbys, or commits wait: 1 in strict mode. */
export function minimumSync(settings: ClusterSettings): number {
  return settings.synchronousModeStrict ? 1 : 0
}

export function wantedSync(settings: ClusterSettings): number {
  return Math.max(settings.synchronousNodeCount, minimumSync(settings))
}

/** How long a primary may take to stop; `null`: as long as it needs. */
export function primaryStopLimitMs(settings: ClusterSettings): number | null {
  return settings.primaryStopTimeoutMs > 0 && syncMode(settings) !== 'off' ? settings.primaryStopTimeoutMs : null
}
