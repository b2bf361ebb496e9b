import type { Brand } from '../../cluster/brand.ts'

/** A member of the group; opaque to the core, compared for equality only. */
export type NodeId = Brand<string, 'NodeId'>

/** Who belongs to the group. Voters make majorities; learners receive the log and count for nothing. Disjoint. */
export interface Membership {
  readonly voters: readonly NodeId[]
  readonly learners: readonly NodeId[]
}

/** What an entry of the log holds. A new leader begins its term with `nothing`. */
export type EntryBody =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'command'; readonly command: string }
  /** In force from when it is in the log, committed or not. */
  | { readonly kind: 'membership'; readonly membership: Membership }

export interface Entry {
  /** Counted from 1 without gaps. */
  readonly index: number
  readonly term: number
  readonly body: EntryBody
}

/** What a member must never forget between answers: one vote in a term. */
export interface HardState {
  readonly term: number
  readonly vote: NodeId | null
}

/** The state machine after the entry `index`, in place of the log up to there. */
export interface Snapshot {
  readonly index: number
  readonly term: number
  readonly membership: Membership
  readonly data: string
}

export type Body =
  /** `term` of the message is the one that the sender would campaign for. */
  | { readonly kind: 'pre-vote'; readonly lastIndex: number; readonly lastTerm: number }
  | { readonly kind: 'pre-vote-answer'; readonly granted: boolean }
  /** `transfer`: the leader has asked for it, so that nobody need wait until he is silent. */
  | { readonly kind: 'vote'; readonly lastIndex: number; readonly lastTerm: number; readonly transfer: boolean }
  | { readonly kind: 'vote-answer'; readonly granted: boolean }
  | {
      readonly kind: 'append'
      readonly prevIndex: number
      readonly prevTerm: number
      readonly entries: readonly Entry[]
      readonly commit: number
    }
  /** Everything up to `index` is on the sender's disk and as the leader has it. */
  | { readonly kind: 'append-accepted'; readonly index: number }
  /** `index`: the `prevIndex` that did not match; `hint`: the last place where logs might agree, by its term. */
  | { readonly kind: 'append-rejected'; readonly index: number; readonly hint: number; readonly hintTerm: number }
  /** `round` numbers the heartbeats of a term, so that an answer proves leadership at that moment. */
  | { readonly kind: 'heartbeat'; readonly commit: number; readonly round: number }
  | { readonly kind: 'heartbeat-answer'; readonly round: number }
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot }
  | { readonly kind: 'campaign-now' }
  | { readonly kind: 'read-index'; readonly read: number }
  /** `index` `null`: no longer, or not yet, a leader who can tell. */
  | { readonly kind: 'read-index-answer'; readonly read: number; readonly index: number | null }

export type MessageKind = Body['kind']

export interface Message {
  readonly from: NodeId
  readonly to: NodeId
  readonly term: number
  readonly body: Body
}

/** The answer to a read: it may be served once everything up to `index` is applied. `null`: ask again. */
export interface ReadState {
  readonly read: number
  readonly index: number | null
}

/**
 * What the caller has to do, in this order: install the snapshot, write the entries (they replace everything from the
 * index of the first of them) and the hard state, sync, send `answers`, apply `committed`, call `advance`. `messages`
 * may leave at any time.
 */
export interface Ready {
  readonly snapshot: Snapshot | null
  readonly entries: readonly Entry[]
  readonly hardState: HardState | null
  readonly messages: readonly Message[]
  readonly answers: readonly Message[]
  readonly committed: readonly Entry[]
  readonly reads: readonly ReadState[]
}

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader'

export interface RaftOptions {
  readonly id: NodeId
  /** Ticks between heartbeats of a leader. */
  readonly heartbeatTicks: number
  /** Ticks of silence after which a follower may campaign, at the least. */
  readonly electionTicks: number
  /** Up to so many ticks more, drawn anew for each wait, so that not all campaign at once. */
  readonly jitterTicks: number
  /** Entries in one append take about so many bytes at most; one entry always goes. */
  readonly appendBytesMax: number
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/** What a member has on its disk when it starts. */
export interface Restored {
  readonly hardState: HardState
  readonly snapshot: Snapshot | null
  /** After the snapshot, without gaps. */
  readonly entries: readonly Entry[]
}

export const NOTHING_RESTORED: Restored = { hardState: { term: 0, vote: null }, snapshot: null, entries: [] }

/** `waiting`: the leader cannot take it now, but may soon. */
export type Proposed =
  | { readonly kind: 'accepted'; readonly index: number; readonly term: number }
  | { readonly kind: 'not-leader'; readonly leader: NodeId | null }
  | { readonly kind: 'waiting'; readonly reason: string }

export function nodeId(text: string): NodeId {
  return text as NodeId
}
