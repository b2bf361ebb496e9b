import type { JsonObject } from '../cluster/json.ts'
import type { Store } from '../dcs/store.ts'
import type { Budget, Clock, Random } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { SqlClient } from './sql/client.ts'
import type { Terminal } from './term/terminal.ts'
import type { Tools } from './term/tools.ts'

/** Everything a command may use. Commands touch the world only through it. */
export interface Session {
  /** The name the tool was called by. */
  readonly program: string
  readonly version: string
  readonly config: CtlSettings
  readonly terminal: Terminal
  readonly tools: Tools
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly stores: Stores
  readonly members: MemberApi
  readonly raft: RaftGroup
  readonly sql: SqlClient
  /** Aborts when the operator presses Ctrl-C. */
  readonly signal: AbortSignal
  /** A server said no, or nobody knows. Decides the exit code only where the operator asked for it (`--strict`). */
  noteFailure(): void
}

/** What the tool reads from its configuration for itself; the rest is for the store and the REST client. */
export interface CtlSettings {
  /** The default cluster. */
  readonly scope: string | null
  readonly citus: { readonly group: number; readonly database: string } | null
}

/** What the tool does with the tree of a cluster; it never takes part in it. */
export type ClusterStore = Pick<Store, 'load' | 'loadGroups' | 'writeFailover' | 'writeConfig' | 'deleteCluster'>

/** The stores of clusters, opened once each. */
export interface Stores {
  /** Which store, for error messages. */
  readonly description: string
  /**
   * The tree of a cluster, or of one Citus group of it.
   * @throws {CtlError} when the store cannot be used, or not reached within the budget
   */
  open(cluster: string, group: number | null, budget: Budget): Promise<ClusterStore>
}

export interface MemberCall {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Replaces the path of the member's `api_url`; `null` keeps it. */
  readonly endpoint: string | null
  readonly body: JsonObject | null
  /** How long to wait for the answer. */
  readonly limitMs: number
}

/** `not sent`: the member certainly knows nothing of it. `unknown`: it may have acted, or may be acting still. */
export type MemberAnswer =
  | { readonly kind: 'answered'; readonly status: number; readonly body: string }
  | { readonly kind: 'not sent'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string }

/** The REST servers of members (spec ctl.md 2.6). Never rejects. */
export interface MemberApi {
  call(apiUrl: string, request: MemberCall): Promise<MemberAnswer>
}

export interface RaftMember {
  readonly address: string
  readonly isVoter: boolean
  readonly isLeader: boolean
  readonly isThere: boolean
  /** How much of the log it has; `null`: not known to the one who was asked. */
  readonly match: number | null
}

export interface RaftStatus {
  /** Who tells this, and as what. */
  readonly self: string
  readonly role: string
  readonly leader: string | null
  readonly term: number
  readonly committed: number
  readonly applied: number
  readonly logLength: number
  readonly members: readonly RaftMember[]
}

/** `under way`: begun, or done. `not now`: worth trying again. */
export type RaftAnswer =
  | { readonly kind: 'under way' }
  | { readonly kind: 'not now'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string }

/**
 * The embedded Raft group.
 * @throws {CtlError} when there is none, or nobody in it answers
 */
export interface RaftGroup {
  status(budget: Budget): Promise<RaftStatus>
  change(action: 'add' | 'remove' | 'transfer', address: string, budget: Budget): Promise<RaftAnswer>
}
