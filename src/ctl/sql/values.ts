import { type Json, parseJson } from '../../cluster/json.ts'
import { textForm } from '../../cluster/values.ts'
import { parseArray, type SqlArray } from './array-text.ts'

const BOOLEAN = 16
const INTEGERS = [20, 21, 23, 26]
const FLOATS = [700, 701]
const NUMERIC = 1700
const JSON_TYPES = [114, 3802]
const TIMES = [1083, 1266, 1114, 1184]
const INTERVAL = 1186

/** Array types and what is in them; arrays of other types stay text. */
const ELEMENTS: Readonly<Record<number, number>> = {
  1000: BOOLEAN,
  1005: 21,
  1007: 23,
  1016: 20,
  1028: 26,
  1021: 700,
  1022: 701,
  1231: NUMERIC,
  1009: 25,
  1041: 869,
  651: 650,
  1015: 1043,
  1014: 1042,
  1002: 18,
  1003: 19,
  1182: 1082,
  1183: 1083,
  1115: 1114,
  1185: 1184,
  1187: INTERVAL,
  199: 114,
  3807: 3802,
}

/** A value as people and scripts have always seen it in tables: `None`, `True`, `1.0`, `['a', None]` (spec ctl.md 8.4). */
export function printValue(text: string | null, typeOid: number): string {
  if (text === null) return 'None'
  const element = ELEMENTS[typeOid]
  if (element !== undefined) {
    const array = parseArray(text)
    return array ? printArray(array, element) : text
  }
  if (typeOid === BOOLEAN) return text === 't' ? 'True' : 'False'
  if (FLOATS.includes(typeOid)) return printFloat(text)
  if (TIMES.includes(typeOid)) return printTime(text)
  if (typeOid === INTERVAL) return printInterval(text)
  if (JSON_TYPES.includes(typeOid)) return textForm(parseJson(text) ?? text)
  return text
}

function printArray(array: SqlArray, element: number): string {
  const items = array.map((item) => {
    if (item === null) return 'None'
    if (typeof item !== 'string') return printArray(item, element)
    const printed = printValue(item, element)
    if (element === NUMERIC) return `Decimal('${printed}')`
    const isPlain = element === BOOLEAN || INTEGERS.includes(element) || FLOATS.includes(element)
    // JSON in a list shows its own quotes.
    if (JSON_TYPES.includes(element)) return textForm([parseJson(item) ?? item]).slice(1, -1)
    return isPlain ? printed : textForm([printed]).slice(1, -1)
  })
  return `[${items.join(', ')}]`
}

/** The shortest form that reads back equal, with a point: `1.0`, `0.1`, `1e+16`, `1e-05`. */
function printFloat(text: string): string {
  const value = Number(text)
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  const [mantissa = '', exponent = '0'] = value.toExponential().split('e')
  const power = Number(exponent)
  if (value !== 0 && (power < -4 || power >= 16)) {
    return `${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
  }
  return Number.isInteger(value) ? `${Object.is(value, -0) ? '-0' : value}.0` : String(value)
}

/** Fractions have six digits and offsets their minutes. */
function printTime(text: string): string {
  return text
    .replace(/(:\d{2})\.(\d{1,6})/, (_, seconds: string, fraction: string) => `${seconds}.${fraction.padEnd(6, '0')}`)
    .replace(/([+-]\d{2})$/, '$1:00')
}

const DAY_US = 86_400_000_000

/** `1 day, 2:03:04`; a year has 365 days, a month 30. A negative one counts up from the day before. */
function printInterval(text: string): string {
  const parts =
    /^(?:(-?\d+) years? ?)?(?:(-?\d+) mons? ?)?(?:(-?\d+) days? ?)?(?:([+-]?)(\d+):(\d{2}):(\d{2})(?:\.(\d+))?)?$/.exec(
      text,
    )
  if (!parts) return text
  const [, years = '0', months = '0', days = '0', sign, hours = '0', minutes = '0', seconds = '0', fraction = ''] =
    parts
  const time =
    ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000_000 + Number(fraction.padEnd(6, '0'))
  const whole = Number(years) * 365 + Number(months) * 30 + Number(days)
  const totalUs = whole * DAY_US + (sign === '-' ? -time : time)
  const dayCount = Math.floor(totalUs / DAY_US)
  const restUs = totalUs - dayCount * DAY_US
  const two = (n: number): string => String(n).padStart(2, '0')
  const secondsOfDay = Math.floor(restUs / 1_000_000)
  const micros = restUs % 1_000_000
  const clock = `${Math.floor(secondsOfDay / 3600)}:${two(Math.floor(secondsOfDay / 60) % 60)}:${two(secondsOfDay % 60)}`
  const exact = micros === 0 ? clock : `${clock}.${String(micros).padStart(6, '0')}`
  return dayCount === 0 ? exact : `${dayCount} day${Math.abs(dayCount) === 1 ? '' : 's'}, ${exact}`
}

/** A value for JSON and YAML: what these can hold exactly is what it is, everything else is PostgreSQL's text. */
export function jsonValue(text: string | null, typeOid: number): Json {
  if (text === null) return null
  const element = ELEMENTS[typeOid]
  if (element !== undefined) {
    const array = parseArray(text)
    return array ? jsonArray(array, element) : text
  }
  if (typeOid === BOOLEAN) return text === 't'
  if (INTEGERS.includes(typeOid)) return Number.isSafeInteger(Number(text)) ? Number(text) : text
  if (FLOATS.includes(typeOid)) return Number.isFinite(Number(text)) ? Number(text) : text
  if (typeOid === NUMERIC) return String(Number(text)) === text ? Number(text) : text
  if (JSON_TYPES.includes(typeOid)) return parseJson(text) ?? text
  return text
}

function jsonArray(array: SqlArray, element: number): Json {
  return array.map((item) =>
    item === null || typeof item === 'string' ? jsonValue(item, element) : jsonArray(item, element),
  )
}
