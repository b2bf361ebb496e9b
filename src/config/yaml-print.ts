import type { Json } from '../cluster/json.ts'
import { compareCodePoints } from './code-points.ts'
import { scalarKind } from './yaml-scalars.ts'

export interface YamlPrintOptions {
  /** Column after which long text is folded at the next single blank. */
  readonly width?: number
  /** Keys in code-point order (as `show-config` prints them) or as they stand. */
  readonly sortKeys?: boolean
}

interface Layout {
  readonly width: number
  readonly sortKeys: boolean
}

/**
 * Prints plain data as block-style YAML 1.1 that PyYAML reads back equal, in the form operators know from
 * `show-config` (spec ctl.md 5): indent 2, lists not indented below their key, text unquoted where that is safe.
 * Ends with a newline.
 */
export function printYaml(value: Json, { width = 200, sortKeys = true }: YamlPrintOptions = {}): string {
  const layout = { width, sortKeys }
  if (isCollection(value)) return `${collectionLines(value, 0, layout).join('\n')}\n`
  const text = scalarText(value, 0, 2, layout)
  return /^['"[{]/.test(text) ? `${text}\n` : `${text}\n...\n`
}

/** A list or mapping that has entries; an empty one is printed in place, like a scalar. */
function isCollection(value: Json): value is readonly Json[] | { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0
}

/** The lines of a collection whose entries stand at column `indent`. The first line comes without that indentation. */
function collectionLines(value: Json, indent: number, layout: Layout): string[] {
  if (Array.isArray(value))
    return joinEntries(
      (value as readonly Json[]).map((item) => itemLines(item, indent, layout)),
      indent,
    )
  const entries = Object.entries(value as Readonly<Record<string, Json>>)
  if (layout.sortKeys) entries.sort(([a], [b]) => compareCodePoints(a, b))
  return joinEntries(
    entries.map(([key, item]) => entryLines(key, item, indent, layout)),
    indent,
  )
}

function joinEntries(entries: readonly (readonly string[])[], indent: number): string[] {
  const margin = ' '.repeat(indent)
  return entries.flatMap((lines, i) => (i === 0 ? lines : [margin + (lines[0] ?? ''), ...lines.slice(1)]))
}

function itemLines(item: Json, indent: number, layout: Layout): string[] {
  return prefixed('- ', item, indent, layout)
}

/** `prefix` followed by the value on the same line: list items and the long form of keys. */
function prefixed(prefix: string, value: Json, indent: number, layout: Layout): string[] {
  const inner = indent + 2
  if (!isCollection(value)) return [prefix + scalarText(value, inner, inner, layout)]
  const [first = '', ...rest] = collectionLines(value, inner, layout)
  return [prefix + first, ...rest]
}

function entryLines(key: string, value: Json, indent: number, layout: Layout): string[] {
  // A key over several lines or longer than 128 characters needs the long form `? key`.
  if (key.includes('\n') || key.length >= 128)
    return [
      ...prefixed('? ', key, indent, layout),
      `${' '.repeat(indent)}${prefixed(': ', value, indent, layout).join('\n')}`,
    ]
  const name = scalarText(key, indent, indent, { ...layout, width: Number.POSITIVE_INFINITY })
  if (!isCollection(value)) {
    return [`${name}: ${scalarText(value, indent + name.length + 2, indent + 2, layout)}`]
  }
  const inner = Array.isArray(value) ? indent : indent + 2
  const [first = '', ...rest] = collectionLines(value, inner, layout)
  return [`${name}:`, ' '.repeat(inner) + first, ...rest]
}

/**
 * @param column where the text begins
 * @param continuation indentation of further lines
 */
function scalarText(value: Json, column: number, continuation: number, layout: Layout): string {
  if (value === null) return 'null'
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return numberText(value)
  if (typeof value === 'object') return Array.isArray(value) ? '[]' : '{}'
  const fold = { column, margin: `\n${' '.repeat(continuation)}`, width: layout.width }
  switch (quoting(value)) {
    case 'plain':
      return folded(value, fold)
    case 'single':
      return `'${singleQuoted(value, { ...fold, column: column + 1 })}'`
    case 'double':
      return doubleQuoted(value)
  }
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return '.nan'
  if (!Number.isFinite(value)) return value > 0 ? '.inf' : '-.inf'
  if (Number.isInteger(value)) return String(BigInt(value))
  const small = Math.abs(value) < 1e-4
  const [mantissa = '', exponent] = (small ? value.toExponential() : String(value)).split('e')
  if (exponent === undefined) return mantissa
  // YAML 1.1 reads an exponent only after a point and with a sign.
  const digits = exponent.replace(/^[-+]/, '').padStart(2, '0')
  return `${mantissa.includes('.') ? mantissa : `${mantissa}.0`}e${exponent.startsWith('-') ? '-' : '+'}${digits}`
}

const NEEDS_ESCAPES = /[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10fffe}]|[\u2028\u2029]| \n|\n /u
const STARTS_LIKE_SYNTAX = /^(?:[#,[\]{}&*!|>'"%@`]|[-?:](?:[ \n]|$)|---|\.\.\.)/
const READS_AS_SYNTAX = /:(?:[ \n]|$)|[ \n]#|\n|^ | $/

function quoting(text: string): 'plain' | 'single' | 'double' {
  if (NEEDS_ESCAPES.test(text)) return 'double'
  const safe = scalarKind(text) === 'text' && text !== '=' && text !== '<<'
  return safe && !STARTS_LIKE_SYNTAX.test(text) && !READS_AS_SYNTAX.test(text) ? 'plain' : 'single'
}

interface Fold {
  readonly column: number
  readonly margin: string
  readonly width: number
}

/** Turns each single blank that comes after column `width` into a line break. Runs of blanks stay whole. */
function folded(text: string, { column, margin, width }: Fold): string {
  if (column + text.length <= width) return text
  let at = column
  let result = ''
  for (const part of text.split(/( +)/)) {
    const breaks = part === ' ' && at > width
    result += breaks ? margin : part
    at = breaks ? margin.length - 1 : at + part.length
  }
  return result
}

function singleQuoted(text: string, fold: Fold): string {
  const quoted = text.replaceAll("'", "''")
  if (!quoted.includes('\n')) {
    // A blank at either end belongs to the text and must not become a line break.
    const [, before = '', middle = '', after = ''] = /^( *)(.*?)( *)$/s.exec(quoted) ?? []
    return before + folded(middle, { ...fold, column: fold.column + before.length }) + after
  }
  return quoted
    .split(/(\n+)/)
    .map((part, i) => {
      if (i % 2 === 1) return `\n${'\n'.repeat(part.length - 1)}${fold.margin}`
      return folded(part, i === 0 ? fold : { ...fold, column: fold.margin.length - 1 })
    })
    .join('')
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\0': '\\0',
  '\x07': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\x1b': '\\e',
  '"': '\\"',
  '\\': '\\\\',
  '\x85': '\\N',
  '\u2028': '\\L',
  '\u2029': '\\P',
}

/** Not folded: such text is rare, and one line of escapes is easier to read. */
function doubleQuoted(text: string): string {
  const escaped = text.replace(
    /["\\]|[^\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10fffe}]|[\u2028\u2029]/gu,
    (c) => {
      const code = (c.codePointAt(0) ?? 0).toString(16).toUpperCase()
      if (ESCAPES[c]) return ESCAPES[c]
      if (code.length <= 2) return `\\x${code.padStart(2, '0')}`
      return code.length <= 4 ? `\\u${code.padStart(4, '0')}` : `\\U${code.padStart(8, '0')}`
    },
  )
  return `"${escaped}"`
}
