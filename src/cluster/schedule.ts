import type { Json } from './json.ts'
import { epochMs, localDate, parseTimestamp, type Timestamp } from './timestamp.ts'

/** What can be put off to a given time; the word stands in the texts. */
export type Schedulable = 'switchover' | 'restart'

export type ScheduleCheck =
  | { readonly kind: 'at'; readonly at: Timestamp }
  | { readonly kind: 'refused'; readonly status: 400 | 422; readonly text: string }

/**
 * Whether a time is one for which something may be planned: readable, with a zone, not in the past (spec rest-api.md
 * 11.1 and 13.1 row 5, with the texts that clients know).
 */
export function checkSchedule(value: Json, what: Schedulable, nowWallMs: number): ScheduleCheck {
  const at = typeof value === 'string' ? parseTimestamp(value, localDate(nowWallMs)) : null
  if (!at) {
    const text = 'Unable to parse scheduled timestamp. It should be in an unambiguous format, e.g. ISO 8601'
    return { kind: 'refused', status: 422, text }
  }
  const dueMs = epochMs(at)
  if (dueMs === null)
    return { kind: 'refused', status: 400, text: `Timezone information is mandatory for the scheduled ${what}` }
  return dueMs < nowWallMs
    ? { kind: 'refused', status: 422, text: `Cannot schedule ${what} in the past` }
    : { kind: 'at', at }
}
