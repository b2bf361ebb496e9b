import { isStarting } from '../cluster/instance.ts'
import { leaderMember } from '../cluster/view.ts'
import { isPrimary } from './facts.ts'
import { isFailsafeActive } from './failsafe.ts'
import { type CycleResult, result } from './messages.ts'
import { requestDivergenceCheck } from './rewind.ts'
import type { Cycle } from './world.ts'

/** What every good cycle does last: slots, and the first callback (spec ha.md 3.11). */
export async function tail(c: Cycle, outcome: CycleResult): Promise<CycleResult> {
  const { actions, settings, world } = c
  const { postgres } = world
  const promoting = actions.name === 'promote'
  if ((actions.name !== null && !promoting) || isStarting(postgres.state) || !postgres.isAlive()) return outcome
  const missing = await postgres.syncSlots(c.view, settings, c.signal)
  if (!postgres.callbackAttempted) {
    if (!promoting && !(await isPrimary(c))) await requestDivergenceCheck(c, c.signal)
    postgres.fireCallback('on_start', postgres.role)
  }
  const leader = leaderMember(c.view)
  if (promoting || missing.length === 0 || !leader || isFailsafeActive(c) || (await isPrimary(c))) return outcome
  const begun = actions.begin('copy_logical_slots', (signal) => postgres.copyLogicalSlots(missing, leader, signal))
  return begun.kind === 'begun' ? result('copying-slots', missing) : outcome
}
