import { isObject, type JsonObject, parseJson } from './json.ts'
import type { StoredValue, Version } from './stored.ts'

/** The `failover` key: a wish of the operator (spec dcs.md 2.9). It is pending when it names a leader or a candidate. */
export interface FailoverRequest {
  readonly version: Version | null
  /** Present: a switchover away from this member. */
  readonly leader: string | null
  readonly candidate: string | null
  /** As written; ISO 8601 with an offset when it is right. */
  readonly scheduledAt: string | null
}

export function parseFailoverRequest(stored: StoredValue | undefined): FailoverRequest | null {
  if (!stored) return null
  const parsed = parseJson(stored.text)
  if (parsed === undefined) {
    const [leader = '', candidate = ''] = stored.text.split(':').map((part) => part.trim())
    return { version: stored.version, leader: leader || null, candidate: candidate || null, scheduledAt: null }
  }
  const document = isObject(parsed) ? parsed : {}
  const text = (key: string): string | null => {
    const value = document[key]
    return typeof value === 'string' && value !== '' ? value : null
  }
  return {
    version: stored.version,
    leader: text('leader'),
    candidate: text('member'),
    scheduledAt: text('scheduled_at'),
  }
}

export function printFailoverRequest(request: Omit<FailoverRequest, 'version'>): JsonObject {
  return {
    ...(request.leader ? { leader: request.leader } : {}),
    ...(request.candidate ? { member: request.candidate } : {}),
    ...(request.scheduledAt ? { scheduled_at: request.scheduledAt } : {}),
  }
}

/** @returns the request when there is something to do, else `null`: a blank key is the usual state. */
export function pending(request: FailoverRequest | null): FailoverRequest | null {
  return request && (request.leader || request.candidate) ? request : null
}

export type FailoverAction = 'switchover' | 'manual failover' | 'failover'

/** How messages name it: `failover` stands for "nobody asked". */
export function actionName(request: FailoverRequest | null): FailoverAction {
  const asked = pending(request)
  if (!asked) return 'failover'
  return asked.leader ? 'switchover' : 'manual failover'
}

/** The action's name without `manual `. */
export function bareAction(action: FailoverAction): 'switchover' | 'failover' {
  return action === 'switchover' ? 'switchover' : 'failover'
}
