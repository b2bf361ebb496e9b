import type { Json } from '../cluster/json.ts'

/**
 * What a plain (unquoted) YAML 1.1 scalar means, exactly as PyYAML's safe loader resolves it (spec configuration.md 1.1).
 * The patterns are those of the YAML 1.1 type repository with PyYAML's narrowings: `y`/`n` stay text, a float needs a
 * point, an exponent needs a sign.
 */
const BOOLEAN = /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/
const TRUE = /^(?:yes|true|on)$/i
const NULL = /^(?:~|null|Null|NULL|)$/
const BINARY = /^[-+]?0b[01_]+$/
const OCTAL = /^[-+]?0[0-7_]+$/
const DECIMAL = /^[-+]?(?:0|[1-9][0-9_]*)$/
const HEX = /^[-+]?0x[0-9a-fA-F_]+$/
const SEXAGESIMAL = /^[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+$/
const FLOAT = /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?)$/
const SEXAGESIMAL_FLOAT = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*$/
const INFINITE = /^[-+]?\.(?:inf|Inf|INF)$/
const NOT_A_NUMBER = /^\.(?:nan|NaN|NAN)$/
const DATE =
  /^(?:\d{4}-\d\d-\d\d|\d{4}-\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?)$/

export type ScalarKind = 'null' | 'boolean' | 'integer' | 'float' | 'date' | 'text'

/** Which type the plain text has. */
export function scalarKind(text: string): ScalarKind {
  if (NULL.test(text)) return 'null'
  if (BOOLEAN.test(text)) return 'boolean'
  if (DATE.test(text)) return 'date'
  if ([BINARY, OCTAL, DECIMAL, HEX, SEXAGESIMAL].some((pattern) => pattern.test(text))) return 'integer'
  if ([FLOAT, SEXAGESIMAL_FLOAT, INFINITE, NOT_A_NUMBER].some((pattern) => pattern.test(text))) return 'float'
  return 'text'
}

/**
 * The value of plain text. A date keeps its text, so that it reaches PostgreSQL and JSON as it was written. An integer
 * that a double cannot hold becomes its decimal text: digits of a password or a transaction id must not change.
 */
export function resolveScalar(text: string): Json {
  switch (scalarKind(text)) {
    case 'null':
      return null
    case 'boolean':
      return TRUE.test(text)
    case 'integer':
      return integerValue(text) ?? text
    case 'float':
      return floatValue(text)
    case 'date':
    case 'text':
      return text
  }
}

/** @returns undefined for digits that are none (`0b_`) */
export function integerValue(text: string): number | string | undefined {
  const digits = text.replaceAll('_', '')
  const negative = digits.startsWith('-')
  const body = digits.replace(/^[-+]/, '')
  let exact: bigint
  try {
    if (body.includes(':')) exact = body.split(':').reduce((sum, part) => sum * 60n + BigInt(part), 0n)
    else if (/^0[0-7]+$/.test(body)) exact = BigInt(`0o${body.slice(1)}`)
    else exact = BigInt(body)
  } catch {
    return undefined
  }
  const signed = negative ? -exact : exact
  const value = Number(signed)
  return Number.isSafeInteger(value) ? value + 0 : String(signed)
}

export function floatValue(text: string): number {
  const body = text.replaceAll('_', '').toLowerCase()
  if (body.endsWith('.nan')) return Number.NaN
  const sign = body.startsWith('-') ? -1 : 1
  const unsigned = body.replace(/^[-+]/, '')
  if (unsigned === '.inf') return sign * Number.POSITIVE_INFINITY
  if (unsigned.includes(':')) return sign * unsigned.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
  return sign * Number(unsigned)
}
