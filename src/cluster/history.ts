import { type Json, parseJson } from './json.ts'
import { type Lsn, parseLsn } from './lsn.ts'
import type { StoredValue, Version } from './stored.ts'
import {
  MOST_PASSED_OVER,
  parseTimeline,
  type Timeline,
  type TimelineSwitch,
  timeline,
  UNKNOWN_TIMELINE,
} from './timeline.ts'

/** One finished timeline in the `history` key. Time and leader are missing in records of old agents. */
export interface HistoryRecord {
  readonly timeline: Timeline
  readonly lsn: Lsn
  readonly reason: string
  readonly at: string | null
  readonly leader: string | null
}

/** The `history` key (spec dcs.md 2.8). */
export interface History {
  readonly version: Version
  /** `null` where the value is not a JSON list. */
  readonly records: readonly HistoryRecord[] | null
  /** Everything in it could be read. */
  readonly whole: boolean
}

export function parseHistory(stored: StoredValue | undefined): History | null {
  if (!stored) return null
  const parsed = parseJson(stored.text)
  if (!Array.isArray(parsed)) return { version: stored.version, records: null, whole: false }
  const records = (parsed as readonly Json[]).map(parseRecord)
  const understood = records.filter((record) => record !== null)
  return { version: stored.version, records: understood, whole: understood.length === records.length }
}

function parseRecord(value: Json): HistoryRecord | null {
  if (!Array.isArray(value)) return null
  const [id, position, reason, at, leader] = value as readonly Json[]
  const parsedId = parseTimeline(id)
  const lsn = parseLsn(position)
  if (parsedId === null || lsn === null) return null
  const text = (one: Json | undefined): string | null => (typeof one === 'string' ? one : null)
  return { timeline: parsedId, lsn, reason: text(reason) ?? '', at: text(at), leader: text(leader) }
}

export function printHistory(records: readonly HistoryRecord[]): Json {
  return records.map((record) => {
    const fields: Json[] = [record.timeline, record.lsn, record.reason]
    if (record.at !== null) fields.push(record.at)
    if (record.at !== null && record.leader !== null) fields.push(record.leader)
    return fields
  })
}

/** The timeline the cluster is on by its history: last finished one + 1; 1 for an empty list; 0 where nothing is known (spec ha.md 1.3). */
export function clusterTimeline(history: History | null): Timeline {
  if (!history?.records) return UNKNOWN_TIMELINE
  const last = history.records.at(-1)
  return timeline(last ? last.timeline + 1 : 1)
}

const PASSED_OVER = 'passed over, the number may be in use elsewhere'

/**
 * The switches of a timeline with the numbers that were passed over on the way to it, as timelines that ended where they
 * began. Without them nobody could tell the history of timeline 3, begun on 1, from that of timeline 2, and whoever really is
 * on 2 would be taken for a member of the cluster's own timeline.
 */
export function withPassedOver(switches: readonly TimelineSwitch[], current: Timeline): readonly TimelineSwitch[] {
  return switches.flatMap((one, i) => {
    const count = (switches[i + 1]?.timeline ?? current) - one.timeline - 1
    if (count <= 0 || count > MOST_PASSED_OVER) return [one]
    const passed = Array.from({ length: count }, (_, k) => timeline(one.timeline + 1 + k))
    return [one, ...passed.map((number) => ({ timeline: number, switchpoint: one.switchpoint, reason: PASSED_OVER }))]
  })
}

/**
 * Up to where the WAL of a server on `own` that ends at `position` can be that of the cluster: not beyond the end of a
 * timeline that the cluster has left. One that the history does not name began on one before it.
 * @param cameBy how the server came to its timeline; `null`: not known. Where it left a timeline the cluster may have gone on
 */
export function sharedWalEnd(
  history: History | null,
  own: Timeline,
  position: Lsn,
  cameBy: readonly TimelineSwitch[] | null = null,
): Lsn {
  const records = history?.records ?? []
  const ends = (cameBy ?? []).flatMap((switched) => {
    const left = records.find((record) => record.timeline === switched.timeline)
    return left && left.lsn !== switched.switchpoint ? [left.lsn, switched.switchpoint] : []
  })
  if (own !== UNKNOWN_TIMELINE && own < clusterTimeline(history)) {
    const left = records.findLast((record) => record.timeline <= own) ?? records[0]
    if (left) ends.push(left.lsn)
  }
  return ends.reduce((least, end) => (end < least ? end : least), position)
}
