import { demote } from './demotion.ts'
import { isPrimary, isPrimaryOrPromoting } from './facts.ts'
import { forgetFailsafe } from './failsafe.ts'
import { objectionToFoundLock } from './found-lock.ts'
import { maintainHistory } from './history.ts'
import { releaseLock } from './lock.ts'
import { type CycleResult, result } from './messages.ts'
import { beginPromotion } from './promotion.ts'
import { prepareSyncForPromotion, syncStep } from './sync/step.ts'
import { reserveTimeline } from './timeline-reservation.ts'
import type { Cycle } from './world.ts'

export interface PrimaryReasons {
  /** The result when this server is a primary already. */
  readonly already: CycleResult
  /** The result when its promotion begins now. */
  readonly promoting: CycleResult
}

/** The lock is ours: be a primary, or become one (spec ha.md 7.3). */
export async function enforcePrimary(c: Cycle, reasons: PrimaryReasons): Promise<CycleResult> {
  const { memory, settings, world } = c
  const { postgres, log, fence } = world
  const primary = await isPrimary(c)
  if (!settings.paused && !fence.isRunning && !(await fence.activate(memory.lease.until))) {
    if (await isPrimaryOrPromoting(c)) {
      await demote(c, 'immediate', c.signal)
      return result('demote-fence')
    }
    memory.race.fenceFailedAt = world.clock.now()
    await releaseLock(c, c.signal)
    return result('not-promoting-fence')
  }
  if (!settings.paused && memory.promotion.prePromote === 'failed') {
    log.warning('Releasing the leader key voluntarily because the pre-promote script failed')
    memory.race.releasedAt = world.clock.now()
    await releaseLock(c, c.signal)
    memory.promotion.prePromote = 'none'
    return result('pre-promote-failed')
  }
  if (primary) {
    postgres.setRole('primary')
    await syncStep(c)
    await maintainHistory(c)
    return reasons.already
  }
  if (postgres.role === 'primary' || postgres.role === 'promoted') {
    await syncStep(c)
    return reasons.already
  }
  const objection = memory.lease.taken ? null : await objectionToFoundLock(c)
  if (objection !== null) {
    await releaseLock(c, c.signal)
    return result('lock-released-found', objection)
  }
  // In this order: whoever is the leader of the sync key has taken a number above every timeline of before.
  const begins = await reserveTimeline(c)
  if (begins === null) return result('promotion-postponed-timeline')
  if ((await prepareSyncForPromotion(c)) === 'refused') return result('promotion-postponed-sync')
  forgetFailsafe(c)
  memory.own.timeline = null
  memory.promotion.prePromote = 'none'
  return beginPromotion(c, begins, reasons.promoting)
}
