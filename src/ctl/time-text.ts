import {
  localDate,
  localTimestamp,
  parseTimestamp,
  printTimestamp,
  type Timestamp,
  withLocalZone,
} from '../cluster/timestamp.ts'
import { CtlError } from './errors.ts'

/** `YYYY-MM-DD HH:MM:SS`, local time (spec ctl.md 6). */
export function printSeconds(wallMs: number): string {
  return printTimestamp({ ...localTimestamp(wallMs), microsecond: 0, offsetMinutes: null }, ' ')
}

/** `YYYY-MM-DD HH:MM:SS.fffff`: five digits, as these lines have always had. */
export function printMoment(wallMs: number): string {
  const { microsecond } = localTimestamp(wallMs)
  return `${printSeconds(wallMs)}.${String(microsecond).padStart(6, '0').slice(0, 5)}`
}

/** An hour from now, for the examples in prompts: `YYYY-MM-DDTHH:MM`. */
export function exampleTime(wallMs: number): string {
  return printTimestamp({ ...localTimestamp(wallMs + 3_600_000), offsetMinutes: null }).slice(0, 16)
}

/**
 * A time as an operator types it (spec ctl.md 6).
 * @returns `null`: now
 * @throws {CtlError} where it cannot be understood
 */
export function parseScheduled(text: string | null, wallMs: number): Timestamp | null {
  if (text === null || text === '' || text === 'now') return null
  const parsed = parseTimestamp(text, localDate(wallMs))
  // A zone that is only a name (EST) means different things to different people.
  if (!parsed || (parsed.offsetMinutes === null && /(?:\d|[ap]m)\s*(?!am$|pm$)[a-z]{3,5}$/i.test(text)))
    throw new CtlError(
      `Unable to parse scheduled timestamp (${text}). It should be in an unambiguous format (e.g. ISO 8601)`,
    )
  return withLocalZone(parsed)
}
