import { memberNamed } from '../cluster/view.ts'
import type { Group, Snapshot, Target } from './snapshot.ts'

/** Values of `--role` (spec ctl.md 3). */
export const ROLE_FILTERS = ['leader', 'primary', 'standby-leader', 'replica', 'standby', 'any'] as const
export type RoleFilter = (typeof ROLE_FILTERS)[number]

/** The members that a role selects, groups in order. The lock's owner counts as a leader even without a member key. */
export function membersOfRole(snapshot: Snapshot, role: RoleFilter): Target[] {
  return snapshot.groups.flatMap((group) => inGroup(group, role))
}

function inGroup(group: Group, role: RoleFilter): Target[] {
  const { members, leader } = group.view
  const owner = leader?.name ?? null
  const all = members.map((member): Target => ({ name: member.name, group, member }))
  const holders = (excluded: string | null): Target[] => {
    const holder = memberNamed(group.view, owner)
    return holder && holder.data.role !== excluded ? [{ name: holder.name, group, member: holder }] : []
  }
  switch (role) {
    case 'any':
      return all
    case 'replica':
    case 'standby':
      return all.filter(({ name }) => name !== owner)
    case 'leader':
      return holders(null)
    case 'primary':
      return holders('standby_leader')
    case 'standby-leader':
      return holders('primary')
  }
}

/** Whoever has a REST address, the leader first (spec ctl.md 3). */
export function leaderFirst(group: Group): Target[] {
  const reachable = group.view.members
    .filter(({ data }) => data.apiUrl !== null)
    .map((member): Target => ({ name: member.name, group, member }))
  const isLeader = ({ name }: Target): boolean => name === group.view.leader?.name
  return [...reachable.filter(isLeader), ...reachable.filter((one) => !isLeader(one))]
}
