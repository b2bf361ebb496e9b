import { isObject, type Json, parseJson } from '../cluster/json.ts'
import type { CycleRecord, TimedEntry } from '../ports/journal.ts'

const KINDS: readonly TimedEntry['kind'][] = ['saw', 'asked', 'considered', 'decided', 'did']

/** Reads records line by line; a line that was cut off by a crash is passed over, of several with one number the last counts. */
export function parseRecords(text: string): CycleRecord[] {
  const records = new Map<number, CycleRecord>()
  for (const line of text.split('\n')) {
    const record = line === '' ? null : parseRecord(parseJson(line))
    if (record) records.set(record.number, record)
  }
  return [...records.values()]
}

export function parseRecord(value: Json | undefined): CycleRecord | null {
  if (!isObject(value)) return null
  const { number, at, until, times, rule, text, tookMs, entries } = value
  if (typeof number !== 'number' || typeof at !== 'number' || typeof rule !== 'string') return null
  return {
    number,
    at,
    until: typeof until === 'number' ? until : at,
    times: typeof times === 'number' ? times : 1,
    rule,
    text: typeof text === 'string' ? text : '',
    tookMs: typeof tookMs === 'number' ? tookMs : 0,
    entries: Array.isArray(entries) ? (entries as readonly Json[]).flatMap(parseEntry) : [],
  }
}

function parseEntry(value: Json): TimedEntry[] {
  if (!isObject(value)) return []
  const { at, what, detail } = value
  const kind = KINDS.find((known) => known === value['kind'])
  if (!kind || typeof at !== 'number' || typeof what !== 'string') return []
  return [{ at, kind, what, ...(detail === undefined ? {} : { detail }) }]
}
