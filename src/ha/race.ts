import { pending } from '../cluster/failover-request.ts'
import { isNofailover } from '../cluster/tags.ts'
import { elapsedMs } from '../cluster/time.ts'
import { isPrimary, observation, ownLsn } from './facts.ts'
import { settleRequest } from './failover-race.ts'
import { hasPromised } from './failsafe.ts'
import { follow } from './follow.ts'
import { amHealthiest } from './healthiest.ts'
import { locked } from './leader.ts'
import { isLeader } from './lease.ts'
import { acquireLock, releaseLock } from './lock.ts'
import { type CycleResult, result } from './messages.ts'
import { enforcePrimary } from './primary-role.ts'
import { requestDivergenceCheck } from './rewind.ts'
import { enforceStandbyLeader } from './standby-leader.ts'
import { storeOutage } from './store-outage.ts'
import { reloadView } from './view-loading.ts'
import { deadlineEvent, insideCycleMs } from './waiting.ts'
import { type Cycle, holdsLock } from './world.ts'

/** A member that may not take over waits so long for somebody who may, before it decides whom to follow. */
const ANOTHER_LEADER_MS = 2000

/** Nobody has the lock (spec ha.md 6). */
export async function race(c: Cycle): Promise<CycleResult> {
  const backoff = await raceBackoff(c)
  if (backoff) return backoff
  if (!(await amHealthiest(c))) return standBack(c)
  const answer = await acquireLock(c)
  if (answer === 'unknown') return storeOutage(c)
  if (answer === 'refused') {
    // What we read before may have been old: a primary whose own key is there after all has not lost anything.
    await reloadView(c)
    if (holdsLock(c)) return locked(c)
    return raceLost(c)
  }
  if (hasPromised(c)) {
    // Asked for our consent, and got it, while the lock was on its way to us.
    await releaseLock(c, c.signal)
    return raceLost(c)
  }
  await settleRequest(c)
  await reloadView(c)
  // What was read is older than our lock, or somebody has taken it already: the next cycle knows, nothing happens now.
  if (!isLeader(c)) return result('follow-race-lost')
  if (c.settings.standbyCluster) return enforceStandbyLeader(c, result('standby-leader-by-acquiring'))
  return enforcePrimary(c, { already: result('acquired-lock'), promoting: result('promote-by-acquiring') })
}

function raceLost(c: Cycle): Promise<CycleResult> {
  return follow(c, { demoting: result('demoted-race-lost'), following: result('follow-race-lost') })
}

async function standBack(c: Cycle): Promise<CycleResult> {
  const nofailover = isNofailover(c.world.identity().tags)
  if (pending(c.view.failover)?.candidate || (nofailover && !c.settings.paused)) {
    await requestDivergenceCheck(c, c.signal)
    await deadlineEvent(c, insideCycleMs(c, ANOTHER_LEADER_MS), c.signal, ['leader'])
  }
  const reasons = nofailover
    ? { demoting: result('demote-not-allowed'), following: result('follow-not-allowed') }
    : { demoting: result('demote-not-healthiest'), following: result('follow-not-healthiest') }
  return follow(c, { ...reasons, refresh: true })
}

/**
 * Waits a while before the race as long as WAL still arrives: perhaps only the store was away from the primary
 * (spec ha.md 6.1).
 */
async function raceBackoff(c: Cycle): Promise<CycleResult | null> {
  const { settings, memory, world } = c
  const { previousLsn } = memory.own
  const backoffMs = settings.primaryRaceBackoffMs
  if (settings.paused || settings.standbyCluster || pending(c.view.failover)?.candidate) return null
  if (backoffMs <= 0 || previousLsn === null || (await isPrimary(c))) return null
  const now = world.clock.now()
  memory.race.backoffSince ??= now
  const leftMs = backoffMs - elapsedMs(memory.race.backoffSince, now)
  const seen = await observation(c)
  const position = await ownLsn(c)
  const moving = seen?.walReceiver?.status === 'streaming' && position !== null && position > previousLsn
  if ((leftMs > 0 && moving) || leftMs > backoffMs - settings.loopWaitMs)
    return result('race-backoff', world.name, Math.round(leftMs / 1000))
  return null
}

/** How much longer the race is put off; `null`: it is not. */
export function raceBackoffLeftMs(c: Pick<Cycle, 'memory' | 'world'>): number | null {
  const { backoffSince } = c.memory.race
  if (backoffSince === null) return null
  const leftMs = c.memory.settings.primaryRaceBackoffMs - elapsedMs(backoffSince, c.world.clock.now())
  return leftMs > 0 ? leftMs : null
}
