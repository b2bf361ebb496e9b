import { isObject, type Json, type JsonObject } from '../../cluster/json.ts'
import { parseBool, parseInteger, parseReal, textForm } from '../../cluster/values.ts'
import { described, schemaOf } from './json-schema.ts'
import type { World } from './world.ts'

/** Everything a check may look at besides the value. */
export interface Context {
  readonly world: World
  readonly ignoreListenPort: boolean
  /** The whole document: some checks depend on other keys. */
  readonly document: JsonObject
}

/** One thing that is wrong, at a path below the value that was checked. */
export interface Issue {
  readonly path: readonly string[]
  /** The value as the line shows it; empty for a missing key. */
  readonly shown: string
  readonly message: string
  /** The value is of another type than expected: says less than an error in a value of the right type. */
  readonly kind: 'type' | 'value'
}

/** Answers with what is wrong with a value, nothing for a good one (spec configuration.md 9.2). */
export type Check = (value: Json, context: Context) => readonly Issue[] | Promise<readonly Issue[]>

export function issue(value: Json, message: string, kind: Issue['kind'] = 'value'): Issue {
  return { path: [], shown: textForm(value), message, kind }
}

/** The value has the right type but is not acceptable. */
export function wrong(value: Json, text = 'Wrong value'): Issue[] {
  return [issue(value, `didn't pass validation: ${text}`)]
}

export const missing = (path: readonly string[]): Issue => ({
  path,
  shown: '',
  message: 'is not defined.',
  kind: 'value',
})

const typed = (fits: (value: Json) => boolean, name: string, type: string): Check =>
  described((value) => (fits(value) ? [] : [issue(value, `is not ${name}`, 'type')]), { type })

export const string = typed((value) => typeof value === 'string', 'a string', 'string')
export const boolean = typed((value) => typeof value === 'boolean', 'a boolean', 'boolean')
export const integer = typed((value) => Number.isInteger(value) || typeof value === 'boolean', 'an integer', 'integer')
export const dictionary = typed(isObject, 'a dictionary', 'object')

/** A value that reads as an integer from `least` to `most`; `strict`: it must be one. */
export function whole(
  least: number,
  most = Number.POSITIVE_INFINITY,
  { strict = false, unit }: { readonly strict?: boolean; readonly unit?: string } = {},
): Check {
  const range = { minimum: least, ...(Number.isFinite(most) ? { maximum: most } : {}) }
  const schema = strict ? { type: 'integer', ...range } : { type: ['integer', 'number', 'string'], ...range }
  return described((value) => {
    if (strict && !Number.isInteger(value)) return [issue(value, 'is not an integer', 'type')]
    const parsed = parseInteger(value, unit)
    return parsed !== undefined && parsed >= least && parsed <= most ? [] : wrong(value)
  }, schema)
}

export function real(accepts: (value: number) => boolean): Check {
  return described(
    (value) => {
      const parsed = parseReal(value)
      return parsed !== undefined && accepts(parsed) ? [] : wrong(value)
    },
    { type: ['number', 'string'] },
  )
}

export function oneOf(words: readonly string[], { anyCase = false } = {}): Check {
  const schema = anyCase ? { type: 'string', examples: words } : { enum: words }
  return described((value) => {
    if (typeof value !== 'string') return [issue(value, 'is not a string', 'type')]
    const given = anyCase ? value.toLowerCase() : value
    return words.some((word) => (anyCase ? word.toLowerCase() : word) === given) ? [] : wrong(value)
  }, schema)
}

/** Text that must hold; `accepts` sees text only. */
export function text(accepts: (value: string) => string | null): Check {
  return described(
    (value) => {
      if (typeof value !== 'string') return [issue(value, 'is not a string', 'type')]
      const complaint = accepts(value)
      return complaint === null ? [] : wrong(value, complaint)
    },
    { type: 'string' },
  )
}

export const booleanLike = (complaint: string, ...words: readonly string[]): Check =>
  described(
    (value) =>
      parseBool(value) !== undefined || words.includes(textForm(value).toLowerCase()) ? [] : wrong(value, complaint),
    { type: ['boolean', 'string', 'integer'], examples: ['on', 'off', ...words] },
  )

export function list(item: Check, typeName = 'a list', emptyIsFine = false): Check {
  const schema = { type: 'array', items: schemaOf(item), ...(emptyIsFine ? {} : { minItems: 1 }) }
  return described(async (value, context) => {
    if (!Array.isArray(value)) return [issue(value, `is not ${typeName}`, 'type')]
    if (value.length === 0 && !emptyIsFine) return [issue(value, 'is an empty list')]
    const found: Issue[] = []
    for (const [i, one] of (value as readonly Json[]).entries())
      found.push(...(await item(one, context)).map((problem) => below(String(i), problem)))
    return found
  }, schema)
}

/** Any of the alternatives. Errors in a value say more than errors of type, so they hide the latter. */
export function either(...alternatives: readonly Check[]): Check {
  return described(
    async (value, context) => {
      const answers: (readonly Issue[])[] = []
      for (const check of alternatives) {
        const answer = await check(value, context)
        if (answer.length === 0) return []
        answers.push(answer)
      }
      const specific = answers.filter((answer) => !answer.every((one) => one.kind === 'type'))
      return (specific.length > 0 ? specific : answers).flat()
    },
    { anyOf: alternatives.map(schemaOf) },
  )
}

/** All of the checks, until one complains. */
export function both(...checks: readonly Check[]): Check {
  return described(
    async (value, context) => {
      for (const check of checks) {
        const answer = await check(value, context)
        if (answer.length > 0) return answer
      }
      return []
    },
    Object.assign({}, ...checks.map(schemaOf)) as JsonObject,
  )
}

export interface Key {
  readonly check: Check
  readonly mandatory?: boolean
  /** Runs even where the key is missing: then with an empty text. */
  readonly always?: boolean
}

/** A mapping with known keys; others pass. `anyOf`: at least one of these keys must be there. */
export function mapping(keys: Readonly<Record<string, Key | Check>>, anyOf: readonly string[] = []): Check {
  return described(
    async (value, context) => {
      if (!isObject(value)) return [issue(value, 'is not a dictionary', 'type')]
      const noneOf = anyOf.length > 0 && !anyOf.some((key) => key in value)
      const found: Issue[] = []
      for (const [name, entry] of Object.entries(keys)) {
        const key: Key = typeof entry === 'function' ? { check: entry } : entry
        const present = value[name]
        if (present !== undefined || key.always) {
          const answer = await key.check(present ?? '', context)
          found.push(...answer.map((problem) => below(name, problem)))
        } else if (key.mandatory || (noneOf && anyOf.includes(name))) {
          found.push(missing([name]))
        }
      }
      return found
    },
    mappingSchema(keys, anyOf),
  )
}

function mappingSchema(keys: Readonly<Record<string, Key | Check>>, anyOf: readonly string[]): JsonObject {
  const entries = Object.entries(keys).map(([name, entry]): [string, Key] => [
    name,
    typeof entry === 'function' ? { check: entry } : entry,
  ])
  const required = entries.filter(([, key]) => key.mandatory).map(([name]) => name)
  return {
    type: 'object',
    properties: Object.fromEntries(entries.map(([name, { check }]) => [name, schemaOf(check)])),
    ...(required.length > 0 ? { required } : {}),
    ...(anyOf.length > 0 ? { anyOf: anyOf.map((name) => ({ required: [name] })) } : {}),
  }
}

export function below(key: string, problem: Issue): Issue {
  return { ...problem, path: [key, ...problem.path] }
}
