import { isMember, reachedByMajority } from './membership.ts'
import {
  accepted,
  breathe,
  isPaused,
  newProgress,
  type Progress,
  probe,
  rejected,
  sent,
  snapshotSent,
} from './progress.ts'
import { releaseEarlyReads } from './reads.ts'
import { becomeFollower, isVoter, type State, send } from './state.ts'
import type { Body, EntryBody, NodeId } from './types.ts'

/** The leader's side of replication. */

/** Elections fit so often into the time that a snapshot may take before it is begun anew. */
const SNAPSHOT_PATIENCE = 20

/** Appends an entry of the leader's own. It counts for the majority once the caller has synced it. */
export function appendOwn(state: State, body: EntryBody): number {
  const index = state.log.lastIndex + 1
  state.log.append({ index, term: state.hardState.term, body })
  if (body.kind === 'membership') followMembership(state)
  return index
}

/** The membership in force has changed: new members get their place, former ones lose it. */
export function followMembership(state: State): void {
  const { membership, lastIndex } = state.log
  for (const id of state.followers.keys()) if (!isMember(membership, id)) state.followers.delete(id)
  for (const id of [...membership.voters, ...membership.learners]) {
    if (id === state.options.id || state.followers.has(id)) continue
    // It has not failed to answer yet.
    state.followers.set(id, newProgress(lastIndex))
  }
}

export function broadcastAppend(state: State): void {
  for (const [id, progress] of state.followers) while (sendAppend(state, id, progress, false));
}

/** @returns whether there is more to be sent at once */
function sendAppend(state: State, to: NodeId, progress: Progress, evenEmpty: boolean): boolean {
  if (isPaused(progress)) return false
  const { log } = state
  const prevIndex = progress.next - 1
  const prevTerm = log.term(prevIndex)
  if (prevTerm === undefined || progress.next < log.firstIndex) return sendSnapshot(state, to, progress)
  if (!evenEmpty && progress.next > log.lastIndex && progress.state === 'replicating') return false
  const entries = log.slice(progress.next, state.options.appendBytesMax)
  send(state, to, { kind: 'append', prevIndex, prevTerm, entries, commit: log.committed })
  const last = entries.at(-1)?.index ?? prevIndex
  sent(progress, last, entries.length)
  return progress.state === 'replicating' && entries.length > 0 && last < log.lastIndex
}

function sendSnapshot(state: State, to: NodeId, progress: Progress): false {
  const { snapshot } = state.log
  if (!snapshot) throw new Error('entries are missing and there is no snapshot of them')
  if (progress.silentTicks > state.options.electionTicks) return false
  send(state, to, { kind: 'snapshot', snapshot })
  snapshotSent(progress, snapshot.index)
  return false
}

export function onAccepted(state: State, from: NodeId, progress: Progress, index: number): void {
  const isNews = accepted(progress, index)
  if (!isNews || !advanceCommit(state)) while (sendAppend(state, from, progress, false));
  if (state.transferTo === from && progress.match === state.log.lastIndex) send(state, from, { kind: 'campaign-now' })
}

export function onRejected(
  state: State,
  from: NodeId,
  progress: Progress,
  { index, hint, hintTerm }: Body & { kind: 'append-rejected' },
): void {
  const agreed = state.log.agreementAtMost(hint, hintTerm).index
  if (rejected(progress, index, agreed)) sendAppend(state, from, progress, true)
}

export function onHeartbeatAnswer(state: State, from: NodeId, progress: Progress, round: number): void {
  progress.round = Math.max(progress.round, round)
  breathe(progress)
  if (progress.match < state.log.lastIndex) sendAppend(state, from, progress, true)
}

/**
 * What a majority of the voters has on disk is committed, if it is of this term.
 * @returns whether anything was; everybody has been told then
 */
export function advanceCommit(state: State): boolean {
  const { log, options, followers, hardState } = state
  const { voters } = log.membership
  const reached = reachedByMajority(voters, (id) => (id === options.id ? log.stable : (followers.get(id)?.match ?? 0)))
  if (reached <= log.committed || log.term(reached) !== hardState.term) return false
  log.committed = reached
  broadcastCommit(state)
  releaseEarlyReads(state)
  // The leader has been removed, and has seen it through.
  if (log.membershipIndex <= reached && !isVoter(state)) becomeFollower(state, hardState.term, null)
  return true
}

/** With entries if there are any, without them otherwise. */
function broadcastCommit(state: State): void {
  for (const [id, progress] of state.followers) {
    sendAppend(state, id, progress, true)
    while (sendAppend(state, id, progress, false));
  }
}

/** A snapshot may have been lost on the way: the follower is asked again after a time. */
export function ageFollowers(state: State): void {
  for (const progress of state.followers.values()) {
    progress.silentTicks += 1
    if (progress.state !== 'snapshot') continue
    progress.snapshotTicks += 1
    if (progress.snapshotTicks > SNAPSHOT_PATIENCE * state.options.electionTicks) probe(progress)
  }
}
