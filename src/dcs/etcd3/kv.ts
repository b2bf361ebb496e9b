import { isObject, type Json, type JsonObject } from '../../cluster/json.ts'
import type { Version } from '../../cluster/stored.ts'
import type { CallOutcome } from './gateway.ts'
import { encode, int64, isNewer, type KeyValue, prefixEnd, readKeyValues } from './wire.ts'

/** Requests and answers of etcd's key-value API as JSON (spec dcs.md 3.2). Pure. */

export function rangeOfPrefix(prefix: string): JsonObject {
  return { key: encode(prefix), range_end: prefixEnd(prefix) }
}

export function put(key: string, value: string, lease: string | null): JsonObject {
  return { key: encode(key), value: encode(value), ...(lease === null ? {} : { lease }) }
}

export type Condition =
  | { readonly kind: 'absent' }
  | { readonly kind: 'version'; readonly modRevision: string }
  | { readonly kind: 'value'; readonly value: string }

/** That a key is still as it was read; `null`: there was none. */
export function conditionOn(version: Version | null): Condition {
  return version === null ? { kind: 'absent' } : { kind: 'version', modRevision: version }
}

export function compare(key: string, condition: Condition): JsonObject {
  switch (condition.kind) {
    case 'absent':
      return { key: encode(key), target: 'CREATE', create_revision: '0' }
    case 'version':
      return { key: encode(key), target: 'MOD', mod_revision: condition.modRevision }
    case 'value':
      return { key: encode(key), target: 'VALUE', value: encode(condition.value) }
  }
}

/**
 * A change under conditions on the same key. When they do not hold, the answer says what the key is instead: a lost
 * answer to an earlier attempt can be told from a change by somebody else.
 * @param others comparisons of other keys
 */
export function transaction(
  key: string,
  conditions: readonly Condition[],
  change: JsonObject,
  others: readonly JsonObject[] = [],
): JsonObject {
  return {
    compare: [...conditions.map((condition) => compare(key, condition)), ...others],
    success: [change],
    failure: [{ request_range: { key: encode(key) } }],
  }
}

/** The leader's own repair: rebind the key to a new lease if it is still ours, create it if it is gone and that is allowed. */
export function rebind(key: string, value: string, lease: string, mayCreate: boolean): JsonObject {
  const change = { request_put: put(key, value, lease) }
  if (!mayCreate) return transaction(key, [{ kind: 'value', value }], change)
  return {
    compare: [compare(key, { kind: 'value', value })],
    success: [change],
    failure: [{ request_txn: transaction(key, [{ kind: 'absent' }], change) }],
  }
}

/** How a transaction ended on the server. `present` is the key as it was found where the conditions did not hold. */
export type Verdict =
  | { readonly kind: 'applied'; readonly revision: string }
  | { readonly kind: 'not-applied'; readonly present: KeyValue | null; readonly revision: string }

export function readVerdict(outcome: Extract<CallOutcome, { readonly kind: 'answer' }>): Verdict {
  const { revision } = outcome.header
  if (outcome.answer['succeeded'] === true) return { kind: 'applied', revision }
  const [response] = responses(outcome.answer)
  const inner = response?.['response_txn']
  if (!isObject(inner)) return { kind: 'not-applied', present: presentIn(response), revision }
  if (inner['succeeded'] === true) return { kind: 'applied', revision }
  return { kind: 'not-applied', present: presentIn(responses(inner)[0]), revision }
}

function responses(answer: JsonObject): JsonObject[] {
  const list: Json | undefined = answer['responses']
  return Array.isArray(list) ? (list as readonly Json[]).filter(isObject) : []
}

function presentIn(response: JsonObject | undefined): KeyValue | null {
  const range = response?.['response_range']
  return (isObject(range) && readKeyValues(range['kvs'])[0]) || null
}

/** @returns the remaining seconds; 0 where the lease is gone */
export function readKeepAlive(answer: JsonObject): number {
  const result = answer['result']
  const ttl = isObject(result) ? int64(result['TTL']) : '0'
  return isNewer(ttl, '0') ? Number(ttl) : 0
}
