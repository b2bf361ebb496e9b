import type { FailoverRequest } from '../cluster/failover-request.ts'
import type { InstanceState, Role } from '../cluster/instance.ts'
import type { Json, JsonObject } from '../cluster/json.ts'
import type { Lsn } from '../cluster/lsn.ts'
import type { ClusterSettings } from '../cluster/settings.ts'
import type { Tags } from '../cluster/tags.ts'
import type { Instant } from '../cluster/time.ts'
import type { Timeline } from '../cluster/timeline.ts'
import type { ClusterView } from '../cluster/view.ts'
import type { Budget } from './clock.ts'
import type { Dcs } from './dcs.ts'
import type { CycleRecord } from './journal.ts'
import type { ObservationOutcome } from './postgres.ts'

/** How far a base backup is. */
export interface CloneProgress {
  readonly doneBytes: number
  /** An estimate; `null`: not known. */
  readonly totalBytes: number | null
}

/** The state of this member as its REST server tells it. Every field is memory; reading it never waits. */
export interface MemberStatus {
  readonly name: string
  readonly scope: string
  /** Dotted integers, 4.1 or later: members decide by it. */
  readonly version: string
  readonly role: Role
  readonly state: InstanceState
  /** The lease has not run out: this member is the leader now. */
  readonly holdsLock: boolean
  /** The last read of the store; `null` after a failed read, or when it is older than the ttl. */
  readonly view: ClusterView | null
  /** Seconds since 1970 of the last successful read; 0 before the first. */
  readonly dcsLastSeen: number
  readonly settings: ClusterSettings
  /** The last valid dynamic configuration. */
  readonly dynamicConfig: JsonObject
  readonly configuredTags: Tags
  /** With the temporary additions of a standby that steps down. */
  readonly effectiveTags: Tags
  readonly pendingRestart: Readonly<Record<string, { readonly old_value: string; readonly new_value: string }>>
  /** As in the member key. */
  readonly scheduledRestart: JsonObject | null
  readonly failsafeActive: boolean
  readonly watchdogFailed: boolean
  readonly systemIdentifier: string | null
  readonly serverVersion: number
  /** Cached timeline of a replica. */
  readonly localTimeline: Timeline | null
  /** When the next (or the running) cycle was due. */
  readonly nextRunAt: Instant
  /** Name of the long action under way. */
  readonly longAction: string | null
  /** Whether a postmaster lives; where it is not said, a state of `running` stands for it. */
  readonly postmasterAlive?: boolean
  /** The `failsafe` key as last read, kept while the store is away; where it is not said, that of `view`. */
  readonly failsafeTopology?: Json | null
  /** Of a base backup under way; missing or `null`: none is. */
  readonly cloneProgress?: CloneProgress | null
  /** Records that wait to be written to the log, and those that had to be dropped. */
  readonly logQueue?: { readonly size: number; readonly lost: number }
}

export interface RestartRequest {
  readonly role?: string
  readonly postgresVersion?: string
  readonly timeoutMs?: number
  readonly restartPending?: boolean
}

export interface RequestAnswer {
  readonly ok: boolean
  readonly text: string
}

/** `null`: no verdict in time, PostgreSQL is still starting. */
export interface RestartAnswer {
  readonly ok: boolean | null
  readonly text: string
}

/** What the REST server may ask of the agent. Each hands a request over; the loop decides. */
export interface AgentControl {
  status(): MemberStatus
  /**
   * Looks into the running server, shared by all who ask at the same time; an answer younger than `maxAgeMs` is used
   * again. Ends by `budget` even if PostgreSQL hangs.
   */
  observe(maxAgeMs: number, budget: Budget): Promise<ObservationOutcome>
  /** A fresh read of the store. */
  loadView(budget: Budget): Promise<ClusterView | null>
  readonly dcs: Dcs
  /** What the last cycles did and why, oldest first: records that ended at `sinceMs` (since 1970) or later. */
  journal?(sinceMs: number): readonly CycleRecord[]
  /** Runs a cycle now. */
  wake(): void
  /** Reads the local configuration again, as SIGHUP does. */
  reload(): void
  restart(request: RestartRequest, budget: Budget): Promise<RestartAnswer>
  /** @returns `ok: false` when one is scheduled already. */
  scheduleRestart(
    request: RestartRequest & { readonly schedule: string; readonly raw: JsonObject },
  ): Promise<RequestAnswer>
  /** @returns whether there was one. */
  deleteScheduledRestart(): Promise<boolean>
  reinitialize(
    request: { readonly force: boolean; readonly fromLeader: boolean },
    budget: Budget,
  ): Promise<RequestAnswer>
  /**
   * Whether somebody could take over by this request (spec ha.md 12.1, rows 10 to 14).
   * @returns `null` when possible, else the text for the client
   */
  switchoverObstacle(
    view: ClusterView,
    request: Omit<FailoverRequest, 'version'>,
    budget: Budget,
  ): Promise<string | null>
  /** A primary without a store asks for our consent (spec ha.md 14.3). */
  receiveFailsafe(body: JsonObject): { readonly status: number; readonly body: string; readonly lsn: Lsn | null }
  /** Ends the agent as SIGTERM does. */
  terminate(): void
}
