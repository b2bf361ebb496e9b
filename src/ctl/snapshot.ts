import type { Member } from '../cluster/member.ts'
import { type MemberRow, memberRows } from '../cluster/member-rows.ts'
import { adjustedTiming, type ClusterSettings, clusterSettings, DEFAULT_TIMING } from '../cluster/settings.ts'
import { isNofailover } from '../cluster/tags.ts'
import type { ClusterView } from '../cluster/view.ts'

/** What the operator pointed at: a cluster, one group of a Citus formation, or the whole formation. */
export type Extent = 'cluster' | 'group' | 'formation'

export interface Group {
  /** `null` outside of Citus. */
  readonly number: number | null
  readonly view: ClusterView
  readonly settings: ClusterSettings
  readonly rows: readonly MemberRow[]
}

/** One read of the store (spec ctl.md 3). */
export interface Snapshot {
  readonly cluster: string
  readonly extent: Extent
  /** Ascending by number; never empty. The first one is the main one: the coordinator's. */
  readonly groups: readonly [Group, ...Group[]]
}

/** A member of some group, as commands that act on members see it. */
export interface Target {
  readonly name: string
  readonly group: Group
  readonly member: Member
}

export function groupOf(number: number | null, view: ClusterView): Group {
  const document = view.config?.document ?? {}
  const settings = clusterSettings(document, adjustedTiming(document).timing ?? DEFAULT_TIMING)
  return { number, view, settings, rows: memberRows(view, settings) }
}

/** Every member, groups in order, by name within a group. */
export function allTargets(snapshot: Snapshot): Target[] {
  return snapshot.groups.flatMap((group) => group.view.members.map((member) => ({ name: member.name, group, member })))
}

/** Members other than the lock's owner that may be promoted, sorted (spec ctl.md 8.13). */
export function promotionCandidates(group: Group): string[] {
  const leader = group.view.leader?.name
  return group.view.members
    .filter(({ name, data }) => name !== leader && !isNofailover(data.tags))
    .map(({ name }) => name)
    .sort()
}

/** Seconds between two cycles as the cluster's configuration says, for messages. */
export function loopWaitSeconds(group: Group): number {
  return group.settings.loopWaitMs / 1000
}
