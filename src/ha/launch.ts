import type { MayLaunch } from '../ports/postgres.ts'
import { isLeader } from './lease.ts'
import type { Ha } from './world.ts'

/**
 * Whether the server, started with its files as they are, takes writes as soon as it is up. The files alone say it:
 * a former primary that was found stopped counts as demoted, and would come up as what it was.
 */
export async function comesUpAsPrimary(ha: Ha): Promise<boolean> {
  return !ha.memory.bootstrap.active && !(await ha.world.postgres.hasRecoverySignal())
}

/**
 * Puts the guard in charge before a primary is launched, and says until when it may be: as long as the lease runs, and
 * as long as the guard does that was there at the beginning.
 * @returns `null`: it must not be launched at all
 */
export async function permissionToLaunch(ha: Ha): Promise<MayLaunch | null> {
  const { memory, world } = ha
  if (memory.settings.paused || !(await comesUpAsPrimary(ha))) return () => true
  if (!isLeader(ha) || !(await world.fence.activate(memory.lease.until))) return null
  const guarded = world.fence.isRunning
  return () => isLeader(ha) && (!guarded || world.fence.isRunning)
}
