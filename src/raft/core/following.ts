import { becomeFollower, type State, send } from './state.ts'
import type { Body, NodeId, Snapshot } from './types.ts'

/** The follower's side of replication. The message is of our term. */
export function heardLeader(state: State, from: NodeId): void {
  if (state.role !== 'follower') becomeFollower(state, state.hardState.term, from)
  state.leader = from
  state.elapsed = 0
}

export function onAppend(state: State, from: NodeId, body: Body & { kind: 'append' }): void {
  const { log } = state
  const { prevIndex, prevTerm, entries, commit } = body
  if (prevIndex < log.committed) {
    send(state, from, { kind: 'append-accepted', index: log.committed })
    return
  }
  if (!log.matches(prevIndex, prevTerm)) {
    const { index: hint, term: hintTerm } = log.agreementAtMost(prevIndex, prevTerm)
    send(state, from, { kind: 'append-rejected', index: prevIndex, hint, hintTerm })
    return
  }
  log.takeOver(entries)
  const last = entries.at(-1)?.index ?? prevIndex
  log.committed = Math.max(log.committed, Math.min(commit, last))
  send(state, from, { kind: 'append-accepted', index: last })
}

export function onHeartbeat(state: State, from: NodeId, { commit, round }: Body & { kind: 'heartbeat' }): void {
  const { log } = state
  // The leader names no more than what it knows us to have.
  log.committed = Math.max(log.committed, Math.min(commit, log.lastIndex))
  send(state, from, { kind: 'heartbeat-answer', round })
}

export function onSnapshot(state: State, from: NodeId, snapshot: Snapshot): void {
  const { log } = state
  const { index, term } = snapshot
  if (index > log.committed) {
    // The log may reach that far and agree: nothing needs to be thrown away then.
    if (log.matches(index, term)) log.committed = index
    else log.restore(snapshot)
  }
  send(state, from, { kind: 'append-accepted', index: log.committed })
}
