import { isObject, type Json, type JsonObject } from '../cluster/json.ts'
import { textForm } from '../cluster/values.ts'

/**
 * Merge patch of `patch` onto `base` (spec configuration.md 1.6): null deletes a key, two mappings merge, anything else
 * replaces. A leaf that has the same text form as before stays as it is.
 * @returns `base` itself when the patch changes nothing
 */
export function mergePatch(base: JsonObject, patch: JsonObject): JsonObject {
  const result = new Map(Object.entries(base))
  let changed = false
  for (const [key, value] of Object.entries(patch)) {
    const old = result.get(key)
    if (value === null) {
      changed = result.delete(key) || changed
    } else if (isObject(old) && isObject(value)) {
      const merged = mergePatch(old, value)
      changed ||= merged !== old
      result.set(key, merged)
    } else if (old === undefined || textForm(old) !== textForm(value)) {
      changed = true
      result.set(key, value)
    }
  }
  return changed ? Object.fromEntries(result) : base
}

/** Whether two documents mean the same: same keys at every level, leaves of the same text form. Null is not "missing". */
export function sameDocument(one: Json | undefined, other: Json | undefined): boolean {
  if (isObject(one) && isObject(other)) {
    const keys = Object.keys(one)
    return (
      keys.length === Object.keys(other).length &&
      keys.every((key) => Object.hasOwn(other, key) && sameDocument(one[key], other[key]))
    )
  }
  if (isObject(one) || isObject(other) || one === undefined || other === undefined) return one === other
  return textForm(one) === textForm(other)
}
