import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

/** What is used of JSON Schema in docs/openapi.yaml. */
interface Schema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly oneOf?: readonly Schema[]
  readonly items?: Schema
  readonly prefixItems?: readonly Schema[]
  readonly minItems?: number
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly description?: string
}

/** Bodies that only errors have. */
const LEFT_OUT = ['AlreadyInProgress', 'ErrorPage']

/** One TypeScript type for each schema of the REST API. */
export function clientTypes(): string {
  const document = parse(readFileSync('docs/openapi.yaml', 'utf8')) as {
    readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
  }
  const types = Object.entries(document.components.schemas)
    .filter(([name]) => !LEFT_OUT.includes(name))
    .map(([name, schema]) => {
      const about = schema.description === undefined ? '' : `/** ${oneLine(schema.description)} */\n`
      return isOpenInterface(schema)
        ? `${about}export interface ${name} ${typeOf(schema, '')}\n`
        : `${about}export type ${name} = ${typeOf(schema, '')}\n`
    })
  return `// Made from docs/openapi.yaml: npm run generate.\n\n${types.join('\n')}`
}

const isOpenInterface = ({ properties }: Schema): boolean => properties !== undefined

function typeOf(schema: Schema, indent: string): string {
  if (schema.$ref !== undefined) return schema.$ref.split('/').at(-1) ?? 'unknown'
  if ('const' in schema) return literal(schema.const)
  if (schema.enum) return union(schema.enum.map(literal), indent)
  if (schema.oneOf) return alternatives(schema.oneOf.map((one) => typeOf(one, indent)))
  const types = [schema.type ?? []].flat()
  if (types.length === 0) return 'unknown'
  return types
    .map((type) => ofType(type, schema, indent))
    .filter(isFirst)
    .join(' | ')
}

/** Any text is one already. */
function alternatives(types: readonly string[]): string {
  const kept = types.includes('string') ? types.filter((type) => !type.startsWith("'")) : types
  return kept.join(' | ')
}

const isFirst = (text: string, i: number, all: readonly string[]): boolean => all.indexOf(text) === i

function ofType(type: string, schema: Schema, indent: string): string {
  switch (type) {
    case 'integer':
      return 'number'
    case 'array':
      return schema.prefixItems ? tuple(schema) : listOf(typeOf(schema.items ?? {}, indent))
    case 'object':
      return objectType(schema, indent)
    default:
      return type
  }
}

const listOf = (item: string): string => (/^\w+$/.test(item) ? `readonly ${item}[]` : `ReadonlyArray<${item}>`)

function tuple({ prefixItems = [], minItems = 0 }: Schema): string {
  const parts = prefixItems.map((item, i) => {
    const label = (item.description ?? `item ${i}`)
      .split(' ')
      .map((word, k) => (k === 0 ? word.toLowerCase() : word[0]?.toUpperCase() + word.slice(1)))
      .join('')
    return `${label}${i < minItems ? '' : '?'}: ${typeOf(item, '')}`
  })
  return `readonly [${parts.join(', ')}]`
}

function objectType({ properties, required = [], additionalProperties }: Schema, indent: string): string {
  if (!properties) {
    const value = typeof additionalProperties === 'object' ? typeOf(additionalProperties, indent) : 'unknown'
    return `Readonly<Record<string, ${value}>>`
  }
  const inner = `${indent}  `
  const lines = Object.entries(properties).flatMap(([key, property]) => {
    const about = property.description === undefined ? [] : [`${inner}/** ${oneLine(property.description)} */`]
    return [...about, `${inner}readonly ${key}${required.includes(key) ? '' : '?'}: ${typeOf(property, inner)}`]
  })
  const rest = additionalProperties === true ? [`${inner}readonly [key: string]: unknown`] : []
  return `{\n${[...lines, ...rest].join('\n')}\n${indent}}`
}

const literal = (value: unknown): string => (typeof value === 'string' ? `'${value}'` : String(value))

/** As the formatter breaks it. */
function union(words: readonly string[], indent: string): string {
  const line = words.join(' | ')
  return line.length + indent.length < 90 ? line : words.map((word) => `\n${indent}  | ${word}`).join('')
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim()
