import { isObject, type JsonObject } from '../../cluster/json.ts'
import type { Key } from '../keys/key.ts'

type Callable = (...args: never[]) => unknown

/** What each check lets pass, as JSON Schema; said where the check is made, so that both come from one place. */
const SCHEMAS = new WeakMap<Callable, JsonObject>()

export function described<C extends Callable>(check: C, schema: JsonObject): C {
  SCHEMAS.set(check, schema)
  return check
}

/** A check that says nothing of itself lets anything pass. */
export function schemaOf(check: Callable): JsonObject {
  return SCHEMAS.get(check) ?? {}
}

/** Says in a schema what is told to people about a key; and what it may be, where no check says it. */
export function withKey(schema: JsonObject, { path, meaning, default: value, schema: own }: Key): JsonObject {
  const told = { description: meaning, ...(value === undefined ? {} : { default: value }) }
  return changedAt(schema, path.split('.'), (checked) => ({ ...own, ...checked, ...told }))
}

function changedAt(
  schema: JsonObject,
  [key = '', ...rest]: readonly string[],
  change: (schema: JsonObject) => JsonObject,
): JsonObject {
  const properties = objectAt(schema, 'properties')
  const inner = objectAt(properties, key)
  const changed = rest.length === 0 ? change(inner) : changedAt({ type: 'object', ...inner }, rest, change)
  return { ...schema, properties: { ...properties, [key]: changed } }
}

function objectAt(schema: JsonObject, key: string): JsonObject {
  const value = schema[key]
  return isObject(value) ? value : {}
}
