import { isObject, type Json } from '../cluster/json.ts'

/**
 * Whether two documents say the same, so that writing one over the other would change nothing (spec dcs.md 1.9):
 * objects have the same keys, whatever their order; a number equals its text, since members of different programs
 * write one or the other; nothing else of different types is equal.
 */
export function sameContent(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item: Json, i) => sameContent(item, b[i] as Json))
  }
  if (isObject(a) && isObject(b)) {
    const keys = Object.keys(a)
    return keys.length === Object.keys(b).length && keys.every((key) => key in b && sameContent(a[key], b[key]))
  }
  return isNumberAndItsText(a, b) || isNumberAndItsText(b, a)
}

function isNumberAndItsText(a: Json | undefined, b: Json | undefined): boolean {
  return typeof a === 'number' && typeof b === 'string' && String(a) === b
}
