import type { JsonObject } from '../../cluster/json.ts'

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
