import { type HistoryRecord, withPassedOver } from '../cluster/history.ts'
import { observation } from './facts.ts'
import { type Cycle, inStore } from './world.ts'

/** Keeps the `history` key in step with the local timeline history (spec ha.md 18.1). */
export async function maintainHistory(c: Cycle): Promise<void> {
  const seen = await observation(c)
  if (!seen || seen.timeline === 0) return
  const known = c.view.history
  const stored = known?.records ?? []
  const damaged = known !== null && !known.whole
  if (seen.timeline === 1) {
    if (stored.length > 0 || damaged) await inStore(c, (budget) => c.world.dcs.writeHistory([], budget))
    return
  }
  const last = stored.at(-1)
  if (!damaged && last && last.timeline === seen.timeline - 1 && last.at !== null && last.leader !== null) return
  const local = await c.world.postgres.localTimelineHistory(seen.timeline)
  if (!local || local.switches.length === 0) return
  const records = withPassedOver(local.switches, seen.timeline).map((line): HistoryRecord => {
    const told = stored.find((record) => record.timeline === line.timeline && record.lsn === line.switchpoint)
    const own = line.timeline === seen.timeline - 1
    return {
      timeline: line.timeline,
      lsn: line.switchpoint,
      reason: line.reason,
      at: own ? local.modifiedAt : (told?.at ?? null),
      leader: own ? c.world.name : (told?.leader ?? null),
    }
  })
  const { maxTimelinesHistory } = c.settings
  const kept = maxTimelinesHistory > 0 ? records.slice(-maxTimelinesHistory) : records
  await inStore(c, (budget) => c.world.dcs.writeHistory(kept, budget))
}
