import type { Brand } from './brand.ts'
import { type Lsn, parseLsn } from './lsn.ts'

/** A timeline number: 1 for a new cluster, one more after each promotion. 0 stands for "unknown". */
export type Timeline = Brand<number, 'Timeline'>

export const UNKNOWN_TIMELINE = 0 as Timeline

export function timeline(n: number): Timeline {
  if (!Number.isInteger(n) || n < 0 || n > 0xffffffff) throw new RangeError(`not a timeline: ${n}`)
  return n as Timeline
}

/** @returns the timeline, or `null` for anything that is not a number from 1 to 2^32 - 1 (decimal text is read too). */
export function parseTimeline(value: unknown): Timeline | null {
  const n = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  return typeof n === 'number' && Number.isInteger(n) && n >= 1 && n <= 0xffffffff ? (n as Timeline) : null
}

/** A number so far ahead of our own timeline was never reached by promotions: somebody has put it there. */
const FAR_AHEAD = 10_000

/** The highest of these that a cluster on timeline `own` may have come to. */
export function highestCredible(own: Timeline, told: readonly (Timeline | null | undefined)[]): Timeline {
  return told.reduce<Timeline>((most, one) => (one && one > most && one - own <= FAR_AHEAD ? one : most), own)
}

/** So many numbers at most does a promotion pass over: nobody has more of them behind him, a number further away is wrong. */
export const MOST_PASSED_OVER = 1000

/** The first 8 hexadecimal digits of a WAL file name, or the name of a history file without its ending. */
export function timelineHex(t: Timeline): string {
  return t.toString(16).toUpperCase().padStart(8, '0')
}

/** One line of a `.history` file: `timeline` ended at `switchpoint`. */
export interface TimelineSwitch {
  readonly timeline: Timeline
  readonly switchpoint: Lsn
  readonly reason: string
}

/**
 * Reads the text of a timeline history file (PostgreSQL: "parentTLI <TAB> switchpoint <TAB> reason").
 * Lines that do not have exactly these three fields are passed over, as PostgreSQL passes over comments.
 */
export function parseTimelineHistory(text: string): TimelineSwitch[] {
  const switches: TimelineSwitch[] = []
  for (const line of text.split('\n')) {
    const [id, position, reason, ...more] = line.trim().split('\t')
    const parsedId = parseTimeline(id)
    const switchpoint = parseLsn(position)
    if (parsedId !== null && switchpoint !== null && reason !== undefined && more.length === 0)
      switches.push({ timeline: parsedId, switchpoint, reason })
  }
  return switches
}
