import { isObject, type Json, type JsonObject, printJson } from '../cluster/json.ts'
import type { LogConfig } from '../config/types.ts'
import { ATTRIBUTES, type AttributeContext, PLACE_ATTRIBUTES } from './attributes.ts'
import type { LogRecord } from './record.ts'
import { convert, parseTemplate } from './template.ts'

export interface Formatter {
  /** One record as text, without the newline at its end. */
  format(record: LogRecord): string
  /** Whether records need their place in the program. */
  readonly needsPlace: boolean
}

export type FormatterOutcome =
  | { readonly kind: 'ok'; readonly formatter: Formatter; readonly warnings: readonly string[] }
  | { readonly kind: 'broken'; readonly reason: string }

const DEFAULT_FORMAT = '%(asctime)s %(levelname)s: %(message)s'
const KNOWN = new Set(Object.keys(ATTRIBUTES))

/** Makes the formatter that section `log` describes (spec configuration.md 13.1, 13.2). */
export function formatterFor(config: LogConfig, process: Omit<AttributeContext, 'dateFormat'>): FormatterOutcome {
  const context = { ...process, dateFormat: config.dateFormat }
  return config.type === 'json' ? jsonFormatter(config, context) : plainFormatter(config, context)
}

function plainFormatter(config: LogConfig, context: AttributeContext): FormatterOutcome {
  const text = typeof config.format === 'string' ? config.format : null
  const warnings =
    text === null
      ? [`Expected log format to be a string when log type is plain, but got "${typeName(config.format)}"`]
      : []
  const template = parseTemplate(text || DEFAULT_FORMAT, KNOWN)
  if (template.kind === 'broken') return template
  const { parts } = template
  const needsPlace = parts.some((part) => typeof part !== 'string' && PLACE_ATTRIBUTES.has(part.attribute))
  const format = (record: LogRecord): string => {
    const line = parts.map((part) =>
      typeof part === 'string' ? part : convert(ATTRIBUTES[part.attribute]?.(record, context) ?? '', part),
    )
    return record.trace === null ? line.join('') : `${line.join('')}\n${record.trace}`
  }
  return { kind: 'ok', formatter: { format, needsPlace }, warnings }
}

interface Field {
  readonly attribute: string
  readonly key: string
}

function jsonFormatter(config: LogConfig, context: AttributeContext): FormatterOutcome {
  const warnings: string[] = []
  const wanted = fieldsOf(config.format, warnings)
  const unknown = wanted.find((field) => !KNOWN.has(field.attribute))
  if (unknown) return { kind: 'broken', reason: `log format: there is no attribute "${unknown.attribute}"` }
  const fields = wanted.length > 0 ? wanted : templateFields(DEFAULT_FORMAT)
  const format = (record: LogRecord): string => {
    const values = fields.map(({ attribute, key }) => [key, ATTRIBUTES[attribute]?.(record, context) ?? null] as const)
    const document: JsonObject = {
      ...Object.fromEntries(values),
      ...config.staticFields,
      ...(record.trace === null ? {} : { exc_info: record.trace }),
    }
    return printJson(document)
  }
  const needsPlace = fields.some((field) => PLACE_ATTRIBUTES.has(field.attribute))
  return { kind: 'ok', formatter: { format, needsPlace }, warnings }
}

function fieldsOf(format: Json, warnings: string[]): Field[] {
  if (typeof format === 'string') return templateFields(format)
  if (!Array.isArray(format)) {
    warnings.push(`Expected log format to be a string or a list, but got "${typeName(format)}"`)
    return []
  }
  return (format as readonly Json[]).flatMap((item) => {
    if (typeof item === 'string') return [{ attribute: item, key: item }]
    if (!isObject(item)) {
      warnings.push(`Expected each item of log format to be a string or dictionary, but got "${typeName(item)}"`)
      return []
    }
    return Object.entries(item).flatMap(([attribute, key]) => {
      if (typeof key === 'string') return [{ attribute, key }]
      warnings.push(`Expected renamed log field to be a string, but got "${typeName(key)}"`)
      return []
    })
  })
}

function templateFields(template: string): Field[] {
  return Array.from(template.matchAll(/%\((\w+)\)/g), ([, name = '']) => ({ attribute: name, key: name }))
}

/** Type names as messages of this kind have always had them. */
function typeName(value: Json): string {
  if (value === null) return 'NoneType'
  if (Array.isArray(value)) return 'list'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float'
  return typeof value === 'string' ? 'str' : 'dict'
}
