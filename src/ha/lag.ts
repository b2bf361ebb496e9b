import { sharedWalEnd } from '../cluster/history.ts'
import { type Lsn, ZERO_LSN } from '../cluster/lsn.ts'
import type { Timeline } from '../cluster/timeline.ts'
import { observation, walPosition } from './facts.ts'
import { standbyTimeline } from './own-timeline.ts'
import type { Cycle } from './world.ts'

/**
 * How many bytes of what the leader published last would be lost with this member, for `maximum_lag_on_failover`. Where
 * the cluster has left this member's timeline, WAL beyond its end does not count: however long it is, what came after is
 * not in it. In a standby cluster nothing is lost: the remote primary has it all.
 */
export async function ownLagBytes(c: Cycle): Promise<number> {
  if (c.settings.standbyCluster) return 0
  const seen = await observation(c)
  return lagBytes(c, seen ? walPosition(seen) : ZERO_LSN, await standbyTimeline(c, seen, c.signal))
}

/** As `ownLagBytes`, of whoever is at `position` on `timeline`. @param timeline `null`: of the cluster, or not known */
export function lagBytes({ view, settings }: Cycle, position: Lsn, timeline: Timeline | null): number {
  if (settings.standbyCluster) return 0
  const shared = timeline === null ? position : sharedWalEnd(view.history, timeline, position)
  return view.status.lastLsn - shared
}
