import type { Timeline } from '../cluster/timeline.ts'
import { memberNamed } from '../cluster/view.ts'
import type { PeerStatus } from '../ports/peers.ts'
import { isElectable } from './election.ts'
import { askPeers, livingPrimary } from './peer-limits.ts'
import { addressOf } from './successors.ts'
import { isSyncActive } from './sync/active.ts'
import type { Cycle } from './world.ts'

/**
 * The store says that the lock is ours, but this agent did not win it: it was restarted, or somebody put an old copy
 * of the store back. Then no race has shown that nobody else is a primary, so that is asked before promoting.
 * @returns what speaks against a promotion; `null`: nothing known
 */
export async function objectionToFoundLock(c: Cycle): Promise<string | null> {
  const { name } = c.world
  if (isSyncActive(c) && !isElectable(c.view.sync, name)) return 'this member was not a synchronous standby'
  const names = new Set([...c.view.members, ...(c.memory.store.lockedView?.members ?? [])].map((member) => member.name))
  names.delete(name)
  const known = [...names].map(
    (other) => memberNamed(c.view, other) ?? memberNamed(c.memory.store.lockedView ?? c.view, other),
  )
  const answers = await askPeers(
    c,
    known.flatMap((member) => (member ? addressOf(member) : [])),
  )
  const alive = livingPrimary(c, answers)
  if (alive !== null) return `${alive} is still a primary`
  const own = c.settings.standbyCluster ? null : await c.world.postgres.identifyTimeline(c.signal)
  const newer = answers.find((peer) => isOnNewerTimeline(peer, own))
  return newer ? `${newer.name} is on a newer timeline, somebody has been a primary since` : null
}

function isOnNewerTimeline(peer: PeerStatus, own: Timeline | null): boolean {
  return peer.kind === 'reachable' && peer.timeline !== null && own !== null && peer.timeline > own
}
