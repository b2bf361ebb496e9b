import { pending } from '../cluster/failover-request.ts'
import { lockOwner } from '../cluster/view.ts'
import { demote } from './demotion.ts'
import { isPrimary, isPrimaryOrPromoting } from './facts.ts'
import { handleRequestAsLeader } from './failover-request.ts'
import { follow } from './follow.ts'
import { endIdlePrimary } from './idle-primary.ts'
import { deleteLock, renewLockWithStatus } from './lock.ts'
import { type CycleResult, result } from './messages.ts'
import { checkpointAfterPromotion } from './post-promotion.ts'
import { enforcePrimary } from './primary-role.ts'
import { enforceStandbyLeader } from './standby-leader.ts'
import { storeOutage } from './store-outage.ts'
import { type Cycle, holdsLock, logLockOwner } from './world.ts'

/** Somebody has the lock (spec ha.md 7.1). */
export function locked(c: Cycle): Promise<CycleResult> {
  logLockOwner(c)
  return holdsLock(c) ? withLock(c) : withoutLock(c)
}

async function withLock(c: Cycle): Promise<CycleResult> {
  const { settings, view, world } = c
  if (settings.paused && !(await isPrimary(c))) {
    if (pending(view.failover)?.candidate === world.name) return result('waiting-to-become-primary')
    if (!settings.standbyCluster) {
      await deleteLock(c, c.signal, null)
      return result('paused-lock-removed-not-primary')
    }
  }
  const answer = await renewLockWithStatus(c)
  if (answer === 'unknown') return storeOutage(c)
  if (answer === 'refused') return renewalRefused(c)
  return (await endIdlePrimary(c)) ?? asLockOwner(c)
}

/** The store says that the lock is somebody else's, or gone for good: this server must not be a primary any more. */
async function renewalRefused(c: Cycle): Promise<CycleResult> {
  c.world.log.error('failed to update leader lock')
  if (!(await isPrimaryOrPromoting(c))) return result('not-promoting-renewal-refused')
  if (c.settings.paused) return result('paused-keep-primary-without-renewal')
  await demote(c, 'immediate-nolock', c.signal)
  return result('demoted-renewal-refused')
}

/** Spec ha.md 7.2. */
async function asLockOwner(c: Cycle): Promise<CycleResult> {
  const requested = await handleRequestAsLeader(c)
  if (requested) return requested
  await checkpointAfterPromotion(c)
  const { name, postgres } = c.world
  if (c.settings.standbyCluster) {
    const settled = postgres.role === 'standby_leader'
    return enforceStandbyLeader(
      c,
      settled ? result('standby-leader-with-lock', name) : result('standby-leader-had-lock'),
    )
  }
  return enforcePrimary(c, { already: result('leader-with-lock', name), promoting: result('promote-with-lock') })
}

function withoutLock(c: Cycle): Promise<CycleResult> {
  const owner = lockOwner(c.view) ?? ''
  const { name } = c.world
  return c.settings.standbyCluster
    ? follow(c, {
        demoting: result('not-primary-in-standby-cluster'),
        following: result('following-standby-leader', name, owner),
      })
    : follow(c, { demoting: result('demote-no-lock'), following: result('following-leader', name, owner) })
}
