import { isObject, type Json, type JsonObject } from './json.ts'
import { type Lsn, parseLsn, printLsn } from './lsn.ts'
import type { Member } from './member.ts'
import { type ClusterSettings, syncMode } from './settings.ts'
import { isVoter } from './sync-state.ts'
import { parseTimestamp, printTimestamp } from './timestamp.ts'
import { type ClusterView, lockOwner } from './view.ts'

/** What a member is to the cluster, as tables and `GET /cluster` say it. */
export type RowRole = 'leader' | 'standby_leader' | 'sync_standby' | 'quorum_standby' | 'replica'

export interface WalPosition {
  readonly lsn: Lsn
  /** Bytes behind the leader's last published position; never negative. */
  readonly lag: number
}

/** Three positions of a member that does not hold the lock; `null`: unknown. */
export interface RowPositions {
  readonly receive: WalPosition | null
  readonly replay: WalPosition | null
  /** The one position that members before 4.1 publish. */
  readonly location: WalPosition | null
}

/** One member as people and tools see it: the source of `GET /cluster`, of every table and of the tool's JSON. */
export interface MemberRow {
  readonly name: string
  readonly role: RowRole
  /** Empty when the member does not say. */
  readonly state: string
  readonly apiUrl: string | null
  readonly host: string | null
  /** `null` only where there is no host. */
  readonly port: number | null
  /** Copied from the member key, where present there: see `COPIED_KEYS`. */
  readonly published: JsonObject
  /** `null` for the holder of the lock. */
  readonly positions: RowPositions | null
}

const COPIED_KEYS = ['timeline', 'pending_restart', 'pending_restart_reason', 'scheduled_restart', 'tags'] as const

/** The rows of a cluster, sorted by name (spec ctl.md 4.1, rest-api.md 7.2). */
export function memberRows(view: ClusterView, settings: ClusterSettings): MemberRow[] {
  return view.members.map((member) => memberRow(member, view, settings)).sort((a, b) => (a.name < b.name ? -1 : 1))
}

function memberRow(member: Member, view: ClusterView, settings: ClusterSettings): MemberRow {
  const { raw } = member.data
  const isLeader = member.name === lockOwner(view)
  const role = rowRole(member.name, view, settings)
  return {
    name: member.name,
    role,
    state: (role !== 'leader' && text(raw['replication_state'])) || text(raw['state']),
    apiUrl: member.data.apiUrl,
    ...memberAddress(member),
    published: Object.fromEntries(COPIED_KEYS.filter((key) => key in raw).map((key) => [key, raw[key] as Json])),
    positions: isLeader
      ? null
      : {
          receive: position(raw['receive_lsn'], view.status.lastLsn),
          replay: position(raw['replay_lsn'], view.status.lastLsn),
          location: position(raw['xlog_location'], view.status.lastLsn),
        },
  }
}

export function rowRole(name: string, view: ClusterView, settings: ClusterSettings): RowRole {
  if (name === lockOwner(view)) return settings.standbyCluster ? 'standby_leader' : 'leader'
  const mode = syncMode(settings)
  if (mode === 'off' || !isVoter(view.sync, name)) return 'replica'
  return mode === 'quorum' ? 'quorum_standby' : 'sync_standby'
}

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : ''
}

function position(value: Json | undefined, leaderLsn: Lsn): WalPosition | null {
  const lsn = parseLsn(value)
  return lsn ? { lsn, lag: Math.max(0, leaderLsn - lsn) } : null
}

/** Where clients reach a member's PostgreSQL: `conn_kwargs` of its key, else its `conn_url`. */
export function memberAddress(member: Member): Pick<MemberRow, 'host' | 'port'> {
  const { raw, connUrl } = member.data
  const kwargs = raw['conn_kwargs']
  if (isObject(kwargs)) {
    const host = text(kwargs['host'])
    if (host !== '') return { host, port: Number(kwargs['port'] ?? 5432) || 5432 }
  }
  const url = /^[a-z]+:\/\/(?:[^@/]*@)?(?:\[([^\]]*)\]|([^:/?,]*))(?::(\d+))?/i.exec(connUrl ?? '')
  const host = (url?.[1] ?? url?.[2] ?? '').toLowerCase()
  return host === '' ? { host: null, port: null } : { host, port: url?.[3] ? Number(url[3]) : 5432 }
}

/** A row as `GET /cluster` and the tool's JSON show it. */
export function memberRowJson(row: MemberRow): JsonObject {
  return {
    name: row.name,
    role: row.role,
    state: row.state,
    api_url: row.apiUrl,
    ...(row.host === null ? {} : { host: row.host, port: row.port }),
    ...row.published,
    ...(row.positions
      ? {
          ...positionJson('receive_', row.positions.receive),
          ...positionJson('replay_', row.positions.replay),
          ...positionJson('', row.positions.location),
        }
      : {}),
  }
}

function positionJson(prefix: string, at: WalPosition | null): JsonObject {
  return { [`${prefix}lag`]: at ? at.lag : 'unknown', [`${prefix}lsn`]: at ? printLsn(at.lsn) : 'unknown' }
}

/** A switchover that waits for its time: `at` in ISO form with its offset. */
export interface ScheduledSwitchover {
  readonly at: string
  readonly from: string | null
  readonly to: string | null
}

export function scheduledSwitchover(view: ClusterView): ScheduledSwitchover | null {
  const request = view.failover
  if (!request?.scheduledAt) return null
  const moment = parseTimestamp(request.scheduledAt)
  return { at: moment ? printTimestamp(moment) : request.scheduledAt, from: request.leader, to: request.candidate }
}

/** The answer of `GET /cluster` (spec rest-api.md 7.2). */
export function clusterDocument(view: ClusterView, settings: ClusterSettings, scope: string): JsonObject {
  const scheduled = scheduledSwitchover(view)
  return {
    members: memberRows(view, settings).map(memberRowJson),
    ...(settings.paused ? { pause: true } : {}),
    ...(scheduled
      ? {
          scheduled_switchover: {
            at: scheduled.at,
            ...(scheduled.from ? { from: scheduled.from } : {}),
            ...(scheduled.to ? { to: scheduled.to } : {}),
          },
        }
      : {}),
    scope,
  }
}
