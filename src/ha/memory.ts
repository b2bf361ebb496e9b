import type { JsonObject } from '../cluster/json.ts'
import type { Lsn } from '../cluster/lsn.ts'
import { type ClusterSettings, clusterSettings, DEFAULT_TIMING, type Timing } from '../cluster/settings.ts'
import type { SyncState } from '../cluster/sync-state.ts'
import { type Instant, LONG_AGO } from '../cluster/time.ts'
import type { Timeline } from '../cluster/timeline.ts'
import type { ClusterView } from '../cluster/view.ts'
import type { DivergenceState, Loss } from './divergence.ts'

/** What one agent carries from cycle to cycle (spec ha.md 1.5), each part owned by the file that is named with it. */
export interface Memory {
  /** The last valid dynamic configuration and what it means (settings.ts). */
  dynamicConfig: JsonObject
  timing: Timing
  settings: ClusterSettings
  /** When this agent began: what was said or promised before, it does not know. */
  readonly startedAt: Instant
  readonly store: StoreMemory
  readonly lease: LeaseMemory
  readonly idleness: IdlenessMemory
  readonly own: OwnPosition
  readonly race: RaceMemory
  readonly recovery: RecoveryMemory
  readonly bootstrap: BootstrapMemory
  readonly promotion: PromotionMemory
  readonly divergence: DivergenceMemory
  readonly failsafe: FailsafeMemory
  readonly restart: RestartMemory
  readonly sync: SyncMemory
  /** Slot name to the moment it was last seen on the leader (retention.ts). */
  readonly slotSeenAt: Map<string, Instant>
  wasPaused: boolean
  /** Something planned comes due: the next cycle begins then. */
  alarm: Instant | null
  /** A replica found no way to join: PostgreSQL is left as it is (spec ha.md 3.8 row 5). */
  joinAborted: boolean
}

export interface StoreMemory {
  /** What the REST server answers from; dropped by a failed read. */
  view: ClusterView | null
  viewAt: Instant
  /** Seconds since 1970. */
  lastSeen: number
  /** The last view that had a leader: members whose keys have expired since still take part in the race. */
  lockedView: ClusterView | null
  /** Who had the lock at the last read; `undefined` before the first. */
  owner: string | null | undefined
}

export interface LeaseMemory {
  /** This member is the leader until then. */
  until: Instant
  /** This agent took the lock itself; else it only found its name in the store, as after a restart or a restored backup. */
  taken: boolean
}

export interface IdlenessMemory {
  /** Since when the lock holder serves nobody; `null`: it does. */
  since: Instant | null
  /** How far its WAL was on the disk at the last look. */
  flushedLsn: Lsn | null
}

export interface OwnPosition {
  lsn: Lsn | null
  /** At the start of the previous cycle. */
  previousLsn: Lsn | null
  /** Of a replica. */
  timeline: Timeline | null
  leaderTimeline: Timeline | null
  systemIdentifier: string | null
}

export interface RaceMemory {
  /** First cycle that saw no leader. */
  backoffSince: Instant | null
  /** The key was given back because the pre-promote script failed. */
  releasedAt: Instant | null
  /** The key was given back because the fence could not be activated. */
  fenceFailedAt: Instant | null
  /** A member that answered, when a failover to us was ordered, that it still is a primary. */
  primarySeen: { readonly name: string; readonly at: Instant } | null
  /** The server of a leader that was left in pause last answered then, or was first asked then. */
  leftInPauseAt: Instant | null
}

/** Once somebody has the lock, what was noted while nobody had it is of the past. */
export function forgetLostLock({ race }: Memory): void {
  race.backoffSince = null
  race.leftInPauseAt = null
}

export interface RecoveryMemory {
  /** A start was ordered; the next cycle looks whether it worked. */
  verifying: boolean
  /** Single-user crash recovery was done since the last good start. */
  crashRecoveryDone: boolean
  /** Of a restart by hand: how long the start may take. */
  startTimeoutMs: number | null
}

export interface BootstrapMemory {
  active: boolean
  /** Of post_bootstrap; `null` until it has run. */
  result: boolean | null
  /** Since when the store has no `initialize` key although this member knows a cluster that had one. */
  missingSince: Instant | null
}

export interface PromotionMemory {
  prePromote: 'none' | 'running' | 'cancelled' | 'passed' | 'failed'
  /** The last promotion did not succeed. */
  failed: boolean
  /** The number that this agent reserved for it: a view of the store may not show it yet, or not any more. */
  reserved: Timeline | null
}

export interface DivergenceMemory {
  state: DivergenceState
  /** With whom the histories were compared, and on which timeline he was. */
  source: { readonly name: string; readonly timeline: Timeline } | null
  /** The histories differ though their timelines have one number. */
  numberUsedTwice: boolean
  /** The server could not be started with its data as they are: a rewind may have broken off in them. */
  startFailed: boolean
  /** What the comparison found that the leader never had. */
  loss: Loss | null
  /** Background checkpoint after a promotion. */
  checkpoint: 'none' | 'running' | 'done' | 'failed'
}

export interface FailsafeMemory {
  at: Instant
  leader: { readonly name: string; readonly connUrl: string; readonly apiUrl: string } | null
  slots: Readonly<Record<string, Lsn>> | null
  /** The record as this member last wrote it, or tried to: the store may have it though no view has shown it yet. */
  written: Readonly<Record<string, string>> | null
}

export interface RestartMemory {
  scheduled: {
    readonly at: string
    readonly request: JsonObject
    readonly role: string | null
    readonly postgresVersion: string | null
    readonly restartPending: boolean
    readonly timeoutMs: number | null
    readonly postmasterStartTime: string | null
  } | null
}

export interface SyncMemory {
  /** The last known `sync` key: newer than the view after our own write. */
  known: SyncState | null
  /** How many ask at this moment not to be a synchronous standby. */
  steppingDown: number
  strictWarned: boolean
  /** Readiness of standbys since synchronous_standby_names last changed (sync/observe.ts). */
  lastNames: string | null
  changedAtLsn: Lsn | null
  readonly ready: Set<string>
}

export function newMemory(
  dynamicConfig: JsonObject,
  timing: Timing = DEFAULT_TIMING,
  startedAt: Instant = LONG_AGO,
): Memory {
  return {
    startedAt,
    dynamicConfig,
    timing,
    settings: clusterSettings(dynamicConfig, timing),
    store: { view: null, viewAt: LONG_AGO, lastSeen: 0, lockedView: null, owner: undefined },
    lease: { until: LONG_AGO, taken: false },
    idleness: { since: null, flushedLsn: null },
    own: { lsn: null, previousLsn: null, timeline: null, leaderTimeline: null, systemIdentifier: null },
    race: { backoffSince: null, releasedAt: null, fenceFailedAt: null, primarySeen: null, leftInPauseAt: null },
    recovery: { verifying: false, crashRecoveryDone: false, startTimeoutMs: null },
    bootstrap: { active: false, result: null, missingSince: null },
    promotion: { prePromote: 'none', failed: false, reserved: null },
    divergence: {
      state: 'idle',
      source: null,
      numberUsedTwice: false,
      startFailed: false,
      loss: null,
      checkpoint: 'none',
    },
    failsafe: { at: LONG_AGO, leader: null, slots: null, written: null },
    restart: { scheduled: null },
    sync: {
      known: null,
      steppingDown: 0,
      strictWarned: false,
      lastNames: null,
      changedAtLsn: null,
      ready: new Set(),
    },
    slotSeenAt: new Map(),
    wasPaused: false,
    alarm: null,
    joinAborted: false,
  }
}
