import { isObject, type Json } from '../../cluster/json.ts'

/** What JSON has no word for, by a mapping with this one key. */
const KEY = '$'

/** Any data of ours as JSON: maps, sets, infinities and `undefined` included; functions are left out. */
export function encode(value: unknown): Json {
  if (typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : { [KEY]: String(value) }
  if (typeof value !== 'object') return { [KEY]: 'undefined' }
  if (value === null) return null
  if (Array.isArray(value)) return value.map(encode)
  if (value instanceof Map) return { [KEY]: 'map', of: [...value].map(([key, one]) => [encode(key), encode(one)]) }
  if (value instanceof Set) return { [KEY]: 'set', of: [...value].map(encode) }
  const data = Object.entries(value).filter(([, one]) => typeof one !== 'function')
  return Object.fromEntries(data.map(([key, one]) => [key, encode(one)]))
}

export function decode(value: Json): unknown {
  if (Array.isArray(value)) return (value as readonly Json[]).map(decode)
  if (!isObject(value)) return value
  const of = Array.isArray(value['of']) ? (value['of'] as readonly Json[]).map(decode) : []
  const kind = value[KEY]
  if (kind === undefined) return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, decode(one)]))
  if (kind === 'undefined') return undefined
  if (kind === 'map') return new Map(of as [unknown, unknown][])
  return kind === 'set' ? new Set(of) : Number(kind)
}
