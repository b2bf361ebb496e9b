import { tally } from './membership.ts'
import { newProgress } from './progress.ts'
import { appendOwn, broadcastAppend } from './replication.ts'
import { becomeFollower, drawPatience, mayCampaign, type State, send } from './state.ts'
import type { Body, Message, NodeId } from './types.ts'

/** The follower has waited long enough for a leader. Asks first whether it could win, which disturbs nobody. */
export function preCampaign(state: State): void {
  if (!mayCampaign(state)) return
  begin(state, 'pre-candidate')
  const { log, hardState, options } = state
  ask(state, { kind: 'pre-vote', lastIndex: log.lastIndex, lastTerm: log.lastTerm }, hardState.term + 1)
  count(state, options.id, true)
}

export function campaign(state: State, transfer: boolean): void {
  if (!mayCampaign(state)) return
  const { log, options } = state
  state.hardState = { term: state.hardState.term + 1, vote: options.id }
  begin(state, 'candidate')
  ask(state, { kind: 'vote', lastIndex: log.lastIndex, lastTerm: log.lastTerm, transfer }, state.hardState.term)
  count(state, options.id, true)
}

function begin(state: State, role: 'pre-candidate' | 'candidate'): void {
  becomeFollower(state, state.hardState.term, null)
  state.role = role
}

function ask(state: State, body: Body, term: number): void {
  for (const id of state.log.membership.voters) if (id !== state.options.id) send(state, id, body, term)
}

/** One vote has come in. */
export function count(state: State, from: NodeId, granted: boolean): void {
  const { role } = state
  if (role !== 'pre-candidate' && role !== 'candidate') return
  if (!state.votes.has(from)) state.votes.set(from, granted)
  switch (tally(state.log.membership.voters, state.votes)) {
    case 'won':
      if (role === 'pre-candidate') campaign(state, false)
      else becomeLeader(state)
      return
    case 'lost':
      becomeFollower(state, state.hardState.term, null)
      return
    case 'open':
      return
  }
}

function becomeLeader(state: State): void {
  const { log, options } = state
  state.role = 'leader'
  state.leader = options.id
  state.elapsed = 0
  state.heartbeatElapsed = 0
  state.round = 0
  const { voters, learners } = log.membership
  for (const id of [...voters, ...learners]) {
    if (id !== options.id) state.followers.set(id, newProgress(log.lastIndex + 1))
  }
  // What earlier terms left is committed together with this entry: an entry of an older term alone never is.
  appendOwn(state, { kind: 'nothing' })
  broadcastAppend(state)
}

/**
 * Somebody asks for our vote, or whether he would get it.
 * @returns whether the request is to be passed over: a leader is there, nobody needs another one
 */
export function isDisturbance(state: State, { term, body }: Message): boolean {
  if (term <= state.hardState.term) return false
  if (body.kind !== 'pre-vote' && !(body.kind === 'vote' && !body.transfer)) return false
  // Ticks of two members do not fall together: one of them may be a tick behind.
  return state.leader !== null && state.elapsed + 1 < state.options.electionTicks
}

export function answerPreVote(state: State, from: NodeId, term: number, body: Body & { kind: 'pre-vote' }): void {
  const granted = term > state.hardState.term && state.log.isUpToDate(body.lastIndex, body.lastTerm)
  // A promise about the future term; a refusal tells him the present one.
  send(state, from, { kind: 'pre-vote-answer', granted }, granted ? term : state.hardState.term)
}

/** The message is of our term: a higher one has been taken over before. */
export function answerVote(state: State, from: NodeId, body: Body & { kind: 'vote' }): void {
  const { vote, term } = state.hardState
  const free = vote === from || (vote === null && state.leader === null)
  const granted = free && state.log.isUpToDate(body.lastIndex, body.lastTerm)
  if (granted) {
    state.hardState = { term, vote: from }
    state.elapsed = 0
    drawPatience(state)
  }
  send(state, from, { kind: 'vote-answer', granted })
}
