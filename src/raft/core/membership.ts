import type { Membership, NodeId } from './types.ts'

export const NOBODY: Membership = { voters: [], learners: [] }

/** One step from one membership to the next. Two majorities, before and after a single step, always share a voter. */
export type MembershipChange =
  | { readonly kind: 'add-learner'; readonly id: NodeId }
  | { readonly kind: 'promote'; readonly id: NodeId }
  | { readonly kind: 'remove'; readonly id: NodeId }

/** @returns the membership after the step, or why there is no such step */
export function changed(now: Membership, change: MembershipChange): Membership | string {
  const { voters, learners } = now
  const { id } = change
  switch (change.kind) {
    case 'add-learner':
      if (isMember(now, id)) return `${id} belongs to the group already`
      return { voters, learners: [...learners, id] }
    case 'promote':
      if (!learners.includes(id)) return `${id} is no learner`
      return { voters: [...voters, id], learners: learners.filter((one) => one !== id) }
    case 'remove':
      if (!isMember(now, id)) return `${id} does not belong to the group`
      if (voters.length === 1 && voters[0] === id) return `${id} is the only voter`
      return { voters: voters.filter((one) => one !== id), learners: learners.filter((one) => one !== id) }
  }
}

export function isMember({ voters, learners }: Membership, id: NodeId): boolean {
  return voters.includes(id) || learners.includes(id)
}

export function majority(voters: number): number {
  return Math.floor(voters / 2) + 1
}

export type Tally = 'won' | 'lost' | 'open'

/** How an election stands. Answers of those who are no voters do not count. */
export function tally(voters: readonly NodeId[], votes: ReadonlyMap<NodeId, boolean>): Tally {
  const needed = majority(voters.length)
  const granted = voters.filter((id) => votes.get(id) === true).length
  const open = voters.filter((id) => !votes.has(id)).length
  if (voters.length > 0 && granted >= needed) return 'won'
  return granted + open < needed ? 'lost' : 'open'
}

/** The highest number that a majority of the voters has reached. */
export function reachedByMajority(voters: readonly NodeId[], reached: (id: NodeId) => number): number {
  const sorted = voters.map(reached).sort((a, b) => b - a)
  return sorted[majority(voters.length) - 1] ?? 0
}
