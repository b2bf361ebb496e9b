import type { InstanceState, Role } from '../cluster/instance.ts'
import type { JsonObject } from '../cluster/json.ts'
import { syncMode } from '../cluster/settings.ts'
import { isVoter } from '../cluster/sync-state.ts'
import { publishedTags } from '../cluster/tags.ts'
import { parseTimestamp, printTimestamp } from '../cluster/timestamp.ts'
import { lockOwner } from '../cluster/view.ts'
import type { MemberStatus } from '../ports/control.ts'
import type { Observation } from '../ports/postgres.ts'

/** What came of looking into PostgreSQL for one answer. `not-asked`: there is no server to ask in this state. */
export type Look =
  | { readonly kind: 'not-asked' }
  | { readonly kind: 'failed' }
  | { readonly kind: 'observed'; readonly observation: Observation }

export const NOT_ASKED: Look = { kind: 'not-asked' }
export const FAILED: Look = { kind: 'failed' }

/** This member in one moment: what every answer about it is made of (spec rest-api.md 5). */
export interface Picture {
  readonly status: MemberStatus
  readonly state: InstanceState | 'unknown'
  readonly role: Role
  /** `null`: no data from the server itself. */
  readonly observation: Observation | null
  readonly replicationState: 'streaming' | 'in archive recovery' | null
  /** What the `sync` key makes of this standby. */
  readonly standby: 'sync_standby' | 'quorum_standby' | null
}

/** Whether the server can have an answer at all (spec rest-api.md 1.3). */
export function isWorthAsking(state: InstanceState): boolean {
  return state === 'running' || state === 'restarting' || state === 'starting'
}

export function takePicture(status: MemberStatus, look: Look): Picture {
  if (look.kind !== 'observed') {
    const state = look.kind === 'failed' && status.state === 'running' ? 'unknown' : status.state
    return { status, state, role: status.role, observation: null, replicationState: null, standby: null }
  }
  const { observation } = look
  const seen: Role = observation.inRecovery ? 'replica' : 'primary'
  const role = seen === 'replica' && status.settings.standbyCluster ? status.role : seen
  return {
    status,
    state: status.state,
    role,
    observation,
    replicationState: replicationState(status, observation),
    standby: role === 'replica' ? standbyKind(status) : null,
  }
}

function replicationState(status: MemberStatus, { inRecovery, walReceiver, hasRestoreCommand }: Observation) {
  if (!inRecovery || status.serverVersion < 90600) return null
  if (walReceiver?.status === 'streaming') return 'streaming'
  return hasRestoreCommand ? 'in archive recovery' : null
}

function standbyKind({ name, settings, view }: MemberStatus): Picture['standby'] {
  const mode = syncMode(settings)
  if (mode === 'off' || !view || !isVoter(view.sync, name)) return null
  return mode === 'quorum' ? 'quorum_standby' : 'sync_standby'
}

/** The document of `GET /patroni` and of health checks: keys, order and presence as in spec rest-api.md 5. */
export function statusDocument(picture: Picture): JsonObject {
  const { status, observation } = picture
  const tags = publishedTags(status.effectiveTags)
  return {
    state: picture.state,
    ...(observation ? serverPart(picture, observation) : { role: picture.role }),
    ...flag('pause', status.settings.paused),
    ...flag('cluster_unlocked', !status.view || lockOwner(status.view) === null),
    ...flag('failsafe_mode_is_active', status.failsafeActive),
    dcs_last_seen: status.dcsLastSeen,
    ...(Object.keys(tags).length > 0 ? { tags } : {}),
    ...(status.systemIdentifier === null ? {} : { database_system_identifier: status.systemIdentifier }),
    ...(isRestartPending(status)
      ? { pending_restart: true, pending_restart_reason: { ...status.pendingRestart } }
      : {}),
    patroni: { version: status.version, scope: status.scope, name: status.name },
    ...(status.scheduledRestart ? { scheduled_restart: withoutStartTime(status.scheduledRestart) } : {}),
    ...flag('watchdog_failed', status.watchdogFailed),
    ...clonePart(status),
    ...logPart(status),
  }
}

function clonePart({ cloneProgress }: MemberStatus): JsonObject {
  if (!cloneProgress) return {}
  const { doneBytes, totalBytes } = cloneProgress
  return { clone: { done_bytes: doneBytes, ...(totalBytes === null ? {} : { total_bytes: totalBytes }) } }
}

function serverPart(picture: Picture, observation: Observation): JsonObject {
  const { status, role, standby, replicationState } = picture
  const senders = observation.walSenders.map((sender) => ({
    usename: sender.userName,
    application_name: sender.applicationName,
    client_addr: sender.clientAddr,
    state: sender.state,
    sync_state: sender.syncState,
    sync_priority: sender.syncPriority,
  }))
  return {
    postmaster_start_time: sqlTimestamp(observation.postmasterStartTime),
    role,
    server_version: status.serverVersion,
    xlog: observation.inRecovery
      ? {
          received_location: receivedLocation(observation),
          replayed_location: observation.replayedLsn,
          replayed_timestamp: observation.replayedAt === null ? null : sqlTimestamp(observation.replayedAt),
          paused: observation.replayPaused,
        }
      : { location: observation.primaryLsn },
    ...(standby ? { [standby]: true } : {}),
    timeline: observation.inRecovery ? status.localTimeline : observation.timeline,
    ...(replicationState ? { replication_state: replicationState } : {}),
    ...(senders.length > 0 ? { replication: senders } : {}),
  }
}

/** What a standby has received, or at least replayed where it never streamed. */
export function receivedLocation({ receivedLsn, replayedLsn }: Observation): number {
  return receivedLsn || replayedLsn
}

export function isRestartPending({ pendingRestart }: MemberStatus): boolean {
  return Object.keys(pendingRestart).length > 0
}

function flag(name: string, on: boolean): JsonObject {
  return on ? { [name]: true } : {}
}

function withoutStartTime(scheduled: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(scheduled).filter(([key]) => key !== 'postmaster_start_time'))
}

/** A queue of one or two records is not worth a word. */
function logPart({ logQueue }: MemberStatus): JsonObject {
  if (!logQueue || logQueue.size <= 2) return {}
  return { logger_queue_size: logQueue.size, ...(logQueue.lost > 0 ? { logger_records_lost: logQueue.lost } : {}) }
}

/** `YYYY-MM-DD HH:MM:SS[.ffffff]+HH:MM`; what PostgreSQL prints otherwise (`infinity`) stays as it is. */
function sqlTimestamp(text: string): string {
  const at = parseTimestamp(text)
  return at ? printTimestamp(at, ' ') : text
}
