import { isNostream, replicatefrom } from '../cluster/tags.ts'
import { isLocked, leaderMember, memberNamed } from '../cluster/view.ts'
import type { Upstream } from '../ports/postgres.ts'
import { type Cycle, holdsLock } from './world.ts'

/** Whom this member should follow (spec ha.md 7.4): first match decides; never itself. `null`: nobody. */
export function chooseUpstream(c: Cycle): Upstream | null {
  const { tags } = c.world.identity()
  if (isNostream(tags)) return null
  if (c.settings.standbyCluster && (holdsLock(c) || (!isLocked(c.view) && !c.settings.paused))) return remoteMember(c)
  const cascade = replicatefrom(tags)
  const named = cascade === c.world.name ? null : memberNamed(c.view, cascade)
  const member = named ?? leaderMember(c.view)
  if (!member || member.name === c.world.name) return null
  return withStandbyCommands(c, { kind: 'member', member })
}

/** The primary outside that a standby cluster copies from. */
export function remoteMember(c: Cycle): Upstream | null {
  const { standbyCluster } = c.settings
  return standbyCluster && { kind: 'remote', name: 'remote_member', standbyCluster }
}

/** Members inside a standby cluster use its restore and clean-up commands. */
export function withStandbyCommands(c: Cycle, upstream: Upstream): Upstream {
  const { standbyCluster } = c.settings
  if (!standbyCluster || upstream.kind === 'remote') return upstream
  return {
    ...upstream,
    ...(standbyCluster.restoreCommand !== null ? { restoreCommand: standbyCluster.restoreCommand } : {}),
    ...(standbyCluster.archiveCleanupCommand !== null
      ? { archiveCleanupCommand: standbyCluster.archiveCleanupCommand }
      : {}),
  }
}

export function upstreamName(upstream: Upstream): string {
  return upstream.kind === 'member' ? upstream.member.name : upstream.name
}

/** Where a rewind or reinitialization would copy from: the remote primary in a standby cluster, else the leader. */
export function divergenceSource(c: Cycle): Upstream | null {
  if (c.settings.standbyCluster) return remoteMember(c)
  const member = leaderMember(c.view)
  if (!member || member.name === c.world.name || member.data.connUrl === null) return null
  return { kind: 'member', member }
}
