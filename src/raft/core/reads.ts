import { broadcastHeartbeat } from './heartbeat.ts'
import { reachedByMajority } from './membership.ts'
import { answerRead, type State, send } from './state.ts'
import type { NodeId } from './types.ts'

/**
 * Linearizable reads without a write: the leader notes what is committed, lets a majority confirm that it still leads,
 * and the reader waits until it has applied so much.
 */
export function askRead(state: State, read: number): void {
  const { id } = state.options
  if (state.role === 'leader') leadRead(state, id, read)
  else if (state.leader === null) answerRead(state, id, read, null)
  else send(state, state.leader, { kind: 'read-index', read })
}

export function leadRead(state: State, from: NodeId, read: number): void {
  const { log, hardState } = state
  if (log.term(log.committed) !== hardState.term) {
    // What earlier leaders have committed is not known for sure yet.
    state.earlyReads.push({ read, from })
    return
  }
  state.pendingReads.push({ read, from, index: log.committed, round: state.round + 1 })
  broadcastHeartbeat(state)
  confirmReads(state)
}

export function releaseEarlyReads(state: State): void {
  const early = state.earlyReads
  state.earlyReads = []
  for (const { from, read } of early) leadRead(state, from, read)
}

/** After an answer to a heartbeat. */
export function confirmReads(state: State): void {
  const { log, options, followers, round } = state
  const confirmed = reachedByMajority(log.membership.voters, (id) =>
    id === options.id ? round : (followers.get(id)?.round ?? 0),
  )
  while (state.pendingReads[0] && state.pendingReads[0].round <= confirmed) {
    const { from, read, index } = state.pendingReads[0]
    state.pendingReads.shift()
    answerRead(state, from, read, index)
  }
}
