import { isObject, type Json, type JsonObject } from '../../cluster/json.ts'
import type { CycleRecord, TimedEntry } from '../../ports/journal.ts'

/** What one member's journal holds. */
export interface MemberJournal {
  readonly member: string
  readonly records: readonly CycleRecord[]
}

/** One thing that happened somewhere, in the order of the clocks of the members. */
export interface JournalEvent {
  readonly at: number
  readonly member: string
  /** `result`: how a cycle ended; `what` is the rule, the detail holds the line of the log. */
  readonly kind: TimedEntry['kind'] | 'result'
  readonly what: string
  readonly detail: JsonObject
}

/** Everything that members wrote down, merged. Results that are as the one before are left out. */
export function mergedEvents(journals: readonly MemberJournal[]): readonly JournalEvent[] {
  return journals.flatMap(eventsOf).sort((one, other) => one.at - other.at)
}

function eventsOf({ member, records }: MemberJournal): JournalEvent[] {
  let rule = ''
  return records.flatMap((record) => {
    const steps = record.entries.map(({ at, kind, what, detail: given }): JournalEvent => {
      const detail = isObject(given) ? given : {}
      // What was found out later is told where it belongs.
      return { at: numberOf(detail['at']) ?? at, member, kind, what, detail }
    })
    const isNews = record.rule !== rule
    rule = record.rule
    const { text, tookMs, times, until } = record
    const detail: JsonObject = { text, tookMs, times, until }
    return isNews ? [...steps, { at: record.at, member, kind: 'result', what: record.rule, detail }] : steps
  })
}

export function textOf(value: Json | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

export function numberOf(value: Json | undefined): number | null {
  return typeof value === 'number' ? value : null
}
