import { isStarting } from '../cluster/instance.ts'
import { type Lsn, maxLsn } from '../cluster/lsn.ts'
import type { Observation } from '../ports/postgres.ts'
import { correctTimeline } from './own-timeline.ts'
import type { Cycle } from './world.ts'

/** Looks into the running server, once per cycle, and remembers how far it is. `null`: it cannot be asked now. */
export async function observation(c: Cycle): Promise<Observation | null> {
  const { postgres } = c.world
  if (!postgres.isAlive()) return null
  const outcome = await postgres.observe(c.signal)
  return outcome.kind === 'observed' ? remembered(c, outcome.observation) : null
}

/** Every cycle knows how far the WAL was in the one before: in a race it shows whether WAL still comes in. */
function remembered(c: Cycle, seen: Observation): Observation {
  c.memory.own.lsn = walPosition(seen)
  correctTimeline(c.memory.own, seen)
  return seen
}

/**
 * Whether the local server is a primary now. A server that does not answer counts as what it was last: asking is not
 * allowed to end a primary (spec ha.md 1.4).
 */
export async function isPrimary(c: Cycle): Promise<boolean> {
  const { postgres, log } = c.world
  if (!postgres.isAlive() || isStarting(postgres.state)) return false
  const outcome = await postgres.observe(c.signal)
  if (outcome.kind === 'observed') return !remembered(c, outcome.observation).inRecovery
  // Nobody waits for the answer any more: the agent ends, or the action is cancelled.
  if (!c.signal.aborted)
    log.warning('Failed to determine PostgreSQL state from the connection, falling back to cached role')
  return postgres.isAlive() && postgres.role === 'primary'
}

/**
 * A promotion that was asked for cannot be taken back, however long it takes: whoever must not become a primary any
 * more has to stop this server, as if it were one already.
 */
export async function isPrimaryOrPromoting(c: Cycle): Promise<boolean> {
  const { postgres } = c.world
  return (postgres.isAlive() && postgres.role === 'promoted') || isPrimary(c)
}

export function walPosition(seen: Observation): Lsn {
  return seen.inRecovery ? maxLsn(seen.receivedLsn, seen.replayedLsn) : seen.primaryLsn
}

/** Own position in the WAL; `null` when the server cannot be asked. */
export async function ownLsn(c: Cycle): Promise<Lsn | null> {
  const seen = await observation(c)
  return seen && walPosition(seen)
}
