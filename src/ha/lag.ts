import { sharedWalEnd } from '../cluster/history.ts'
import { type Lsn, ZERO_LSN } from '../cluster/lsn.ts'
import type { Timeline, TimelineSwitch } from '../cluster/timeline.ts'
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
  return lagOfOwn(c, seen ? walPosition(seen) : ZERO_LSN, await standbyTimeline(c, seen, c.signal))
}

/** As `ownLagBytes`, where position and timeline are known: how this member came to it is in its own files. */
export async function lagOfOwn(c: Cycle, position: Lsn, timeline: Timeline | null): Promise<number> {
  const local = timeline === null ? null : await c.world.postgres.localTimelineHistory(timeline)
  return lagBytes(c, position, timeline, local?.switches ?? null)
}

/** As `ownLagBytes`, of whoever is at `position` on `timeline`. @param timeline `null`: of the cluster, or not known */
export function lagBytes(
  { view, settings }: Cycle,
  position: Lsn,
  timeline: Timeline | null,
  cameBy: readonly TimelineSwitch[] | null = null,
): number {
  if (settings.standbyCluster) return 0
  const shared = timeline === null ? position : sharedWalEnd(view.history, timeline, position, cameBy)
  return view.status.lastLsn - shared
}
