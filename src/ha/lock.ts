import type { Lsn } from '../cluster/lsn.ts'
import { elapsedMs, later } from '../cluster/time.ts'
import type { Lease, StoreOutcome } from '../ports/dcs.ts'
import { forgetLease, isLeader } from './lease.ts'
import { publishMember } from './member-key.ts'
import { restartRetention } from './retention.ts'
import { publishStatus, writeLastLsn } from './status.ts'
import { type Cycle, did, type Ha, inStore } from './world.ts'

/**
 * The lock (spec ha.md 8). The lease runs from the moment the request left, so it ends here before it ends in the
 * store. `unknown` leaves it as it was: neither lost nor longer.
 */
function remember(ha: Ha, what: string, outcome: StoreOutcome<Lease>): StoreOutcome<Lease>['kind'] {
  const { lease, settings } = ha.memory
  if (outcome.kind === 'done') lease.until = later(outcome.value.sentAt, settings.ttlMs)
  if (outcome.kind === 'refused') forgetLease(ha)
  ha.world.journal.record({
    kind: 'asked',
    what,
    detail:
      outcome.kind === 'done'
        ? { answer: 'done', tookMs: Math.round(elapsedMs(outcome.value.sentAt, ha.world.clock.now())) }
        : { answer: outcome.kind, reason: outcome.reason },
  })
  return outcome.kind
}

/**
 * Only as long as the store has the very `sync` key and `status` that the election was decided by, and the very record of
 * those whose consent a primary without a store has: our view of them may be old. Only a leader writes `status`: another
 * one than was read is the word of a leader that we have not heard of.
 */
export async function acquireLock(c: Cycle): Promise<StoreOutcome<Lease>['kind']> {
  const { sync, status, failsafe } = c.view
  const basis = {
    sync: sync.version,
    status: status.version,
    ...(c.settings.failsafeMode ? { failsafe: failsafe?.version ?? null } : {}),
  }
  const answer = remember(c, 'acquire lock', await inStore(c, (budget) => c.world.dcs.acquire(budget, basis)))
  if (answer === 'done') {
    c.memory.lease.taken = true
    restartRetention(c)
    await c.world.fence.keepAlive(c.memory.lease.until)
  }
  return answer
}

/**
 * Keeps the lock. Nothing else is asked of the store before: the renewal must not wait behind other work. A key that has
 * vanished is ours only while the lease runs: after it somebody else may have been leader, and be gone again.
 */
export async function renewLock(c: Cycle): Promise<StoreOutcome<Lease>['kind']> {
  const mayCreate = isLeader(c)
  const answer = remember(c, 'renew lock', await inStore(c, (budget) => c.world.dcs.renew(c.view, budget, mayCreate)))
  if (answer === 'done') await c.world.fence.keepAlive(c.memory.lease.until)
  return answer
}

/** Keeps the lock, and then tells the others how far the WAL and the slots are. */
export async function renewLockWithStatus(c: Cycle): Promise<StoreOutcome<Lease>['kind']> {
  const answer = await renewLock(c)
  if (answer === 'done') await publishStatus(c)
  return answer
}

/** Writes the leader key whoever has it: the end of a bootstrap, when nobody else can. */
export async function takeLock(c: Cycle): Promise<StoreOutcome<Lease>['kind']> {
  const answer = remember(c, 'take lock', await inStore(c, (budget) => c.world.dcs.take(budget)))
  if (answer === 'done') c.memory.lease.taken = true
  return answer
}

/** Gives the key back if it is ours; before that, says how far the WAL goes. */
export async function deleteLock(ha: Ha, signal: AbortSignal, lastLsn: Lsn | null): Promise<void> {
  forgetLease(ha)
  const scope = { ...ha, signal }
  if (lastLsn !== null) await writeLastLsn(scope, lastLsn)
  const outcome = await inStore(scope, (budget) => ha.world.dcs.release(budget))
  if (outcome.kind !== 'done') ha.world.log.warning(`Failed to delete the leader key: ${outcome.reason}`)
  ha.memory.store.view = null
  did(ha, 'delete leader key', { outcome: outcome.kind })
}

/** Gives the key back and tells everybody why by the member key. */
export async function releaseLock(ha: Ha, signal: AbortSignal, lastLsn: Lsn | null = null): Promise<void> {
  await deleteLock(ha, signal, lastLsn)
  await publishMember(ha, signal)
  ha.world.log.info('Leader key released')
}
