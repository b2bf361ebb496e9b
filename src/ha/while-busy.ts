import { roleClass } from '../cluster/instance.ts'
import { elapsedMs } from '../cluster/time.ts'
import { isLocked } from '../cluster/view.ts'
import { demote, endLongAction } from './demotion.ts'
import { renewLock } from './lock.ts'
import { type CycleResult, result } from './messages.ts'
import { cancelPromotion } from './promotion.ts'
import { storeOutage } from './store-outage.ts'
import { isFailoverPossible } from './successors.ts'
import { type Cycle, holdsLock, logLockOwner } from './world.ts'

const LAUNCHES = ['restart', 'starting primary after failure']

/** A long action runs: keep the lock meanwhile, or stop being a primary when it is lost (spec ha.md 3.3). */
export async function whileBusy(c: Cycle, action: string): Promise<CycleResult> {
  const { memory, settings, world } = c
  logLockOwner(c)
  const lock = holdsLock(c) ? await renewLock(c) : 'refused'
  if (lock === 'unknown') return storeOutage(c)
  if (lock === 'done') {
    if (await crashRecoveryIsTooSlow(c, action)) {
      world.log.info('Demoting self because crash recovery is taking too long')
      await c.actions.cancel()
      await demote(c, 'immediate', c.signal)
      return result('crash-recovery-too-slow')
    }
    return result('kept-lock-during-action', action)
  }
  if (!memory.bootstrap.active && !settings.paused) {
    if (action === 'promote' && cancelPromotion(c)) return result('promotion-cancelled-lock-lost')
    // `promoted` as well: a promotion that goes on without the lock ends in a second primary.
    if (roleClass(world.postgres.role) === 'primary') {
      world.log.info(`Demoting primary during ${action}`)
      if (LAUNCHES.includes(action)) await endLongAction(c)
      await demote(c, 'immediate-nolock', c.signal)
      return result('lock-lost-during-action', action)
    }
  }
  if (!isLocked(c.view)) world.log.info('not healthy enough for leader race')
  return result('action-in-progress', action)
}

async function crashRecoveryIsTooSlow(c: Cycle, action: string): Promise<boolean> {
  const { since } = c.actions
  if (action !== 'doing crash recovery in a single user mode' || since === null) return false
  if (elapsedMs(since, c.world.clock.now()) < c.settings.primaryStartTimeoutMs) return false
  return isFailoverPossible(c)
}
