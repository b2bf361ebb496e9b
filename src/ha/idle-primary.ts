import { isStarting } from '../cluster/instance.ts'
import { ZERO_LSN } from '../cluster/lsn.ts'
import { elapsedMs } from '../cluster/time.ts'
import type { Observation } from '../ports/postgres.ts'
import { demote } from './demotion.ts'
import { observation } from './facts.ts'
import { type CycleResult, result } from './messages.ts'
import { isFailoverPossible } from './successors.ts'
import type { Cycle } from './world.ts'

/**
 * A lock holder that serves nobody must not keep the lock for ever: its postmaster is suspended, its disk hangs, its
 * promotion never ends. It gets as long as a start may take, and gives up only where somebody else can take over.
 */
export async function endIdlePrimary(c: Cycle): Promise<CycleResult | null> {
  const { memory, settings, world } = c
  const { idleness } = memory
  if (settings.paused || settings.standbyCluster || isStarting(world.postgres.state)) {
    idleness.since = null
    return null
  }
  const now = world.clock.now()
  if (serves(c, await observation(c))) {
    idleness.since = null
    return null
  }
  idleness.since ??= now
  if (elapsedMs(idleness.since, now) < Math.max(settings.primaryStartTimeoutMs, settings.ttlMs)) return null
  if (!(await isFailoverPossible(c))) return null
  idleness.since = null
  world.log.warning('PostgreSQL holds the lock and serves nobody, somebody else can. Demoting self.')
  await demote(c, 'immediate', c.signal)
  return result('stopped-idle-primary')
}

/** It answers, takes writes, and what is written reaches the disk. */
function serves(c: Cycle, seen: Observation | null): boolean {
  if (seen === null || seen.inRecovery) return false
  const { idleness } = c.memory
  const stuck = (seen.insertLsn ?? ZERO_LSN) > seen.primaryLsn && seen.primaryLsn === idleness.flushedLsn
  idleness.flushedLsn = seen.primaryLsn
  return !stuck
}
