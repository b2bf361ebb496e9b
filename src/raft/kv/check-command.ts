import { isObject, type Json, type JsonObject } from '../../cluster/json.ts'
import type { Branch, Change, Command, Condition } from './command.ts'

/** Reads a request from the network: what is wrong here would be wrong in the log of every member, for ever. */
export function parseCommand(json: Json | undefined): Command | null {
  if (!isObject(json)) return null
  if (json['kind'] === 'open') return { kind: 'open' }
  if (json['kind'] !== 'transaction') return null
  const { session, request, answeredBelow, transaction } = json
  const branches = isObject(transaction) ? list(transaction['branches'], parseBranch) : null
  if (!isCount(session) || !isCount(request) || !isCount(answeredBelow) || !branches) return null
  return { kind: 'transaction', session, request, answeredBelow, transaction: { branches } }
}

function parseBranch(json: JsonObject): Branch | null {
  const conditions = list(json['conditions'], parseCondition)
  const changes = list(json['changes'], parseChange)
  return conditions && changes ? { conditions, changes } : null
}

function parseCondition({ kind, key, version, value }: JsonObject): Condition | null {
  if (typeof key !== 'string' || typeof kind !== 'string') return null
  switch (kind) {
    case 'absent':
      return { kind, key }
    case 'version':
      return isCount(version) ? { kind, key, version } : null
    case 'value':
      return typeof value === 'string' ? { kind, key, value } : null
    default:
      return null
  }
}

function parseChange({ kind, key, value, lease, prefix, ttlMs }: JsonObject): Change | null {
  if (kind === 'lease') return typeof lease === 'string' && isCount(ttlMs) && ttlMs > 0 ? { kind, lease, ttlMs } : null
  if (kind === 'delete-prefix') return typeof prefix === 'string' ? { kind, prefix } : null
  if (typeof key !== 'string' || typeof kind !== 'string') return null
  switch (kind) {
    case 'put':
      if (typeof value !== 'string' || (lease !== null && typeof lease !== 'string')) return null
      return { kind, key, value, lease }
    case 'bind':
      return typeof lease === 'string' ? { kind, key, lease } : null
    case 'delete':
      return { kind, key }
    default:
      return null
  }
}

function list<T>(json: Json | undefined, parse: (item: JsonObject) => T | null): T[] | null {
  if (!Array.isArray(json)) return null
  const items = (json as readonly Json[]).map((item) => (isObject(item) ? parse(item) : null))
  return items.includes(null) ? null : (items as T[])
}

function isCount(json: Json | undefined): json is number {
  return typeof json === 'number' && Number.isSafeInteger(json) && json >= 0
}
