// oxlint-disable no-restricted-globals -- Date serves calendar arithmetic and the machine's zone here; nothing reads the clock.
/**
 * Moments as people write them: calendar fields with the offset they were given. The fields are kept as written, so
 * that a time is shown back in the zone of whoever asked (spec ctl.md 6, rest-api.md 2.5).
 */
export interface Timestamp extends CalendarDate {
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly microsecond: number
  /** Minutes east of Greenwich; `null`: no zone was given, or one that nobody can know for sure (`EST`). */
  readonly offsetMinutes: number | null
}

export interface CalendarDate {
  readonly year: number
  /** 1 to 12. */
  readonly month: number
  readonly day: number
}

const MONTHS = [
  'january',
  'february',
  'march',
  'april',
  'may',
  'june',
  'july',
  'august',
  'september',
  'october',
  'november',
  'december',
]
const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']

const TIME = /(?<h>\d{1,2}):(?<m>\d{2})(?::(?<s>\d{2})(?:[.,](?<f>\d+))?)?(?:\s*(?<half>[ap]m)\b)?/i
const HALF_DAY = /(?<![\d:.])(?<h>\d{1,2})\s*(?<half>[ap]m)\b/i
const BASIC =
  /^(?<date>\d{8})(?:[T ]?(?<h>\d{2})(?<m>\d{2})(?:(?<s>\d{2})(?:[.,](?<f>\d+))?)?)?(?<zone>\s*(?:[a-z+-].*)?)$/i
const ISO_HOUR = /^(?<date>\d{4}-\d{2}-\d{2}|\d{8})T(?<h>\d{2})(?<zone>\s*(?:[a-z+-].*)?)$/i
const ZONE = /^(?:z|(?:utc|gmt)?\s*(?<sign>[+-])(?<h>\d{1,2})(?::?(?<m>\d{2}))?|utc|gmt)$/i
const UNKNOWN_ZONE = /^[A-Z]{3,5}$/

/**
 * Reads ISO 8601 (basic and extended) and the common unambiguous ways to write a date; month before day where only
 * figures are given, unless the first cannot be a month.
 * @param today the date that a time alone or a weekday refers to, on the calendar of the reader; without it such
 *              texts are refused
 * @returns `null` for anything else, impossible dates included; two-digit years and words such as `tomorrow` are refused
 */
export function parseTimestamp(text: string, today?: CalendarDate): Timestamp | null {
  const trimmed = text.trim()
  if (trimmed === '' || trimmed.length > 100) return null
  const compact = ISO_HOUR.exec(trimmed) ?? BASIC.exec(trimmed)
  if (compact?.groups) {
    const { date = '', zone = '' } = compact.groups
    return assemble(parseDate(date, today), compact.groups, zone)
  }
  const time = TIME.exec(trimmed) ?? HALF_DAY.exec(trimmed)
  if (!time) return assemble(parseDate(trimmed, today), {}, '')
  const before = trimmed.slice(0, time.index)
  const after = trimmed.slice(time.index + time[0].length)
  if (/\d$/.test(before)) return null
  return assemble(parseDate(before.replace(/(?<=\d)T$/i, ''), today), time.groups ?? {}, after)
}

type TimeParts = Readonly<Record<string, string | undefined>>

function assemble(date: CalendarDate | null, time: TimeParts, zoneText: string): Timestamp | null {
  const zone = parseZone(zoneText.trim())
  const hour = hourOf(time)
  const minute = Number(time['m'] ?? 0)
  const second = Number(time['s'] ?? 0)
  if (!date || !isRealDate(date) || zone === undefined || hour === null || minute > 59 || second > 59) return null
  const microsecond = Number((time['f'] ?? '').slice(0, 6).padEnd(6, '0'))
  return { ...date, hour, minute, second, microsecond, offsetMinutes: zone }
}

function hourOf(time: TimeParts): number | null {
  const hour = Number(time['h'] ?? 0)
  const half = time['half']?.toLowerCase()
  if (half === undefined) return hour <= 23 ? hour : null
  if (hour < 1 || hour > 12) return null
  return (hour % 12) + (half === 'pm' ? 12 : 0)
}

/** @returns minutes, `null` for none or one that is not known, `undefined` for what is not a zone at all */
function parseZone(text: string): number | null | undefined {
  if (text === '') return null
  const zone = ZONE.exec(text)
  if (!zone) return UNKNOWN_ZONE.test(text) ? null : undefined
  const minutes = Number(zone.groups?.['h'] ?? 0) * 60 + Number(zone.groups?.['m'] ?? 0)
  if (minutes >= 24 * 60 || Number(zone.groups?.['m'] ?? 0) > 59) return undefined
  return zone.groups?.['sign'] === '-' && minutes > 0 ? -minutes : minutes
}

/** The part of the text that is not the time; empty means today. */
function parseDate(text: string, today: CalendarDate | undefined): CalendarDate | null {
  const words = text.trim().toLowerCase()
  const iso = /^(\d{4})(-?)(\d{2})\2(\d{2})$/.exec(words)
  if (iso) return { year: Number(iso[1]), month: Number(iso[3]), day: Number(iso[4]) }
  const parts = words.split(/[\s,./-]+/).filter((part) => part !== '')
  const weekdays = parts.filter((part) => nameIndex(WEEKDAYS, part) >= 0)
  const rest = parts.filter((part) => nameIndex(WEEKDAYS, part) < 0)
  if (weekdays.length > 1) return null
  if (rest.length > 0) return parseDateParts(rest, today)
  if (!today) return null
  return weekdays[0] ? nextWeekday(today, nameIndex(WEEKDAYS, weekdays[0])) : words === '' ? today : null
}

function parseDateParts(parts: readonly string[], today: CalendarDate | undefined): CalendarDate | null {
  const named = parts.filter((part) => nameIndex(MONTHS, part) >= 0)
  const numbers = parts.filter((part) => /^\d{1,2}$|^\d{4}$/.test(part))
  if (named.length > 1 || named.length + numbers.length !== parts.length) return null
  const years = numbers.filter((part) => part.length === 4)
  const others = numbers.filter((part) => part.length < 4).map(Number)
  const year =
    years.length === 1 ? Number(years[0]) : named.length === 1 && years.length === 0 ? today?.year : undefined
  if (year === undefined) return null
  if (named[0] !== undefined) {
    const [day, ...more] = others
    return day !== undefined && more.length === 0 ? { year, month: nameIndex(MONTHS, named[0]) + 1, day } : null
  }
  const [first, second, ...more] = others
  if (first === undefined || second === undefined || more.length > 0) return null
  const yearAt = parts.findIndex((part) => part.length === 4)
  if (yearAt === 1) return null
  return yearAt === 0 || first <= 12 ? { year, month: first, day: second } : { year, month: second, day: first }
}

/** The position of a name that is spelled out or cut to three letters or more; -1: none. */
function nameIndex(names: readonly string[], word: string): number {
  return word.length < 3 ? -1 : names.findIndex((name) => name.startsWith(word))
}

function isRealDate({ year, month, day }: CalendarDate): boolean {
  return year >= 1000 && month >= 1 && month <= 12 && day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate()
}

function nextWeekday(today: CalendarDate, weekday: number): CalendarDate {
  const at = new Date(Date.UTC(today.year, today.month - 1, today.day))
  at.setUTCDate(at.getUTCDate() + ((weekday - at.getUTCDay() + 7) % 7))
  return { year: at.getUTCFullYear(), month: at.getUTCMonth() + 1, day: at.getUTCDate() }
}

/** The date of a moment on the calendar of this machine's zone. */
export function localDate(wallMs: number): CalendarDate {
  const at = new Date(wallMs)
  return { year: at.getFullYear(), month: at.getMonth() + 1, day: at.getDate() }
}

/** Gives a time without a zone the offset that this machine's zone has on that date. */
export function withLocalZone(at: Timestamp): Timestamp {
  if (at.offsetMinutes !== null) return at
  const local = new Date(at.year, at.month - 1, at.day, at.hour, at.minute, at.second)
  return { ...at, offsetMinutes: -local.getTimezoneOffset() }
}

/** A moment as the clock of this machine's zone shows it. */
export function localTimestamp(wallMs: number): Timestamp {
  const at = new Date(wallMs)
  return {
    ...localDate(wallMs),
    hour: at.getHours(),
    minute: at.getMinutes(),
    second: at.getSeconds(),
    microsecond: at.getMilliseconds() * 1000,
    offsetMinutes: -at.getTimezoneOffset(),
  }
}

/** Milliseconds since 1970, with a fraction for microseconds; `null` where no zone is known. */
export function epochMs(at: Timestamp): number | null {
  if (at.offsetMinutes === null) return null
  const utc = Date.UTC(at.year, at.month - 1, at.day, at.hour, at.minute, at.second)
  return utc - at.offsetMinutes * 60_000 + at.microsecond / 1000
}

/** ISO 8601, `YYYY-MM-DDTHH:MM:SS[.ffffff]+HH:MM`; the offset is left out where none is known. */
export function printTimestamp(at: Timestamp, separator: 'T' | ' ' = 'T'): string {
  const two = (n: number): string => String(n).padStart(2, '0')
  const date = `${String(at.year).padStart(4, '0')}-${two(at.month)}-${two(at.day)}`
  const fraction = at.microsecond === 0 ? '' : `.${String(at.microsecond).padStart(6, '0')}`
  return `${date}${separator}${two(at.hour)}:${two(at.minute)}:${two(at.second)}${fraction}${printOffset(at.offsetMinutes)}`
}

function printOffset(offsetMinutes: number | null): string {
  if (offsetMinutes === null) return ''
  const minutes = Math.abs(offsetMinutes)
  const two = (n: number): string => String(n).padStart(2, '0')
  return `${offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}
