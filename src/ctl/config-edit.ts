import { isObject, type Json, type JsonObject } from '../cluster/json.ts'
import { mergePatch } from '../config/merge.ts'
import { parseYaml } from '../config/yaml.ts'
import { CtlError } from './errors.ts'

/** Parameters of PostgreSQL have dots of their own: below this path the rest of a name is one key. */
const PARAMETERS = ['postgresql', 'parameters']

/**
 * Reads a YAML document that has to be a mapping.
 * @param origin names the text in error messages
 * @throws {CtlError}
 */
export function parseMapping(text: string, origin: string): JsonObject {
  const parsed = parseYaml(text)
  if (parsed.kind === 'error') {
    const place = parsed.line === null ? '' : ` in line ${parsed.line}`
    throw new CtlError(`${origin} is not valid YAML${place}: ${parsed.message}`)
  }
  if (!isObject(parsed.value)) throw new CtlError(`${origin} has to be a mapping (key: value), nothing was changed`)
  return parsed.value
}

/** What the options of edit-config ask for, in the order in which they work (spec ctl.md 8.8). */
export interface ConfigChanges {
  readonly replace: JsonObject | null
  readonly apply: JsonObject | null
  /** `KEY=VALUE`, then those of `--pg` with their prefix. */
  readonly pairs: readonly string[]
}

export function changedConfig(before: JsonObject, { replace, apply, pairs }: ConfigChanges): JsonObject {
  const replaced = replace ? mergePatch({}, replace) : before
  const applied = apply ? mergePatch(replaced, apply) : replaced
  return pairs.reduce(withPair, applied)
}

/** @throws {CtlError} */
function withPair(document: JsonObject, pair: string): JsonObject {
  const at = pair.indexOf('=')
  if (at < 0) throw new CtlError(`Invalid parameter setting ${pair}`)
  const value = parseYaml(pair.slice(at + 1))
  if (value.kind === 'error') throw new CtlError(`Invalid parameter setting ${pair}: ${value.message}`)
  return withValue(document, keyPath(pair.slice(0, at).trim()), value.value) ?? {}
}

function keyPath(key: string): string[] {
  const parts = key.split('.')
  const below = PARAMETERS.length
  const isParameter = parts.length > below && PARAMETERS.every((name, i) => parts[i] === name)
  return isParameter ? [...PARAMETERS, parts.slice(below).join('.')] : parts
}

/** @returns `undefined` for a mapping that ends up empty: such ones are removed on the way */
function withValue(
  target: Json | undefined,
  [key = '', ...rest]: readonly string[],
  value: Json,
): JsonObject | undefined {
  const { [key]: old, ...others } = isObject(target) ? target : {}
  const inner = rest.length > 0 ? withValue(old, rest, value) : (value ?? undefined)
  if (inner === undefined) return Object.keys(others).length > 0 ? others : undefined
  // A key that exists keeps its place.
  return isObject(target) && key in target ? { ...target, [key]: inner } : { ...others, [key]: inner }
}

/** Equality of documents; the order of keys does not matter. */
export function isSameValue(one: Json | undefined, other: Json | undefined): boolean {
  if (Array.isArray(one) && Array.isArray(other)) {
    const [left, right] = [one as readonly Json[], other as readonly Json[]]
    return left.length === right.length && left.every((item, i) => isSameValue(item, right[i]))
  }
  if (!isObject(one) || !isObject(other)) return one === other
  const keys = Object.keys(one)
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && isSameValue(one[key], other[key]))
  )
}
