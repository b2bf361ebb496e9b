import { answerPreVote, answerVote, campaign, count, isDisturbance, preCampaign } from './election.ts'
import { heardLeader, onAppend, onHeartbeat, onSnapshot } from './following.ts'
import { broadcastHeartbeat } from './heartbeat.ts'
import { changed, isMember, type MembershipChange, majority } from './membership.ts'
import { disturbed } from './progress.ts'
import { askRead, confirmReads, leadRead } from './reads.ts'
import {
  advanceCommit,
  ageFollowers,
  appendOwn,
  broadcastAppend,
  onAccepted,
  onHeartbeatAnswer,
  onRejected,
} from './replication.ts'
import { answerRead, becomeFollower, newState, type State, send } from './state.ts'
import type { Membership, Message, MessageKind, NodeId, Proposed, RaftOptions, Ready, Restored, Role } from './types.ts'

/** So many entries may wait to be committed; more would only make everybody wait longer. */
const UNCOMMITTED_MAX = 1000

/** What may leave before the leader's own disk has it: losing it again harms nobody but the leader himself. */
const EARLY: ReadonlySet<MessageKind> = new Set([
  'append',
  'heartbeat',
  'snapshot',
  'campaign-now',
  'read-index',
  'read-index-answer',
])

/** How things stand, for operators and for those who decide by it. */
export interface RaftStatus {
  readonly id: NodeId
  readonly role: Role
  readonly term: number
  readonly leader: NodeId | null
  readonly membership: Membership
  readonly committed: number
  readonly applied: number
  readonly firstIndex: number
  readonly lastIndex: number
  /** Leader only: how far each of the others is. */
  readonly followers: readonly { readonly id: NodeId; readonly match: number; readonly active: boolean }[]
}

/**
 * One member of a Raft group as a state machine that does nothing by itself: messages and ticks go in, `ready` says what
 * to write, send and apply. It knows no clock, disk or network (Ongaro's dissertation, with pre-vote, check-quorum,
 * leader transfer, learners, read index, and one change of membership at a time).
 */
export class Raft {
  readonly #state: State
  #handed: Ready | null = null

  constructor(options: RaftOptions, restored: Restored) {
    this.#state = newState(options, restored)
  }

  get status(): RaftStatus {
    const { options, role, hardState, leader, log, followers } = this.#state
    return {
      id: options.id,
      role,
      term: hardState.term,
      leader,
      membership: log.membership,
      committed: log.committed,
      applied: log.applied,
      firstIndex: log.firstIndex,
      lastIndex: log.lastIndex,
      followers: [...followers].map(([id, { match, silentTicks }]) => ({
        id,
        match,
        active: silentTicks <= options.electionTicks,
      })),
    }
  }

  get isLeader(): boolean {
    return this.#state.role === 'leader'
  }

  get term(): number {
    return this.#state.hardState.term
  }

  get leader(): NodeId | null {
    return this.#state.leader
  }

  get log(): Pick<
    State['log'],
    'term' | 'committed' | 'applied' | 'lastIndex' | 'firstIndex' | 'membership' | 'slice' | 'stable'
  > {
    return this.#state.log
  }

  /** To be called in even intervals. */
  tick(): void {
    const state = this.#state
    state.elapsed += 1
    if (state.role !== 'leader') {
      if (state.elapsed >= state.patience) {
        state.elapsed = 0
        preCampaign(state)
      }
      return
    }
    state.heartbeatElapsed += 1
    if (state.elapsed >= state.options.electionTicks) {
      state.elapsed = 0
      state.transferTo = null
      if (!this.#hasQuorum(state.log.membership)) {
        becomeFollower(state, state.hardState.term, null)
        return
      }
    }
    ageFollowers(state)
    if (state.heartbeatElapsed >= state.options.heartbeatTicks) broadcastHeartbeat(state)
  }

  /** Whether a majority of the voters has been heard of within an election time-out. */
  #hasQuorum({ voters }: Membership): boolean {
    const { options, followers } = this.#state
    const isThere = (id: NodeId): boolean =>
      id === options.id || (followers.get(id)?.silentTicks ?? Number.POSITIVE_INFINITY) <= options.electionTicks
    return voters.filter(isThere).length >= majority(voters.length)
  }

  /** A message has arrived. It may be late, doubled or out of order, and from anybody. */
  step(message: Message): void {
    const state = this.#state
    const { from, term, body } = message
    if (message.to !== state.options.id) return
    if (isDisturbance(state, message)) {
      // Who asks learns the term, and that somebody is there.
      if (body.kind === 'pre-vote') send(state, from, { kind: 'pre-vote-answer', granted: false })
      return
    }
    if (term > state.hardState.term) {
      const ofTheFuture = body.kind === 'pre-vote' || (body.kind === 'pre-vote-answer' && body.granted)
      if (!ofTheFuture) becomeFollower(state, term, isFromLeader(body.kind) ? from : null)
    } else if (term < state.hardState.term) {
      this.#answerThePast(message)
      return
    }
    const progress = state.followers.get(from)
    if (progress) progress.silentTicks = 0
    switch (body.kind) {
      case 'pre-vote':
        answerPreVote(state, from, term, body)
        return
      case 'vote':
        answerVote(state, from, body)
        return
      case 'pre-vote-answer':
        if (state.role === 'pre-candidate' && (!body.granted || term === state.hardState.term + 1))
          count(state, from, body.granted)
        return
      case 'vote-answer':
        if (state.role === 'candidate') count(state, from, body.granted)
        return
      case 'append':
        heardLeader(state, from)
        onAppend(state, from, body)
        return
      case 'heartbeat':
        heardLeader(state, from)
        onHeartbeat(state, from, body)
        return
      case 'snapshot':
        heardLeader(state, from)
        onSnapshot(state, from, body.snapshot)
        return
      case 'append-accepted':
        if (progress) onAccepted(state, from, progress, body.index)
        return
      case 'append-rejected':
        if (progress) onRejected(state, from, progress, body)
        return
      case 'heartbeat-answer':
        if (!progress) return
        onHeartbeatAnswer(state, from, progress, body.round)
        confirmReads(state)
        return
      case 'campaign-now':
        if (state.role === 'follower' && from === state.leader) campaign(state, true)
        return
      case 'read-index':
        if (state.role === 'leader') leadRead(state, from, body.read)
        else answerRead(state, from, body.read, null)
        return
      case 'read-index-answer':
        state.reads.push({ read: body.read, index: body.index })
        return
    }
  }

  /** A sender who does not know of our term yet: he may be a leader whom nobody else told, or stuck without us. */
  #answerThePast({ from, body }: Message): void {
    const state = this.#state
    if (body.kind === 'append' || body.kind === 'heartbeat' || body.kind === 'snapshot') {
      send(state, from, { kind: 'heartbeat-answer', round: 0 })
    } else if (body.kind === 'pre-vote') {
      send(state, from, { kind: 'pre-vote-answer', granted: false })
    } else if (body.kind === 'read-index') {
      send(state, from, { kind: 'read-index-answer', read: body.read, index: null })
    }
  }

  /** Asks that a command be appended to the log. Being accepted does not mean that it will be committed. */
  propose(command: string): Proposed {
    return this.#append(() => ({ kind: 'command', command }))
  }

  proposeMembership(change: MembershipChange): Proposed {
    const { log, hardState } = this.#state
    // Majorities of neighbouring memberships overlap only if the earlier one is settled, in this term.
    if (this.isLeader && (log.membershipIndex > log.committed || log.term(log.committed) !== hardState.term)) {
      return { kind: 'waiting', reason: 'an earlier change is not settled yet' }
    }
    return this.#append(() => {
      const membership = changed(log.membership, change)
      if (typeof membership === 'string') return membership
      // It could neither be committed nor taken back.
      if (!this.#hasQuorum(membership)) return 'too few of the voters that would be left are there'
      return { kind: 'membership', membership }
    })
  }

  #append(make: () => Parameters<typeof appendOwn>[1] | string): Proposed {
    const state = this.#state
    const { role, leader, log, options, transferTo } = state
    if (role !== 'leader') return { kind: 'not-leader', leader: leader === options.id ? null : leader }
    if (transferTo !== null) return { kind: 'waiting', reason: `${transferTo} is about to lead` }
    if (log.lastIndex - log.committed >= UNCOMMITTED_MAX) return { kind: 'waiting', reason: 'too much is under way' }
    const body = make()
    if (typeof body === 'string') return { kind: 'waiting', reason: body }
    const index = appendOwn(state, body)
    broadcastAppend(state)
    return { kind: 'accepted', index, term: state.hardState.term }
  }

  /** A linearizable read: its answer comes with the same number in `Ready.reads`. It may never come. */
  read(read: number): void {
    askRead(this.#state, read)
  }

  /** Hands the lead to that voter as soon as it has everything; given up after an election time-out. */
  transfer(to: NodeId): boolean {
    const state = this.#state
    const progress = state.followers.get(to)
    if (state.role !== 'leader' || !progress || !state.log.membership.voters.includes(to)) return false
    state.transferTo = to
    state.elapsed = 0
    if (progress.match === state.log.lastIndex) send(state, to, { kind: 'campaign-now' })
    return true
  }

  /** A voter who waits for nobody, for example the founder of a group. */
  campaign(): void {
    if (this.#state.role !== 'leader') preCampaign(this.#state)
  }

  /** A connection has broken, or took no message: what was under way to this member may be lost. */
  reportLost(id: NodeId): void {
    const progress = this.#state.followers.get(id)
    if (progress) disturbed(progress)
  }

  /** The state after `index`, which has been applied, stands in `data`; the last `keep` entries stay for others. */
  compact(index: number, data: string, keep: number): void {
    const { log } = this.#state
    const term = log.term(index)
    if (term === undefined || index > log.applied) throw new Error(`entry ${index} cannot be compacted`)
    const { membership } = log.membershipAt(index)
    log.compact({ index, term, membership, data }, index - keep + 1)
  }

  get snapshot(): State['log']['snapshot'] {
    return this.#state.log.snapshot
  }

  /** @returns what is to be done; `null`: nothing. The one before must have been advanced. */
  ready(): Ready | null {
    const state = this.#state
    if (this.#handed) throw new Error('the last ready was not advanced')
    const { log, outbox, reads } = state
    const entries = log.unstable()
    const committed = log.unapplied()
    const isChanged = state.hardState !== state.givenHardState
    const snapshot = log.fresh
    if (!isChanged && !snapshot && entries.length + committed.length + outbox.length + reads.length === 0) return null
    // A term that is not on the disk yet might be lived through twice: nothing leaves before it is.
    const early = isChanged ? [] : outbox.filter(({ body }) => EARLY.has(body.kind))
    const answers = isChanged ? outbox : outbox.filter(({ body }) => !EARLY.has(body.kind))
    this.#handed = {
      snapshot,
      entries,
      hardState: isChanged ? state.hardState : null,
      messages: early,
      answers,
      committed,
      reads,
    }
    state.givenHardState = state.hardState
    state.outbox = []
    state.reads = []
    return this.#handed
  }

  /** The last ready has been dealt with. */
  advance(): void {
    const state = this.#state
    const done = this.#handed
    if (!done) throw new Error('there is no ready to advance')
    this.#handed = null
    const { log } = state
    if (done.snapshot) log.installed(done.snapshot)
    const last = done.entries.at(-1)
    if (last) log.synced(last)
    const applied = done.committed.at(-1)
    if (applied) log.applied = Math.max(log.applied, applied.index)
    if (state.role === 'leader') advanceCommit(state)
  }

  /** As far as this member's log tells. */
  get isInGroup(): boolean {
    return isMember(this.#state.log.membership, this.#state.options.id)
  }
}

function isFromLeader(kind: MessageKind): boolean {
  return kind === 'append' || kind === 'heartbeat' || kind === 'snapshot'
}
