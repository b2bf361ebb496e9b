import { isObject, type Json, type JsonObject } from '../../cluster/json.ts'
import { type NodeId, nodeId } from '../core/types.ts'
import { parseCommand } from '../kv/check-command.ts'
import type { Command, Result } from '../kv/command.ts'
import type { KeyValue } from '../kv/history.ts'

/** What members and clients ask of a member. `hops`: how often it may still be passed on to the leader. */
export type Request =
  | { readonly do: 'membership' }
  | { readonly do: 'status' }
  | { readonly do: 'submit'; readonly command: Command; readonly hops: number }
  | { readonly do: 'read'; readonly prefix: string }
  | { readonly do: 'join'; readonly id: NodeId; readonly hops: number }
  | { readonly do: 'add' | 'remove' | 'transfer'; readonly address: string; readonly hops: number }

export function printRequest(request: Request): JsonObject {
  return request as unknown as JsonObject
}

export function parseRequest(json: JsonObject): Request | null {
  const { do: what, command, prefix, id, address } = json
  const hops = json['hops'] === 1 ? 1 : 0
  switch (typeof what === 'string' ? what : '') {
    case 'membership':
      return { do: 'membership' }
    case 'status':
      return { do: 'status' }
    case 'submit': {
      const parsed = parseCommand(command)
      return parsed && { do: 'submit', command: parsed, hops }
    }
    case 'read':
      return typeof prefix === 'string' ? { do: 'read', prefix } : null
    case 'join':
      return typeof id === 'string' ? { do: 'join', id: nodeId(id), hops } : null
    case 'add':
    case 'remove':
    case 'transfer':
      return typeof address === 'string' ? { do: what as 'add', address, hops } : null
    default:
      return null
  }
}

/** What a member says of its group, as it knows it. Addresses may be found in the ids. */
export interface MembershipReport {
  readonly id: NodeId
  readonly voters: readonly NodeId[]
  readonly learners: readonly NodeId[]
  readonly leader: NodeId | null
}

export function parseMembershipReport(json: JsonObject): MembershipReport | null {
  const { id, voters, learners, leader } = json
  if (typeof id !== 'string' || (leader !== null && typeof leader !== 'string')) return null
  if (!isTexts(voters) || !isTexts(learners)) return null
  return {
    id: nodeId(id),
    voters: voters.map(nodeId),
    learners: learners.map(nodeId),
    leader: leader === null ? null : nodeId(leader),
  }
}

/** The answer to `submit`: `result`, or `again` with the reason why not yet. */
export function parseSubmitAnswer(
  json: JsonObject,
):
  | { readonly kind: 'result'; readonly index: number; readonly result: Result }
  | { readonly kind: 'again'; readonly reason: string } {
  const { result, index, again } = json
  if (isObject(result) && typeof index === 'number' && typeof result['kind'] === 'string') {
    return { kind: 'result', index, result: result as unknown as Result }
  }
  return { kind: 'again', reason: typeof again === 'string' ? again : 'the answer cannot be understood' }
}

export function parseReadAnswer(json: JsonObject): readonly KeyValue[] | null {
  const { keys } = json
  if (!Array.isArray(keys)) return null
  const parsed = (keys as readonly Json[]).map((item): KeyValue | null => {
    if (!isObject(item)) return null
    const { key, value, version, lease } = item
    if (typeof key !== 'string' || typeof value !== 'string' || typeof version !== 'number') return null
    return lease === null || typeof lease === 'string' ? { key, value, version, lease } : null
  })
  return parsed.includes(null) ? null : (parsed as KeyValue[])
}

function isTexts(json: Json | undefined): json is readonly string[] {
  return Array.isArray(json) && json.every((item) => typeof item === 'string')
}
