import { isDeepStrictEqual } from 'node:util'
import { isObject, type Json, type JsonObject } from '../../cluster/json.ts'

/** Follows `#/a/b` in a document; a key in it may hold `~1` for a slash. */
export function resolve(document: JsonObject, node: Json | undefined): JsonObject {
  const found = isObject(node) ? node : {}
  const reference = found['$ref']
  if (typeof reference !== 'string') return found
  const steps = reference.slice(2).split('/')
  const target = steps.reduce<Json | undefined>(
    (at, step) => (isObject(at) ? at[step.replaceAll('~1', '/')] : undefined),
    document,
  )
  if (target === undefined) throw new Error(`nothing at ${reference}`)
  return resolve(document, target)
}

/** The part of JSON Schema that the description of the API uses. A keyword that is not known is an error, not a pass. */
export function violations(document: JsonObject, schemaNode: Json | undefined, value: Json, at = '$'): string[] {
  const schema = resolve(document, schemaNode)
  const within = (node: Json | undefined, part: Json, where: string) => violations(document, node, part, where)
  const problems: string[] = []
  for (const [keyword, rule] of Object.entries(schema)) {
    const ok = check(keyword, rule)
    if (ok === false)
      problems.push(`${at}: ${keyword} ${JSON.stringify(rule)} does not hold for ${JSON.stringify(value)}`)
    else if (Array.isArray(ok)) problems.push(...ok)
  }
  return problems

  function check(keyword: string, rule: Json): boolean | string[] {
    switch (keyword) {
      case 'description':
      case 'examples':
      case 'default':
        return true
      case 'type':
        return [rule].flat().some((type) => isOfType(value, type as string))
      case 'const':
        return isDeepStrictEqual(value, rule)
      case 'enum':
        return (rule as Json[]).some((one) => isDeepStrictEqual(one, value))
      case 'pattern':
        return typeof value !== 'string' || new RegExp(rule as string).test(value)
      case 'minimum':
        return typeof value !== 'number' || value >= (rule as number)
      case 'minItems':
        return !Array.isArray(value) || value.length >= (rule as number)
      case 'maxItems':
        return !Array.isArray(value) || value.length <= (rule as number)
      case 'minProperties':
        return !isObject(value) || Object.keys(value).length >= (rule as number)
      case 'required':
        return !isObject(value) || (rule as string[]).every((key) => key in value)
      case 'properties':
        if (!isObject(value)) return true
        return Object.entries(rule as JsonObject).flatMap(([key, node]) =>
          key in value ? within(node, value[key] as Json, `${at}.${key}`) : [],
        )
      case 'additionalProperties':
        if (!isObject(value) || rule === true) return true
        return Object.entries(value).flatMap(([key, part]) => {
          if (isObject(schema['properties']) && key in schema['properties']) return []
          return rule === false ? [`${at}: ${key} is not expected`] : within(rule, part, `${at}.${key}`)
        })
      case 'items':
        return Array.isArray(value) ? value.flatMap((part: Json, i) => within(rule, part, `${at}[${i}]`)) : true
      case 'prefixItems':
        if (!Array.isArray(value)) return true
        return (rule as Json[]).flatMap((node, i) =>
          i < value.length ? within(node, value[i] as Json, `${at}[${i}]`) : [],
        )
      case 'oneOf':
        return (rule as Json[]).filter((node) => within(node, value, at).length === 0).length === 1
      case 'anyOf':
        return (rule as Json[]).some((node) => within(node, value, at).length === 0)
      default:
        throw new Error(`keyword ${keyword} at ${at} is not known`)
    }
  }
}

function isOfType(value: Json, type: string): boolean {
  switch (type) {
    case 'null':
      return value === null
    case 'array':
      return Array.isArray(value)
    case 'object':
      return isObject(value)
    case 'integer':
      return Number.isInteger(value)
    default:
      return typeof value === type
  }
}
