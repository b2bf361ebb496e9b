import type { Json, JsonObject } from './json.ts'
import type { Member } from './member.ts'
import { checkSchedule } from './schedule.ts'
import { type ClusterSettings, syncMode } from './settings.ts'
import { isVoter } from './sync-state.ts'
import type { Timestamp } from './timestamp.ts'
import { isTruthy, textForm } from './values.ts'
import { type ClusterView, lockOwner, memberNamed } from './view.ts'

export type ManualAction = 'switchover' | 'failover'

/** What somebody asks for; the leader is the one to switch away from. */
export interface ManualRequest {
  readonly action: ManualAction
  readonly leader: string | null
  readonly candidate: string | null
  /** `null`: now. */
  readonly scheduledAt: Timestamp | null
}

export interface Refusal {
  readonly kind: 'refused'
  readonly status: 400 | 412 | 422
  readonly text: string
}

export type RequestCheck = { readonly kind: 'valid'; readonly request: ManualRequest } | Refusal

/** What a body or the options of the tool say, before anybody has looked at it. Empty values count as absent. */
export interface RawRequest {
  readonly leader: Json | undefined
  readonly candidate: Json | undefined
  readonly scheduledAt: Json | undefined
}

/** Reads the body of `POST /switchover` and `/failover`; `member` is the old name of `candidate`. */
export function rawRequest(body: JsonObject): RawRequest {
  const { leader, candidate, member, scheduled_at } = body
  return { leader, candidate: isTruthy(candidate) ? candidate : member, scheduledAt: scheduled_at }
}

/**
 * Whether a request makes sense by itself, whatever the cluster looks like (spec rest-api.md 13.1 rows 1 to 7,
 * ha.md 12.1 rows 1 to 8). A failover that names a leader is a switchover from here on.
 */
export function checkRequest(
  action: ManualAction,
  raw: RawRequest,
  now: { readonly paused: boolean; readonly wallMs: number },
): RequestCheck {
  const leader = isTruthy(raw.leader) ? textForm(raw.leader) : null
  const candidate = isTruthy(raw.candidate) ? textForm(raw.candidate) : null
  const schedule = isTruthy(raw.scheduledAt) ? (raw.scheduledAt as Json) : null
  if (action === 'failover' && candidate === null)
    return refused(400, 'Failover could be performed only to a specific candidate')
  if (action === 'switchover' && leader === null)
    return refused(400, 'Switchover could be performed only from a specific leader')
  if (action === 'failover' && schedule !== null) return refused(400, "Failover can't be scheduled")
  if (schedule !== null && now.paused) return refused(400, "Can't schedule switchover in the paused state")
  const due = schedule === null ? null : checkSchedule(schedule, 'switchover', now.wallMs)
  if (due?.kind === 'refused') return due
  if (now.paused && candidate === null)
    return refused(400, 'Switchover is possible only to a specific candidate in a paused state')
  if (leader !== null && leader === candidate) return refused(400, 'Switchover target and source are the same')
  const request: ManualRequest = {
    action: leader === null ? 'failover' : 'switchover',
    leader,
    candidate,
    scheduledAt: due?.at ?? null,
  }
  return { kind: 'valid', request }
}

export type PossibilityCheck = { readonly kind: 'ask'; readonly members: readonly Member[] } | Refusal

/**
 * Whether the cluster as the store shows it has somebody for this request (spec rest-api.md 13.2 rows 1 to 5, ha.md
 * 12.1 rows 9 to 13).
 * @returns the members to ask whether they can take over: one good answer is enough, none is `noGoodCandidates`
 */
export function checkPossibility(
  view: ClusterView,
  settings: ClusterSettings,
  request: Pick<ManualRequest, 'action' | 'leader' | 'candidate'>,
): PossibilityCheck {
  const { action, leader, candidate } = request
  const owner = lockOwner(view)
  const prioritySync = syncMode(settings) === 'on'
  if (leader !== null && leader !== owner) return refused(412, 'leader name does not match')
  if (candidate !== null) {
    if (action === 'switchover' && prioritySync && !isVoter(view.sync, candidate))
      return refused(412, 'candidate name does not match with sync_standby')
    const member = memberNamed(view, candidate)
    return member ? { kind: 'ask', members: [member] } : refused(412, 'candidate does not exists')
  }
  if (prioritySync) {
    const standbys = view.members.filter((member) => isVoter(view.sync, member.name))
    return standbys.length > 0
      ? { kind: 'ask', members: standbys }
      : refused(412, `${action} is not possible: can not find sync_standby`)
  }
  const others =
    owner === null ? view.members : view.members.filter((one) => one.name !== owner && one.data.apiUrl !== null)
  return others.length > 0
    ? { kind: 'ask', members: others }
    : refused(412, `${action} is not possible: cluster does not have members except leader`)
}

/** None of the members asked can take over: unreachable, not allowed to, or without their watchdog. */
export function noGoodCandidates(action: ManualAction): Refusal {
  return refused(412, `${action} is not possible: no good candidates have been found`)
}

function refused(status: Refusal['status'], text: string): Refusal {
  return { kind: 'refused', status, text }
}

/** What became of a request: read off the store while one waits (spec rest-api.md 13.3). */
export type RequestProgress =
  | { readonly kind: 'succeeded'; readonly text: string }
  | { readonly kind: 'failed'; readonly text: string }
  | { readonly kind: 'pending' }

/** @param leaderBefore who held the lock when the request arrived */
export function requestProgress(
  view: ClusterView,
  request: Pick<ManualRequest, 'action' | 'candidate'>,
  leaderBefore: string | null,
): RequestProgress {
  const verb = request.action === 'switchover' ? 'Switched' : 'Failed'
  const now = lockOwner(view)
  if (now !== null && now !== leaderBefore) {
    const asWished = request.candidate === null || request.candidate === now
    const text = asWished
      ? `Successfully ${verb.toLowerCase()} over to "${now}"`
      : `${verb} over to "${now}" instead of "${request.candidate}"`
    return { kind: 'succeeded', text }
  }
  const asked = view.failover
  if (!asked || (asked.leader === null && asked.candidate === null))
    return { kind: 'failed', text: `${title(request.action)} failed` }
  return { kind: 'pending' }
}

/** The text when the time to wait is over and nothing is known. */
export function statusUnknown(action: ManualAction, waitedSeconds: number): string {
  return `${title(action)} status unknown after ${waitedSeconds} seconds; operation may still be in progress`
}

function title(action: ManualAction): string {
  return action === 'switchover' ? 'Switchover' : 'Failover'
}
