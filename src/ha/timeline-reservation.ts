import { clusterTimeline } from '../cluster/history.ts'
import { highestCredible, type Timeline, timeline } from '../cluster/timeline.ts'
import { type Cycle, did, inStore } from './world.ts'

/**
 * Takes the number of the timeline that the coming promotion will begin, and says so in the store before PostgreSQL is
 * promoted. PostgreSQL only knows the numbers in its own files: a member that was promoted and lost, and one that
 * never heard of it, would both call their history by the same number, and neither PostgreSQL nor a comparison of
 * numbers could tell them apart later: one would replay the other's WAL.
 * @returns `null` when the number could not be taken: then nobody is promoted now
 */
export async function reserveTimeline(c: Cycle): Promise<Timeline | null> {
  const { view, memory, world } = c
  const own = await world.postgres.identifyTimeline(c.signal)
  if (own === null) return null
  const told = [...view.members, ...(memory.store.lockedView?.members ?? [])].map((member) => member.data.timeline)
  const used = highestCredible(own, [clusterTimeline(view.history), view.status.timeline, ...told])
  const next = timeline(used + 1)
  const written = await inStore(c, (budget) => world.dcs.writeStatus({ ...view.status, timeline: next }, budget))
  did(c, 'reserve timeline', { timeline: next, outcome: written.kind })
  if (written.kind !== 'done') return null
  memory.promotion.reserved = next
  return next
}
