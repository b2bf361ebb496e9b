import type { Json } from './json.ts'

/** The text form of a value as operators know it from logs: `True`, `False`, `None`, plain numbers and strings (spec configuration.md 1.2). */
export function textForm(value: Json | undefined): string {
  if (value === null || value === undefined) return 'None'
  if (value === true) return 'True'
  if (value === false) return 'False'
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  if (Array.isArray(value)) return `[${value.map(quotedForm).join(', ')}]`
  return `{${Object.entries(value)
    .map(([key, item]) => `${quotedForm(key)}: ${quotedForm(item)}`)
    .join(', ')}}`
}

function quotedForm(value: Json): string {
  if (typeof value !== 'string') return textForm(value)
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'"
  return quote + value.replaceAll('\\', '\\\\').replaceAll(quote, `\\${quote}`) + quote
}

/** As much of a text as a message shows. */
const SHOWN_MAX = 100

/** The text form as messages show it: in one line and of a length that can be read, whatever the value is. */
export function shortForm(value: Json | undefined): string {
  return inOneLine(textForm(value), SHOWN_MAX)
}

/** At most `max` characters of the text, without line ends and control characters. */
export function inOneLine(text: string, max: number): string {
  const shown = text.slice(0, max).replaceAll(/[\p{Cc}\p{Cs}]+/gu, ' ')
  return text.length > max ? `${shown}…` : shown
}

/** Prints a list of names as log lines show it: `['a', 'b']`. */
export function printNames(names: Iterable<string>): string {
  return textForm([...names])
}

/** Not empty, not zero, not null, not false. The string `"false"` is truthy (spec configuration.md 1.2). */
export function isTruthy(value: Json | undefined): boolean {
  if (Array.isArray(value)) return value.length > 0
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0
  return Boolean(value)
}

/** `on true yes 1` / `off false no 0` in any case; anything else is undefined (spec configuration.md 1.3). */
export function parseBool(value: Json | undefined): boolean | undefined {
  const text = textForm(value).toLowerCase()
  if (['on', 'true', 'yes', '1'].includes(text)) return true
  if (['off', 'false', 'no', '0'].includes(text)) return false
  return undefined
}

/** Base units and the factor to the smallest unit of their table. */
const MEMORY = { B: 1, kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 } as const
const TIME = { us: 1, ms: 1000, s: 1_000_000, min: 60_000_000, h: 3_600_000_000, d: 86_400_000_000 } as const
type UnitTable = Readonly<Record<string, number>>

function unitTable(unit: string): UnitTable | undefined {
  if (Object.hasOwn(MEMORY, unit)) return MEMORY
  if (Object.hasOwn(TIME, unit)) return TIME
  return undefined
}

/** Splits a base unit such as `8kB` into its multiplier and unit. */
function baseUnit(unit: string): { readonly times: number; readonly unit: string } | undefined {
  const match = /^(\d*)([A-Za-z]+)$/.exec(unit)
  if (!match?.[2]) return undefined
  return { times: match[1] ? Number(match[1]) : 1, unit: match[2] }
}

/** Rounds half to even, as PostgreSQL (rint) and the compatible parsers do. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest < 0.5) return floor
  if (rest > 0.5) return floor + 1
  return floor % 2 === 0 ? floor : floor + 1
}

const FLOAT = /^[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?/

function scanInteger(text: string): { readonly value: number; readonly rest: string } | undefined {
  const sign = text.startsWith('-') ? -1 : 1
  const hex = /^[-+]?0x([0-9a-fA-F]+)/.exec(text)
  if (hex?.[1]) return { value: sign * Number.parseInt(hex[1], 16), rest: text.slice(hex[0].length) }
  const octal = /^[-+]?0([0-7]*)/.exec(text)
  const decimal = octal ? null : /^[-+]?([1-9][0-9]*)/.exec(text)
  const match = octal ?? decimal
  const next = match ? text.charAt(match[0].length) : ''
  if ((!match && text.startsWith('.')) || (match && ['.', 'e', 'E'].includes(next))) return scanReal(text)
  if (!match) return undefined
  const digits = match[1] || '0'
  return { value: sign * Number.parseInt(digits, octal ? 8 : 10), rest: text.slice(match[0].length) }
}

function scanReal(text: string): { readonly value: number; readonly rest: string } | undefined {
  const match = FLOAT.exec(text)
  return match ? { value: Number(match[0]), rest: text.slice(match[0].length) } : undefined
}

function convert(value: number, from: string, to: string): number | undefined {
  const base = baseUnit(to)
  const table = base && unitTable(base.unit)
  const factor = table && Object.hasOwn(table, from) ? table[from] : undefined
  const target = base && table?.[base.unit]
  if (!base || !table || factor === undefined || target === undefined) return undefined
  const smaller = Object.values(table)
    .filter((one) => one < factor)
    .sort((a, b) => b - a)[0]
  const exact = smaller === undefined ? value * factor : roundHalfEven((value * factor) / smaller) * smaller
  return exact / (target * base.times)
}

/** No number that anybody means is longer. */
const NUMBER_MAX = 400

function parseNumber(
  value: Json | undefined,
  unit: string | undefined,
  scan: (text: string) => { readonly value: number; readonly rest: string } | undefined,
): number | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  const text = textForm(value).trim()
  const scanned = text.length <= NUMBER_MAX ? scan(text) : undefined
  if (!scanned) return undefined
  const given = scanned.rest.trim()
  const number = given === '' ? scanned.value : unit === undefined ? undefined : convert(scanned.value, given, unit)
  return Number.isFinite(number) ? number : undefined
}

/**
 * Reads an integer, octal and hexadecimal included, with an optional unit that is converted to the base unit `unit`
 * (for example `s`, `kB`, `8kB`). Rounds half to even. Spec configuration.md 1.4.
 * @returns the number, or undefined where the text is not one or its unit cannot be converted
 */
export function parseInteger(value: Json | undefined, unit?: string): number | undefined {
  const number = parseNumber(value, unit, scanInteger)
  return number === undefined ? undefined : roundHalfEven(number)
}

/** As `parseInteger`, for real numbers: no octal, no hexadecimal, no rounding at the end. */
export function parseReal(value: Json | undefined, unit?: string): number | undefined {
  return parseNumber(value, unit, scanReal)
}
