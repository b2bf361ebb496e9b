import { isStarting } from '../cluster/instance.ts'
import { observation } from './facts.ts'
import { follow } from './follow.ts'
import { type CycleResult, result } from './messages.ts'
import { requestDivergenceCheck } from './rewind.ts'
import { forgetPromises } from './sync/step.ts'
import { remoteMember } from './upstream.ts'
import { insideCycleMs } from './waiting.ts'
import { type Cycle, withBudget } from './world.ts'

/** How long the remote primary may take to say on which timeline it is. */
const REMOTE_ANSWER_MS = 5000

/** The lock owner of a standby cluster follows the remote primary and never promotes (spec ha.md 7.5). */
export async function enforceStandbyLeader(c: Cycle, following: CycleResult): Promise<CycleResult> {
  if (c.world.postgres.role === 'standby_leader') await forgetPromises(c)
  if (await remoteIsOnNewerTimeline(c)) await requestDivergenceCheck(c, c.signal)
  return follow(c, { demoting: result('not-primary-following-remote'), following, refresh: true })
}

/**
 * The others see in the store that their leader is on a newer timeline than they are, and compare histories until they
 * are on it as well; who leads the primary outside, the store does not know. So it is asked as long as no WAL comes from
 * there: its own failover may have begun before the last that this server has. Never is that a reason to go back to an
 * older timeline: behind the address there may be a server that was restored, or was lost and is back.
 */
async function remoteIsOnNewerTimeline(c: Cycle): Promise<boolean> {
  const { settings, memory, world } = c
  const { postgres } = world
  const { state } = memory.divergence
  const remote = remoteMember(c)
  if (!remote || !settings.standbyCluster?.host || settings.paused || isStarting(postgres.state)) return false
  if (state === 'check' || state === 'needed' || state === 'failed') return false
  const seen = await observation(c)
  if (!seen?.inRecovery || seen.walReceiver?.status === 'streaming') return false
  const local = await postgres.localPosition(c.signal)
  if (!local) return false
  const source = await withBudget(c, insideCycleMs(c, REMOTE_ANSWER_MS), c.signal, (budget) =>
    postgres.rewindSource(remote, budget.signal),
  )
  return source.kind === 'primary' && source.timeline > local.timeline
}
