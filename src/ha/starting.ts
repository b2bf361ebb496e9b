import { isStarting } from '../cluster/instance.ts'
import { elapsedMs } from '../cluster/time.ts'
import { demote } from './demotion.ts'
import { handleRequestAsLeader } from './failover-request.ts'
import { comesUpAsPrimary } from './launch.ts'
import { renewLock } from './lock.ts'
import { type CycleResult, result } from './messages.ts'
import { storeOutage } from './store-outage.ts'
import { isFailoverPossible } from './successors.ts'
import { type Cycle, holdsLock, logLockOwner } from './world.ts'

/** PostgreSQL is still coming up (spec ha.md 3.4). `null`: it is not, or the cycle goes on all the same. */
export async function stillStarting(c: Cycle): Promise<CycleResult | null> {
  const { memory, settings, world } = c
  const { postgres, log, clock } = world
  if (settings.paused) {
    memory.recovery.startTimeoutMs = null
    // Somebody may have started or stopped it by hand; after the pause nobody else would notice.
    postgres.setState(postgres.isAlive() ? 'running' : 'stopped')
    return null
  }
  if (isStarting(postgres.state)) await postgres.resolveStarting(c.signal)
  if (!isStarting(postgres.state)) {
    memory.recovery.startTimeoutMs = null
    return null
  }
  logLockOwner(c)
  if (!holdsLock(c)) {
    if (!(await comesUpAsPrimary(c))) {
      log.info('Still starting up as a standby.')
      return null
    }
    log.info('Lost lock while starting up. Demoting self.')
    await demote(c, 'immediate-nolock', c.signal)
    return result('lock-lost-while-starting')
  }
  const answer = await renewLock(c)
  if (answer === 'unknown') return storeOutage(c)
  if (answer === 'refused') {
    log.info('Lost lock while starting up. Demoting self.')
    await demote(c, 'immediate-nolock', c.signal)
    return result('lock-lost-while-starting')
  }
  const limitMs = memory.recovery.startTimeoutMs ?? settings.primaryStartTimeoutMs
  const leftMs = limitMs - elapsedMs(postgres.stateSince, clock.now())
  if (leftMs <= 0) {
    if (!(await isFailoverPossible(c))) return result('start-too-slow-alone')
    log.info('Demoting self because primary startup is taking too long')
    await demote(c, 'immediate', c.signal)
    return result('start-too-slow')
  }
  return (await handleRequestAsLeader(c)) ?? result('still-starting', Math.round(leftMs / 1000))
}
