import { primaryStopLimitMs } from '../cluster/settings.ts'
import { EMPTY_VIEW, lockOwner } from '../cluster/view.ts'
import type { ShutdownPositions } from '../ports/postgres.ts'
import { isLeader } from './lease.ts'
import { deleteLock } from './lock.ts'
import { publishMember } from './member-key.ts'
import { asAsynchronous } from './restart.ts'
import { writeLastLsn } from './status.ts'
import { successorHas } from './successors.ts'
import { newCycle } from './view-loading.ts'
import { did, type Ha } from './world.ts'

/** The agent ends in good order (spec ha.md 20). Call it when no cycle runs any more. */
export async function shutdown(ha: Ha, signal: AbortSignal): Promise<void> {
  const { memory, world, actions } = ha
  const { postgres, fence, log } = world
  await postgres.cancelStart()
  await actions.cancel()
  if (memory.settings.paused) {
    log.info('Leader key is not deleted and Postgresql is not stopped due paused state')
    await fence.disable()
    return
  }
  if (memory.joinAborted) return
  const leader = isLeader(ha) || (memory.store.view !== null && lockOwner(memory.store.view) === world.name)
  const stop = (): Promise<void> => stopServer(ha, leader, signal)
  // Where no server runs there still is a watchdog to let go of, a key to give back and a last word to say.
  await (postgres.isAlive() ? asAsynchronous(ha, signal, stop) : stop())
}

async function stopServer(ha: Ha, leader: boolean, signal: AbortSignal): Promise<void> {
  const { memory, world } = ha
  const { postgres, fence, log } = world
  const view = memory.store.view ?? EMPTY_VIEW
  let released = false
  const release = async ({ checkpoint, previous }: ShutdownPositions): Promise<boolean> => {
    if (released) return true
    if (!(await successorHas(newCycle(ha, view, signal), checkpoint))) {
      await writeLastLsn({ ...ha, signal }, previous)
      return false
    }
    released = true
    await deleteLock(ha, signal, previous)
    return true
  }
  const stopped = await postgres.stop(
    {
      mode: 'fast',
      checkpoint: false,
      limitMs: primaryStopLimitMs(memory.settings),
      onSafePoint: () => fence.disable(),
      ...(leader ? { onShutdownCheckpoint: release } : {}),
    },
    signal,
  )
  did(ha, 'stop PostgreSQL for shutdown', { outcome: stopped, releasedEarly: released })
  if (stopped !== 'stopped') {
    log.error(
      `PostgreSQL shutdown failed, leader key not removed.${fence.isRunning ? ' Leaving watchdog running.' : ''}`,
    )
    return
  }
  if (leader && !released) {
    const positions = await postgres.shutdownPositions(signal)
    await deleteLock(ha, signal, positions?.previous ?? null)
  }
  await publishMember(ha, signal)
}
