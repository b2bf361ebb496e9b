import { deleteLock } from './lock.ts'
import { type CycleResult, result } from './messages.ts'
import { type Cycle, holdsLock, logLockOwner } from './world.ts'

/** Whether the start that was ordered has worked (spec ha.md 3.6). `null`: go on. */
export async function verifyStart(c: Cycle): Promise<CycleResult | null> {
  const { memory, world } = c
  const { postgres, fence } = world
  if (!memory.recovery.verifying) return null
  memory.recovery.verifying = false
  const { divergence } = memory
  const repairing = divergence.state === 'check' || divergence.state === 'needed'
  if (!repairing && !postgres.isAlive()) {
    await fence.disable()
    logLockOwner(c)
    if (!holdsLock(c)) return result('start-failed')
    if (postgres.role === 'primary' || postgres.role === 'standby_leader') {
      postgres.setRole('demoted')
      postgres.fireCallback('on_role_change', 'demoted')
    }
    await deleteLock(c, c.signal, null)
    return result('lock-removed-start-failed')
  }
  // Not while it is down: what did not help is not tried again and again.
  if (postgres.isAlive()) memory.recovery.crashRecoveryDone = false
  if (divergence.state === 'done') divergence.state = 'idle'
  return null
}
