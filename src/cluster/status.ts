import { isObject, type Json, type JsonObject, parseJson } from './json.ts'
import { type Lsn, parseLsn, ZERO_LSN } from './lsn.ts'
import type { StoredValue, Version } from './stored.ts'
import { parseTimeline, type Timeline } from './timeline.ts'

/** What the leader publishes about its WAL: the `status` key (spec dcs.md 2.7). */
export interface Status {
  readonly lastLsn: Lsn
  /** Slot name to position; `null` where none were published. */
  readonly slots: Readonly<Record<string, Lsn>> | null
  /** Names of slots to keep for members that are away, sorted. */
  readonly retainSlots: readonly string[]
  /**
   * The highest timeline that any leader has begun or was about to begin: written before each promotion, so that no two
   * promotions take the same number. Ours alone: others neither write nor read it.
   */
  readonly timeline?: Timeline
}

export interface StoredStatus extends Status {
  /** `null` when the key does not exist. Kept for malformed values too. */
  readonly version: Version | null
}

export const NO_STATUS: StoredStatus = { version: null, lastLsn: ZERO_LSN, slots: null, retainSlots: [] }

/** @param legacy text of the key `optime/leader`, consulted only where `status` is missing */
export function parseStatus(stored: StoredValue | undefined, legacy: string | undefined): StoredStatus {
  if (!stored) return legacy === undefined ? NO_STATUS : { ...NO_STATUS, lastLsn: parseLsn(legacy) ?? ZERO_LSN }
  const { version } = stored
  const parsed = parseJson(stored.text)
  if (typeof parsed === 'number') return { ...NO_STATUS, version, lastLsn: parseLsn(parsed) ?? ZERO_LSN }
  if (!isObject(parsed)) return { ...NO_STATUS, version }
  const timeline = parseTimeline(parsed['timeline'])
  return {
    version,
    lastLsn: parseLsn(parsed['optime']) ?? ZERO_LSN,
    slots: parseSlots(parsed['slots']),
    retainSlots: parseNames(parsed['retain_slots']),
    ...(timeline === null ? {} : { timeline }),
  }
}

/** Kubernetes keeps the two structures as JSON text inside strings. */
function unwrapped(value: Json | undefined): Json | undefined {
  return typeof value === 'string' ? parseJson(value) : value
}

function parseSlots(value: Json | undefined): Record<string, Lsn> | null {
  const slots = unwrapped(value)
  if (!isObject(slots)) return null
  const positions: Record<string, Lsn> = {}
  for (const [name, text] of Object.entries(slots)) {
    const position = parseLsn(text)
    if (position !== null) positions[name] = position
  }
  return positions
}

function parseNames(value: Json | undefined): string[] {
  const names = unwrapped(value)
  return Array.isArray(names) ? names.filter((name): name is string => typeof name === 'string') : []
}

export function printStatus(status: Status): JsonObject {
  return {
    optime: status.lastLsn,
    ...(status.slots && Object.keys(status.slots).length > 0 ? { slots: status.slots } : {}),
    ...(status.retainSlots.length > 0 ? { retain_slots: status.retainSlots } : {}),
    ...(status.timeline === undefined ? {} : { timeline: status.timeline }),
  }
}
