import { RaftLog } from './log.ts'
import type { Progress } from './progress.ts'
import type { Body, HardState, Message, NodeId, RaftOptions, ReadState, Restored, Role } from './types.ts'

/** A read that waits until a majority has confirmed that we led when it came. */
export interface PendingRead {
  readonly read: number
  /** Who asks; ourselves included. */
  readonly from: NodeId
  readonly index: number
  /** Answers to this heartbeat round or later ones confirm it. */
  readonly round: number
}

/** Everything that one member knows. Changed by the functions beside this file only. */
export interface State {
  readonly options: RaftOptions
  readonly log: RaftLog
  hardState: HardState
  /** The hard state that the caller was last given. */
  givenHardState: HardState
  role: Role
  leader: NodeId | null
  /** Ticks since a leader was heard of (follower), since it counted who is there (leader), since it campaigned. */
  elapsed: number
  heartbeatElapsed: number
  /** Ticks of silence after which this member campaigns. */
  patience: number
  votes: Map<NodeId, boolean>
  /** Leader only; of everybody but ourselves. */
  followers: Map<NodeId, Progress>
  /** Leader only: who is to lead next. */
  transferTo: NodeId | null
  round: number
  pendingReads: PendingRead[]
  /** Reads that came before the leader had committed anything in its term. */
  earlyReads: { readonly read: number; readonly from: NodeId }[]
  outbox: Message[]
  reads: ReadState[]
}

export function newState(options: RaftOptions, restored: Restored): State {
  const state: State = {
    options,
    log: new RaftLog(restored),
    hardState: restored.hardState,
    givenHardState: restored.hardState,
    role: 'follower',
    leader: null,
    elapsed: 0,
    heartbeatElapsed: 0,
    patience: 0,
    votes: new Map(),
    followers: new Map(),
    transferTo: null,
    round: 0,
    pendingReads: [],
    earlyReads: [],
    outbox: [],
    reads: [],
  }
  drawPatience(state)
  return state
}

export function send(state: State, to: NodeId, body: Body, term = state.hardState.term): void {
  state.outbox.push({ from: state.options.id, to, term, body })
}

export function drawPatience(state: State): void {
  const { electionTicks, jitterTicks, random } = state.options
  state.patience = electionTicks + Math.floor(random() * (jitterTicks + 1))
}

export function becomeFollower(state: State, term: number, leader: NodeId | null): void {
  if (term > state.hardState.term) state.hardState = { term, vote: null }
  state.role = 'follower'
  state.leader = leader
  state.elapsed = 0
  state.votes = new Map()
  state.followers = new Map()
  state.transferTo = null
  giveUpReads(state)
  drawPatience(state)
}

/** Nobody can confirm them any more; who asked will ask the next leader. */
function giveUpReads(state: State): void {
  for (const { read, from } of [...state.pendingReads, ...state.earlyReads]) answerRead(state, from, read, null)
  state.pendingReads = []
  state.earlyReads = []
}

export function answerRead(state: State, to: NodeId, read: number, index: number | null): void {
  if (to === state.options.id) state.reads.push({ read, index })
  else send(state, to, { kind: 'read-index-answer', read, index })
}

export function isVoter(state: State): boolean {
  return state.log.membership.voters.includes(state.options.id)
}

/**
 * Who is being removed may be needed, and may alone be able, to see that through: it campaigns until it is settled, as
 * far as it knows. How much is committed is not on its disk, so that any membership since then may be the one.
 */
export function mayCampaign({ log, options }: State): boolean {
  return log.membershipsSince(log.committed).some(({ voters }) => voters.includes(options.id))
}
