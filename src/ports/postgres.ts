import type { InstanceState, Role } from '../cluster/instance.ts'
import type { Lsn } from '../cluster/lsn.ts'
import type { Member } from '../cluster/member.ts'
import type { ClusterSettings, StandbyCluster } from '../cluster/settings.ts'
import type { Instant } from '../cluster/time.ts'
import type { Timeline, TimelineSwitch } from '../cluster/timeline.ts'
import type { ClusterView } from '../cluster/view.ts'

/** Whom a standby follows. A member's own recovery settings are never used; a standby cluster's commands may be added. */
export type Upstream =
  | {
      readonly kind: 'member'
      readonly member: Member
      readonly restoreCommand?: string
      readonly archiveCleanupCommand?: string
    }
  | { readonly kind: 'remote'; readonly name: string; readonly standbyCluster: StandbyCluster }

export type StandbyRole = 'replica' | 'standby_leader'

/** `starting`: the time was over before it was decided, the server is still coming up. */
export type StartOutcome = 'running' | 'starting' | 'failed'
export type StopMode = 'smart' | 'fast' | 'immediate'

export interface StopRequest {
  readonly mode: StopMode
  /** A CHECKPOINT before the signal keeps the shutdown itself short. */
  readonly checkpoint: boolean
  /** `null`: wait as long as it takes. After the limit the stop is made harder, up to SIGKILL. */
  readonly limitMs: number | null
  /** Called once, as soon as no client can write any more. */
  readonly onSafePoint?: () => Promise<void>
  /**
   * Called while the postmaster still lives but its shutdown checkpoint is written and sent; again after
   * a moment while it answers `false`.
   */
  readonly onShutdownCheckpoint?: (positions: ShutdownPositions) => Promise<boolean>
  /** A restart: the state stays `restarting`, no callback is fired. */
  readonly forRestart?: boolean
}

/** Positions of a cleanly stopped primary (spec postgres.md 1.12). */
export interface ShutdownPositions {
  /** Start of the shutdown checkpoint record: what a successor must have received. */
  readonly checkpoint: Lsn
  /** Start of the WAL switch record before it, if archiving made one; else the same. What `status` publishes. */
  readonly previous: Lsn
}

/** The facts of `pg_controldata` that decide something. */
export interface ControlData {
  readonly systemIdentifier: string
  /** `Database cluster state` as printed: `in production`, `shut down`, … */
  readonly clusterState: string
  readonly checkpointLsn: Lsn | null
  readonly checkpointTimeline: Timeline | null
  readonly minRecoveryLsn: Lsn | null
  readonly minRecoveryTimeline: Timeline | null
  readonly walLogHints: boolean
  readonly dataChecksums: boolean
  /** Every item as printed, for the log. */
  readonly items: Readonly<Record<string, string>>
}

export type DataDirectory =
  | { readonly kind: 'empty' }
  | { readonly kind: 'present' }
  | { readonly kind: 'inaccessible'; readonly reason: string }

/** One row of pg_stat_replication. */
export interface WalSender {
  readonly pid: number
  readonly applicationName: string
  readonly userName: string | null
  readonly clientAddr: string | null
  readonly state: string
  readonly syncState: string
  readonly syncPriority: number
  readonly writeLsn: Lsn | null
  readonly flushLsn: Lsn | null
  readonly replayLsn: Lsn | null
}

/** What one look into a running server shows (spec postgres.md 3.2). */
export interface Observation {
  readonly at: Instant
  readonly inRecovery: boolean
  /** 0 in recovery. */
  readonly timeline: Timeline
  /** Flush position of a primary; 0 in recovery. */
  readonly primaryLsn: Lsn
  /** How far a primary has written in memory; 0 in recovery. Ahead of the flush position for long: the disk hangs. */
  readonly insertLsn?: Lsn
  readonly receivedLsn: Lsn
  readonly replayedLsn: Lsn
  readonly replayedAt: string | null
  readonly replayPaused: boolean
  /** As PostgreSQL prints it. */
  readonly postmasterStartTime: string
  readonly walReceiver: {
    readonly status: string
    readonly slotName: string | null
    readonly timeline: Timeline | null
    readonly latestEndLsn: Lsn | null
    /** What the receiver really connected with, secrets blanked out by PostgreSQL. */
    readonly conninfo?: string | null
  } | null
  readonly walSenders: readonly WalSender[]
  readonly slots: readonly SlotFact[]
  readonly synchronousStandbyNames: string
  readonly synchronousCommit: string
  readonly hasRestoreCommand: boolean
  /** When the server last read its configuration files; an opaque text that changes with each reload. */
  readonly configurationLoadedAt?: string | null
}

export interface SlotFact {
  readonly name: string
  readonly type: 'physical' | 'logical'
  readonly database: string | null
  readonly plugin: string | null
  readonly active: boolean
  readonly restartLsn: Lsn | null
  readonly confirmedFlushLsn: Lsn | null
  readonly xmin: string | null
  readonly catalogXmin: string | null
  readonly failover: boolean
  readonly synced: boolean
  /** From 13 on: `reserved`, `extended`, `unreserved`, `lost`. */
  readonly walStatus?: string | null
}

/** `unreachable`: two attempts failed, or the statement was cancelled at its deadline. */
export type ObservationOutcome =
  | { readonly kind: 'observed'; readonly observation: Observation }
  | { readonly kind: 'unreachable'; readonly reason: string }

export type RecoveryDifference = 'none' | 'reload' | 'restart'

/** Where the local server stands, for the divergence check (spec ha.md 5.3). */
export interface LocalPosition {
  readonly timeline: Timeline
  readonly lsn: Lsn
  readonly inRecovery: boolean
}

/** How the prospective source of a rewind looks from here. */
export type RewindSource =
  | { readonly kind: 'unreachable'; readonly reason: string }
  | { readonly kind: 'in-recovery' }
  | {
      readonly kind: 'primary'
      readonly timeline: Timeline
      /** Its WAL is flushed so far. */
      readonly lsn: Lsn
      readonly history: readonly TimelineSwitch[]
    }

/** What a server answers about itself. `not-running`: nobody listens at its address. `unknown`: no answer, or a refusal to say. */
export type ServerRole = 'primary' | 'standby' | 'not-running' | 'unknown'

export type RewindOutcome =
  | { readonly kind: 'done' }
  /** Not tried now: the source is not ready, PostgreSQL still runs. Try again next cycle. */
  | { readonly kind: 'postponed'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string; readonly sourceHealthy: boolean }

export type CallbackName = 'on_start' | 'on_stop' | 'on_restart' | 'on_reload' | 'on_role_change'

/**
 * PostgreSQL beside the agent. Facts are cheap and truthful; procedures take as long as they must within their limit
 * and end early when the signal aborts. Nothing here decides: whether to start, stop or promote is `ha/`'s business.
 */
export interface Postgres {
  // -- what this process remembers of its server; the adapter moves the state while its procedures run
  readonly role: Role
  readonly state: InstanceState
  readonly stateSince: Instant
  setRole(role: Role): void
  setState(state: InstanceState): void
  /** Whether any callback was fired since the agent started. */
  readonly callbackAttempted: boolean
  /** e.g. 150018; 0 before it is known. */
  readonly serverVersion: number

  // -- facts
  /** Whether a postmaster of this data directory lives. Watched, not guessed: also right within a cycle. */
  isAlive(): boolean
  /** Resolves `starting` by asking the server; fires the pending callback when it became `running`. */
  resolveStarting(signal: AbortSignal): Promise<void>
  /** One look per cycle: the answer is kept until `forgetObservation`. */
  observe(signal: AbortSignal): Promise<ObservationOutcome>
  forgetObservation(): void
  /** A fresh look on a connection of its own, beside the loop: leaves the cycle's observation as it is. For the REST server. */
  look(signal: AbortSignal): Promise<ObservationOutcome>
  dataDirectory(): Promise<DataDirectory>
  controlData(signal: AbortSignal): Promise<ControlData | null>
  /** Cached until `forgetSystemIdentifier`. `null`: pg_controldata has no valid one. */
  systemIdentifier(signal: AbortSignal): Promise<string | null>
  forgetSystemIdentifier(): void
  /** recovery.conf, recovery.signal or standby.signal. */
  hasRecoverySignal(): Promise<boolean>
  hasBackupLabel(): Promise<boolean>
  /** Timeline history of timeline `t` from pg_wal with the file's time (ISO 8601, local zone); `null` when unreadable. */
  localTimelineHistory(
    t: Timeline,
  ): Promise<{ readonly switches: readonly TimelineSwitch[]; readonly modifiedAt: string } | null>
  /** Timeline of a running standby by IDENTIFY_SYSTEM over a local replication connection; `null` when it fails. */
  identifyTimeline(signal: AbortSignal): Promise<Timeline | null>
  /** Positions of the shutdown checkpoint of a stopped server; `null` when it is not cleanly shut down. */
  shutdownPositions(signal: AbortSignal): Promise<ShutdownPositions | null>
  /** The reasons why a restart is pending: parameter to old and new value. */
  readonly pendingRestart: Readonly<Record<string, { readonly old_value: string; readonly new_value: string }>>

  // -- running it
  /** Starts with the recovery configuration on disk untouched, as primary. */
  startAsPrimary(timeoutMs: number | null, signal: AbortSignal, mayLaunch?: MayLaunch): Promise<StartOutcome>
  /**
   * Makes it follow `upstream` (or nobody): writes recovery configuration, then starts it, restarts it, or with
   * `reload` only reloads it. Fires the callbacks of spec ha.md 7.4.
   */
  follow(request: FollowRequest, signal: AbortSignal): Promise<StartOutcome>
  stop(request: StopRequest, signal: AbortSignal): Promise<'stopped' | 'failed'>
  restart(timeoutMs: number | null, signal: AbortSignal, mayLaunch?: MayLaunch): Promise<StartOutcome>
  /** Ends a start that is on its way: forgets a launch that has not happened, SIGQUITs one that has. */
  cancelStart(): Promise<void>
  /**
   * Requests promotion, sets the role `promoted`, fires `on_role_change`, waits for the end of recovery up to `waitMs`.
   * @param begins the number of the timeline that begins: at least the next one
   */
  promote(waitMs: number, signal: AbortSignal, begins?: Timeline): Promise<'promoted' | 'failed'>
  checkpoint(signal: AbortSignal): Promise<'done' | 'failed'>
  /** Goes on with a replay that the server has paused for want of greater settings; not with one that somebody paused. */
  resumeReplay(signal: AbortSignal): Promise<void>
  /** What would have to be done to follow `upstream`; `none` while the server cannot be asked. */
  recoveryDifference(upstream: Upstream | null, role: StandbyRole, signal: AbortSignal): Promise<RecoveryDifference>
  /** Replaces synchronous_standby_names and reloads; `null` removes it (the user's own value, if any, comes back). */
  setSynchronousStandbyNames(text: string | null, signal: AbortSignal): Promise<void>
  /** Writes a little WAL without waiting for standbys, so that all of them report progress (spec postgres.md 8.2). */
  nudgeWal(signal: AbortSignal): Promise<void>
  /** Runs the configured `pre_promote` script; true when there is none. */
  prePromote(signal: AbortSignal): Promise<boolean>
  fireCallback(name: CallbackName, role: Role): void

  // -- bootstrap and copies
  hasBootstrapSection(): boolean
  /** initdb or the custom method, then a start; `false`: it failed. */
  bootstrap(signal: AbortSignal): Promise<boolean>
  /** Users, `post_bootstrap`, and what must be done before the new cluster is open. */
  postBootstrap(signal: AbortSignal): Promise<boolean>
  /** Whether some replica method needs no source (`no_leader`). */
  canCloneWithoutSource(settings: ClusterSettings): boolean
  /** Runs the replica methods in order; `null` source: those that need none. Leaves a stopped server. */
  clone(request: CloneRequest, signal: AbortSignal): Promise<boolean>
  /** Why `clone` cannot work now, asked before data are given up for it; `null`: nothing known stands in the way. */
  copyObstacle(request: CloneRequest, signal: AbortSignal): Promise<string | null>
  removeDataDirectory(): Promise<void>
  /** Renames data directory (WAL and tablespaces as well) to `<name>.failed`. */
  moveDataDirectoryAside(): Promise<void>

  // -- divergence and rewind
  canRewind(signal: AbortSignal): Promise<boolean>
  readonly useRewind: boolean
  readonly removeOnRewindFailure: boolean
  readonly removeOnDivergedTimelines: boolean
  /** `null`: cannot be known now. */
  localPosition(signal: AbortSignal): Promise<LocalPosition | null>
  /** End of the local shutdown checkpoint record, 0 when unreadable. */
  shutdownCheckpointEnd(position: LocalPosition, signal: AbortSignal): Promise<Lsn>
  rewindSource(upstream: Upstream, signal: AbortSignal): Promise<RewindSource>
  /** Asks the server itself, whether or not an agent is with it. */
  roleOf(upstream: Upstream, signal: AbortSignal): Promise<ServerRole>
  rewind(upstream: Upstream, signal: AbortSignal): Promise<RewindOutcome>
  singleUserRecovery(signal: AbortSignal): Promise<'done' | 'failed'>
  /** Whether this server archives its WAL, by its configuration. */
  isArchiving(signal: AbortSignal): Promise<boolean>
  /**
   * Hands the segment with the last checkpoint of the stopped server to the archive: the server itself did not, the
   * segment is not full (spec postgres.md 6.8). @returns whether it is there
   */
  archiveLatestCheckpoint(signal: AbortSignal): Promise<boolean>

  // -- slots
  /** Creates, advances and drops slots so that the server has those of spec ha.md 18.3. @returns logical slots to copy */
  syncSlots(view: ClusterView, settings: ClusterSettings, signal: AbortSignal): Promise<readonly string[]>
  copyLogicalSlots(names: readonly string[], leader: Member, signal: AbortSignal): Promise<boolean>
  /** After a resume or restart the slots have to be read anew. */
  scheduleSlotReload(): void

  // -- configuration
  /** Something happened that the loop should look at at once: the postmaster ended, a start was decided. */
  onEvent(listener: (event: 'postmaster-ended') => void): () => void
}

/** Asked at the last moment before there is a process: a primary must not come up when its lease has ended meanwhile. */
export type MayLaunch = () => boolean

export interface FollowRequest {
  readonly upstream: Upstream | null
  readonly role: StandbyRole
  readonly timeoutMs: number | null
  /** Only rewrite the configuration and reload the running server. */
  readonly reload: boolean
}

export interface CloneRequest {
  readonly source: Upstream | null
  /** Only pg_basebackup, from exactly this source (reinitialize from the leader). */
  readonly basebackupOnly?: boolean
  readonly methods?: readonly string[]
}
