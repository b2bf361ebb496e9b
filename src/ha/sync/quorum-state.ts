import type { NameSet } from '../../cluster/name-set.ts'

/**
 * What promises hold at one moment (spec ha.md 17.1). A commit is acknowledged by `numsync` of `standbys` and the primary;
 * a candidate needs `quorum` others of voters and leader that are not ahead of it.
 */
export interface QuorumState {
  /** Of the `sync` key. */
  readonly leader: string
  readonly quorum: number
  readonly voters: NameSet
  /** Of synchronous_standby_names. */
  readonly numsync: number
  readonly standbys: NameSet
}

export type PlanStep =
  | { readonly kind: 'quorum'; readonly leader: string; readonly quorum: number; readonly voters: NameSet }
  | { readonly kind: 'sync'; readonly numsync: number; readonly standbys: NameSet }
  /** Look at PostgreSQL again in a moment: new standbys become synchronous. */
  | { readonly kind: 'restart' }

/** Why a state promises too little; `null`: every set of members that acknowledged a commit meets every set that elects. */
export function brokenPromise(state: QuorumState, me: string): string | null {
  if (state.voters.size === 0) return null
  const electing = state.voters.with([state.leader])
  const committing = state.standbys.with([me])
  const all = electing.or(committing).size
  if (all > state.quorum + state.numsync + 1) {
    return `Quorum and sync not guaranteed to overlap: nodes ${all} >= quorum ${state.quorum} + sync ${state.numsync} + 1`
  }
  if (!committing.includes(electing) && !electing.includes(committing))
    return `Mismatched sets: quorum only=[${electing.without(committing).print()}] sync only=[${committing.without(electing).print()}]`
  return null
}

export function afterStep(state: QuorumState, step: PlanStep): QuorumState {
  switch (step.kind) {
    case 'quorum':
      return { ...state, leader: step.leader, quorum: step.quorum, voters: step.voters }
    case 'sync':
      return { ...state, numsync: step.numsync, standbys: step.standbys }
    case 'restart':
      return state
  }
}
