import { isStarting } from '../cluster/instance.ts'
import { isLocked, isSystemIdentifier } from '../cluster/view.ts'
import { fillEmptyDirectory } from './bootstrap.ts'
import { isPrimary } from './facts.ts'
import { deleteLock, releaseLock } from './lock.ts'
import { type CycleResult, fatal, result } from './messages.ts'
import { repairIsPending } from './rewind.ts'
import { type Cycle, holdsLock, inStore, logLockOwner } from './world.ts'

/** An empty or unreadable data directory (spec ha.md 3.7). `null`: there is one. */
export async function missingData(c: Cycle): Promise<CycleResult | null> {
  const { postgres, fence, log } = c.world
  const directory = await postgres.dataDirectory()
  if (directory.kind === 'present') return null
  postgres.setRole('uninitialized')
  if (postgres.isAlive())
    await postgres.stop({ mode: 'immediate', checkpoint: false, limitMs: c.settings.retryTimeoutMs }, c.signal)
  else if (postgres.state === 'running') postgres.setState('stopped')
  await fence.disable()
  logLockOwner(c)
  if (holdsLock(c)) {
    await releaseLock(c, c.signal)
    return directory.kind === 'empty'
      ? result('lock-released-directory-empty')
      : result('lock-released-directory-inaccessible')
  }
  if (directory.kind === 'inaccessible') {
    log.error(`data directory is not accessible: ${directory.reason}`)
    return result('directory-inaccessible', directory.reason)
  }
  return c.settings.paused ? result('paused-directory-empty') : fillEmptyDirectory(c)
}

/** Whether this data belongs to this cluster (spec ha.md 3.8). `null`: it does. */
export async function foreignData(c: Cycle): Promise<CycleResult | null> {
  const { view, settings, world, memory } = c
  const { postgres, log, name } = world
  const own = await postgres.systemIdentifier(c.signal)
  memory.own.systemIdentifier = own
  if (!isSystemIdentifier(own)) return result('system-id-invalid')
  const { initialize } = view
  if (isSystemIdentifier(initialize)) {
    if (initialize === own) return null
    if (!settings.paused) {
      log.critical(`system ID mismatch, node ${name} belongs to a different cluster: ${initialize} != ${own}`)
      return fatal('system-id-mismatch')
    }
    log.warning(
      `system ID has changed while in paused mode. Patroni will exit when resuming unless system ID is reset: ${initialize} != ${own}`,
    )
    if (!holdsLock(c)) return null
    await releaseLock(c, c.signal)
    return result('lock-released-system-id')
  }
  if (isLocked(view) || settings.paused) return null
  if (!postgres.callbackAttempted && postgres.isAlive() && !(await isPrimary(c))) {
    memory.joinAborted = true
    log.error('No initialize key in DCS and PostgreSQL is running as replica, aborting start')
    log.error('Please first start Patroni on the node running as primary')
    return fatal('join-aborted')
  }
  await inStore(c, (budget) => world.dcs.writeInitialize(own, { createOnly: initialize === null }, budget))
  return null
}

/** In pause a stopped server stays stopped, unless it waits for a rewind (spec ha.md 3.9). `null`: it is to be started. */
export async function leftStopped(c: Cycle): Promise<CycleResult | null> {
  const { memory, settings, world } = c
  const { postgres } = world
  if (!settings.paused) {
    if (postgres.state === 'running' || isStarting(postgres.state)) postgres.setState('crashed')
    return null
  }
  logLockOwner(c)
  if (holdsLock(c)) {
    postgres.setState('stopped')
    await deleteLock(c, c.signal, null)
    return result('paused-lock-removed-not-running')
  }
  const { state } = memory.divergence
  if (state === 'failed' || (state !== 'done' && !(await repairIsPending(c, c.signal)))) {
    postgres.setState('stopped')
    return result('paused-not-running')
  }
  postgres.setState('stopped')
  return null
}
