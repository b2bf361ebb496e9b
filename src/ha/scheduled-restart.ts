import { observation } from './facts.ts'
import { type CycleResult, result } from './messages.ts'
import { beginRestart, restartObstacle } from './restart.ts'
import { whenDue } from './schedule.ts'
import type { Cycle } from './world.ts'

/** A restart that was planned (spec ha.md 13.2). `null`: none is due. */
export async function scheduledRestart(c: Cycle): Promise<CycleResult | null> {
  const { memory, settings, actions, world } = c
  const { scheduled } = memory.restart
  if (!scheduled || settings.paused || actions.name !== null) return null
  const seen = await observation(c)
  if (seen && scheduled.postmasterStartTime !== null && seen.postmasterStartTime !== scheduled.postmasterStartTime) {
    world.log.info(`Cancelling scheduled restart: postgres restart has already happened at ${seen.postmasterStartTime}`)
    memory.restart.scheduled = null
    return null
  }
  const due = whenDue(c, scheduled.at, 'restart')
  if (due === 'not-yet') return null
  memory.restart.scheduled = null
  if (due !== 'now') return null
  const obstacle = restartObstacle(c, scheduled)
  if (obstacle !== null) {
    world.log.warning(`Scheduled restart: ${obstacle}`)
    return null
  }
  const begun = beginRestart(c, scheduled.timeoutMs)
  if (begun.kind === 'begun') return result('restart-initiated')
  world.log.warning(`Scheduled restart: ${begun.running} already in progress`)
  return null
}
