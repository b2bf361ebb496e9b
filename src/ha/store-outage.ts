import { isStarting } from '../cluster/instance.ts'
import { demote, endLongAction } from './demotion.ts'
import { isPrimaryOrPromoting, observation } from './facts.ts'
import { allMembersConsent, forgetFailsafe } from './failsafe.ts'
import { comesUpAsPrimary } from './launch.ts'
import { type CycleResult, result } from './messages.ts'
import { learnTimeline } from './own-timeline.ts'
import { syncSlotsWithoutStore } from './slots-without-store.ts'
import type { Cycle } from './world.ts'

/**
 * The store gave no usable answer (spec ha.md 14.1). A primary stops being one before its lease could be given away,
 * unless failsafe mode is on and every member consents.
 */
export async function storeOutage(c: Cycle): Promise<CycleResult> {
  c.storeFailed = true
  // The agent is told to end: that says nothing about the store, and its server is stopped in good order soon.
  if (c.signal.aborted) return result('store-inaccessible')
  c.world.log.error('Error communicating with DCS')
  const { settings, world } = c
  if (settings.paused || !world.postgres.isAlive()) return result('store-inaccessible')
  // One that is still coming up counts as well: it takes writes as soon as it is there.
  if (!(await isPrimaryOrPromoting(c)) && !(isStarting(world.postgres.state) && (await comesUpAsPrimary(c)))) {
    const seen = await observation(c)
    // Others that reach the store may ask how far this one is: without its timeline its word would count for nothing.
    if (seen?.inRecovery) await learnTimeline(c, seen, c.signal)
    await syncSlotsWithoutStore(c)
    return result('store-inaccessible')
  }
  if (settings.failsafeMode && (await allMembersConsent(c))) {
    await syncSlotsWithoutStore(c)
    return result('failsafe-primary')
  }
  forgetFailsafe(c)
  world.log.info('demoting self because DCS is not accessible and I was a leader')
  await endLongAction(c)
  await demote(c, 'offline', c.signal)
  return result('demoted-store-inaccessible')
}
