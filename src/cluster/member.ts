import { INSTANCE_STATES, type InstanceState, parseRole, type Role } from './instance.ts'
import { isObject, type JsonObject, parseJson } from './json.ts'
import { type Lsn, parseLsn } from './lsn.ts'
import type { Version } from './stored.ts'
import { isClonefrom, isNofailover, isNostream, type Tags } from './tags.ts'
import { parseTimeline, type Timeline } from './timeline.ts'

/** One member key of the store, as published by that member (spec dcs.md 2.5). Everything in it may be missing or wrong. */
export interface Member {
  readonly name: string
  readonly version: Version
  /** The lease or session that the key lives on; `null` where the store has none. */
  readonly session: string | null
  readonly data: MemberData
}

export interface MemberData {
  /** The document as it was read, unknown keys included. */
  readonly raw: JsonObject
  readonly connUrl: string | null
  readonly apiUrl: string | null
  readonly proxyUrl: string | null
  readonly state: InstanceState | null
  readonly role: Role | null
  readonly agentVersion: string | null
  readonly tags: Tags
  readonly xlogLocation: Lsn | null
  readonly receiveLsn: Lsn | null
  readonly replayLsn: Lsn | null
  readonly replicationState: string | null
  readonly timeline: Timeline | null
  /** `false` while the checkpoint after a promotion is pending; `null` where the member does not say. */
  readonly checkpointAfterPromote: boolean | null
  readonly pendingRestart: boolean
  readonly scheduledRestart: JsonObject | null
  readonly paused: boolean
}

export function parseMember(name: string, text: string, version: Version, session: string | null): Member {
  return { name, version, session, data: parseMemberData(text) }
}

export function parseMemberData(text: string): MemberData {
  const legacy = text.startsWith('postgres') ? legacyUrl(text) : undefined
  const parsed = legacy ?? parseJson(text)
  return memberDataFrom(isObject(parsed) ? parsed : {})
}

export function memberDataFrom(raw: JsonObject): MemberData {
  const text = (key: string): string | null => {
    const value = raw[key]
    return typeof value === 'string' && value !== '' ? value : null
  }
  const state = text('state')
  const checkpoint = raw['checkpoint_after_promote']
  const tags = raw['tags']
  const restart = raw['scheduled_restart']
  return {
    raw,
    connUrl: text('conn_url'),
    apiUrl: text('api_url'),
    proxyUrl: text('proxy_url'),
    state: (INSTANCE_STATES as readonly (string | null)[]).includes(state) ? (state as InstanceState) : null,
    role: parseRole(raw['role']),
    agentVersion: text('version'),
    tags: isObject(tags) ? tags : {},
    xlogLocation: parseLsn(raw['xlog_location']),
    receiveLsn: parseLsn(raw['receive_lsn']),
    replayLsn: parseLsn(raw['replay_lsn']),
    replicationState: text('replication_state'),
    timeline: parseTimeline(raw['timeline']),
    checkpointAfterPromote: typeof checkpoint === 'boolean' ? checkpoint : null,
    pendingRestart: raw['pending_restart'] === true,
    scheduledRestart: isObject(restart) ? restart : null,
    paused: raw['pause'] === true,
  }
}

/** The oldest form of the key: a connection URL whose `application_name` parameter is the REST URL. */
function legacyUrl(text: string): JsonObject | undefined {
  const [address, query] = text.split('?', 2)
  const api = new URLSearchParams(query ?? '').get('application_name')
  return address ? { conn_url: address, ...(api ? { api_url: api } : {}) } : undefined
}

/** Whether new replicas should be copied from this member rather than from the leader (spec ha.md 4.1). */
export function isCloneSource(member: Member): boolean {
  return isClonefrom(member.data.tags) && member.data.connUrl !== null && member.data.state === 'running'
}

export function mayBePromoted(member: Member): boolean {
  return !isNofailover(member.data.tags)
}

export function streams(member: Member): boolean {
  return !isNostream(member.data.tags)
}

/** Compares dotted versions number by number; an unreadable version is older than every other. */
export function isVersionBelow(version: string | null, limit: readonly number[]): boolean {
  const parts = version && /^\d+(\.\d+)*$/.test(version) ? version.split('.').map(Number) : []
  if (parts.length === 0) return true
  for (const [i, wanted] of limit.entries()) {
    const have = parts[i] ?? 0
    if (have !== wanted) return have < wanted
  }
  return false
}
