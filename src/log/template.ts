/** A conversion as in Python's `%(attr)-8s`. */
export interface Conversion {
  readonly attribute: string
  readonly flags: string
  readonly width: number
  readonly precision: number | null
  readonly type: string
}

export type Template =
  | { readonly kind: 'template'; readonly parts: readonly (string | Conversion)[] }
  | { readonly kind: 'broken'; readonly reason: string }

const CONVERSION = /%(?:\((\w+)\)([-#0+ ]*)(\d*)(?:\.(\d+))?([diouxXeEfFgGcrsa])|(%))/g

/** Reads a printf-style template. One without any `%(attr)` is broken (spec configuration.md 13.1). */
export function parseTemplate(text: string, known: ReadonlySet<string>): Template {
  const parts: (string | Conversion)[] = []
  let end = 0
  let conversions = 0
  for (const match of text.matchAll(CONVERSION)) {
    const literal = text.slice(end, match.index)
    if (literal.includes('%')) return broken(text)
    if (literal !== '') parts.push(literal)
    end = match.index + match[0].length
    const attribute = match[1]
    if (attribute === undefined) {
      parts.push('%')
      continue
    }
    if (!known.has(attribute)) return { kind: 'broken', reason: `log format: there is no attribute "${attribute}"` }
    const precision = match[4] === undefined ? null : Number(match[4])
    parts.push({ attribute, flags: match[2] ?? '', width: Number(match[3] ?? 0), precision, type: match[5] ?? 's' })
    conversions += 1
  }
  const rest = text.slice(end)
  if (rest.includes('%') || conversions === 0) return broken(text)
  return { kind: 'template', parts: rest === '' ? parts : [...parts, rest] }
}

function broken(text: string): Template {
  return { kind: 'broken', reason: `Invalid log format: "${text}" is not a template with %(attribute)s` }
}

/** One value as its conversion wants it. */
export function convert(value: string | number, { flags, width, precision, type }: Conversion): string {
  const body = converted(value, flags, precision, type)
  if (body.length >= width) return body
  if (flags.includes('-')) return body.padEnd(width)
  if (flags.includes('0') && typeof value === 'number' && type !== 's') {
    const sign = /^[-+ ]/.exec(body)?.[0] ?? ''
    return sign + body.slice(sign.length).padStart(width - sign.length, '0')
  }
  return body.padStart(width)
}

function converted(value: string | number, flags: string, precision: number | null, type: string): string {
  if (typeof value === 'string' || 'sra'.includes(type)) {
    const text = String(value)
    return precision === null ? text : text.slice(0, precision)
  }
  const sign = value < 0 ? '' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : ''
  switch (type) {
    case 'x':
      return sign + Math.trunc(value).toString(16)
    case 'X':
      return sign + Math.trunc(value).toString(16).toUpperCase()
    case 'o':
      return sign + Math.trunc(value).toString(8)
    case 'f':
    case 'F':
      return sign + value.toFixed(precision ?? 6)
    case 'e':
    case 'E':
      return sign + value.toExponential(precision ?? 6).replace(/e([-+])(\d)$/, 'e$10$2')
    case 'g':
    case 'G':
      return sign + String(Number(value.toPrecision(precision || 6)))
    default:
      return sign + String(Math.trunc(value))
  }
}
