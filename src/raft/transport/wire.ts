import { isObject, type Json, type JsonObject, parseJson } from '../../cluster/json.ts'
import {
  type Body,
  type Entry,
  type EntryBody,
  type Membership,
  type Message,
  type NodeId,
  nodeId,
  type Snapshot,
} from '../core/types.ts'

/** What a text between members, or of a client, says. */
export type Packet =
  | { readonly kind: 'raft'; readonly message: Message }
  | { readonly kind: 'request'; readonly number: number; readonly body: JsonObject }
  | { readonly kind: 'answer'; readonly number: number; readonly body: JsonObject }

export function printPacket(packet: Packet): string {
  switch (packet.kind) {
    case 'raft': {
      const { from, to, term, body } = packet.message
      return JSON.stringify({ r: [from, to, term, body] })
    }
    case 'request':
      return JSON.stringify({ q: packet.number, b: packet.body })
    case 'answer':
      return JSON.stringify({ a: packet.number, b: packet.body })
  }
}

/** @returns `null` for what no version of this program would say */
export function parsePacket(text: string): Packet | null {
  const json = parseJson(text)
  if (!isObject(json)) return null
  const { r, q, a, b } = json
  if (isObject(b) && isCount(q)) return { kind: 'request', number: q, body: b }
  if (isObject(b) && isCount(a)) return { kind: 'answer', number: a, body: b }
  if (!Array.isArray(r)) return null
  const message = parseMessage(r as readonly Json[])
  return message && { kind: 'raft', message }
}

function parseMessage([from, to, term, body]: readonly Json[]): Message | null {
  if (typeof from !== 'string' || typeof to !== 'string' || !isCount(term) || !isObject(body)) return null
  const parsed = parseBody(body)
  return parsed && { from: nodeId(from), to: nodeId(to), term, body: parsed }
}

function parseBody(json: JsonObject): Body | null {
  const { kind } = json
  if (typeof kind !== 'string') return null
  switch (kind) {
    case 'pre-vote':
      return counts(json, 'lastIndex', 'lastTerm') ? (json as Body) : null
    case 'vote':
      return counts(json, 'lastIndex', 'lastTerm') && typeof json['transfer'] === 'boolean' ? (json as Body) : null
    case 'pre-vote-answer':
    case 'vote-answer':
      return typeof json['granted'] === 'boolean' ? (json as Body) : null
    case 'append': {
      if (!counts(json, 'prevIndex', 'prevTerm', 'commit') || !Array.isArray(json['entries'])) return null
      const entries = (json['entries'] as readonly Json[]).map(parseEntry)
      return entries.includes(null) || !areInOrder(entries as Entry[], json['prevIndex'] as number)
        ? null
        : ({ ...json, entries } as unknown as Body)
    }
    case 'append-accepted':
      return counts(json, 'index') ? (json as Body) : null
    case 'append-rejected':
      return counts(json, 'index', 'hint', 'hintTerm') ? (json as Body) : null
    case 'heartbeat':
      return counts(json, 'commit', 'round') ? (json as Body) : null
    case 'heartbeat-answer':
      return counts(json, 'round') ? (json as Body) : null
    case 'campaign-now':
      return { kind }
    case 'read-index':
      return counts(json, 'read') ? (json as Body) : null
    case 'read-index-answer':
      return counts(json, 'read') && (json['index'] === null || counts(json, 'index')) ? (json as Body) : null
    case 'snapshot': {
      const snapshot = parseSnapshot(json['snapshot'])
      return snapshot && { kind, snapshot }
    }
    default:
      return null
  }
}

function parseEntry(json: Json): Entry | null {
  if (!isObject(json) || !counts(json, 'index', 'term') || !isObject(json['body'])) return null
  const body = parseEntryBody(json['body'])
  return body && { index: json['index'] as number, term: json['term'] as number, body }
}

function parseEntryBody({ kind, command, membership }: JsonObject): EntryBody | null {
  if (kind === 'nothing') return { kind }
  if (kind === 'command' && typeof command === 'string') return { kind, command }
  if (kind !== 'membership') return null
  const parsed = parseMembership(membership)
  return parsed && { kind, membership: parsed }
}

function parseMembership(json: Json | undefined): Membership | null {
  if (!isObject(json)) return null
  const voters = parseIds(json['voters'])
  const learners = parseIds(json['learners'])
  return voters && learners && { voters, learners }
}

function parseIds(json: Json | undefined): NodeId[] | null {
  if (!Array.isArray(json) || !json.every((id) => typeof id === 'string')) return null
  return (json as readonly string[]).map(nodeId)
}

function parseSnapshot(json: Json | undefined): Snapshot | null {
  if (!isObject(json) || !counts(json, 'index', 'term') || typeof json['data'] !== 'string') return null
  const membership = parseMembership(json['membership'])
  return membership && { index: json['index'] as number, term: json['term'] as number, membership, data: json['data'] }
}

function areInOrder(entries: readonly Entry[], prevIndex: number): boolean {
  return entries.every(({ index }, i) => index === prevIndex + 1 + i)
}

function counts(json: JsonObject, ...keys: readonly string[]): boolean {
  return keys.every((key) => isCount(json[key]))
}

function isCount(json: Json | undefined): json is number {
  return typeof json === 'number' && Number.isSafeInteger(json) && json >= 0
}
