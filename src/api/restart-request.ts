import type { Json, JsonObject } from '../cluster/json.ts'
import { checkSchedule } from '../cluster/schedule.ts'
import { printTimestamp } from '../cluster/timestamp.ts'
import { parseBool, parseInteger, textForm } from '../cluster/values.ts'
import type { RestartRequest } from '../ports/control.ts'

export type RestartCheck =
  | {
      readonly kind: 'valid'
      readonly request: RestartRequest
      /** ISO 8601; `null`: now. */
      readonly schedule: string | null
      /** The filters as they were sent, with the schedule: what the member key shows. */
      readonly raw: JsonObject
    }
  | RestartRefusal

export interface RestartRefusal {
  readonly kind: 'refused'
  readonly status: 400 | 422
  readonly text: string
}

type Filter =
  | { readonly kind: 'read'; readonly request: RestartRequest; readonly shown: Json; readonly schedule?: string }
  | RestartRefusal

/** Reads the body of `POST /restart`: keys in their order, the first one that is wrong answers (spec rest-api.md 11.1). */
export function checkRestart(body: JsonObject, nowWallMs: number): RestartCheck {
  let request: RestartRequest = {}
  let schedule: string | null = null
  const raw: [string, Json][] = []
  for (const [key, value] of Object.entries(body)) {
    const filter = readFilter(key, value, nowWallMs)
    if (filter.kind === 'refused') return filter
    request = { ...request, ...filter.request }
    schedule = filter.schedule ?? schedule
    raw.push([key, filter.shown])
  }
  return { kind: 'valid', request, schedule, raw: Object.fromEntries(raw) }
}

function readFilter(key: string, value: Json, nowWallMs: number): Filter {
  switch (key) {
    case 'schedule': {
      const due = checkSchedule(value, 'restart', nowWallMs)
      if (due.kind === 'refused') return due
      const schedule = printTimestamp(due.at)
      return { kind: 'read', request: {}, shown: schedule, schedule }
    }
    case 'role':
      return value === 'primary' || value === 'standby_leader' || value === 'replica'
        ? { kind: 'read', request: { role: value }, shown: value }
        : refused('PostgreSQL role should be either primary, standby_leader, or replica')
    case 'postgres_version': {
      const wrong = versionMistake(value)
      return wrong ? refused(wrong) : { kind: 'read', request: { postgresVersion: textForm(value) }, shown: value }
    }
    case 'timeout': {
      const seconds = parseInteger(value, 's')
      return seconds !== undefined && seconds > 0
        ? { kind: 'read', request: { timeoutMs: seconds * 1000 }, shown: seconds }
        : refused('Timeout should be a positive number of seconds')
    }
    case 'restart_pending':
      // The word is the filter; only a plain "no" takes it back (spec rest-api.md 21.3).
      return { kind: 'read', request: parseBool(value) === false ? {} : { restartPending: true }, shown: value }
    default:
      return refused(`Unknown filter for the scheduled restart: ${key}`)
  }
}

function versionMistake(value: Json): string | null {
  const text = textForm(value)
  const parts = text.split('.')
  if (typeof value !== 'string' || !parts.every((part) => /^\d{1,4}$/.test(part)))
    return `Invalid PostgreSQL version: ${text}`
  const known = parts.length === 3 || (parts.length === 2 && Number(parts[0]) >= 10)
  return known ? null : `Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted: ${text}`
}

function refused(text: string): RestartRefusal {
  return { kind: 'refused', status: 400, text }
}
