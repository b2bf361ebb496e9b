import type { Timeline } from '../cluster/timeline.ts'
import { isLeader } from './lease.ts'
import type { CycleResult } from './messages.ts'
import { beginOrBusy } from './rewind.ts'
import { type Cycle, did } from './world.ts'

/** Becomes a primary, beside the loop, which goes on renewing the lock (spec ha.md 9). */
export function beginPromotion(c: Cycle, begins: Timeline, begun: CycleResult): CycleResult {
  return beginOrBusy(c, 'promote', begun, (signal) => promote(c, begins, signal))
}

async function promote(c: Cycle, begins: Timeline, signal: AbortSignal): Promise<boolean> {
  const { memory, world, settings } = c
  const { postgres, log } = world
  if (postgres.role === 'promoted' || postgres.role === 'primary') return true
  memory.promotion.prePromote = 'running'
  const passed = await postgres.prePromote(signal)
  // Between this look and the promotion there is no await: a lock lost meanwhile has cancelled us here, or comes after.
  // The lease is looked at as well: after a long sleep of this process nobody has told us yet that it is over.
  if (isCancelled(c) || signal.aborted || !isLeader(c)) {
    memory.promotion.prePromote = 'none'
    log.info('PostgreSQL promote cancelled.')
    return true
  }
  memory.promotion.prePromote = passed ? 'passed' : 'failed'
  // The next cycle gives the lock away: that is not to wait.
  if (!passed) return true
  memory.divergence.state = 'idle'
  memory.divergence.checkpoint = 'none'
  const outcome = await postgres.promote(settings.loopWaitMs, signal, begins)
  memory.promotion.failed = outcome === 'failed'
  did(c, 'promote', { outcome, timeline: begins })
  return outcome !== 'failed'
}

function isCancelled(c: Cycle): boolean {
  return c.memory.promotion.prePromote === 'cancelled'
}

/** The lock was lost before the script said yes: nothing is promoted. @returns false when it is too late for that */
export function cancelPromotion(c: Cycle): boolean {
  if (c.memory.promotion.prePromote !== 'running') return false
  c.memory.promotion.prePromote = 'cancelled'
  c.actions.abort()
  return true
}
