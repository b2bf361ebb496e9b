import { isStarting } from '../cluster/instance.ts'
import { slotName } from '../cluster/slot-name.ts'
import type { ClusterView } from '../cluster/view.ts'
import { isFailsafeActive } from './failsafe.ts'
import type { Cycle, Ha } from './world.ts'

/**
 * Keeps the slots moving while the store is away, so that no WAL piles up behind them (spec ha.md 14.1, postgres.md 7.4).
 * Only in failsafe mode: else nobody knows who leads. What is missing is not copied now.
 */
export async function syncSlotsWithoutStore(c: Cycle): Promise<void> {
  const { actions, memory, settings, world } = c
  const { postgres } = world
  const known = memory.store.lockedView
  if (!settings.failsafeMode || !known) return
  if (actions.name !== null || isStarting(postgres.state) || !postgres.isAlive()) return
  await postgres.syncSlots(asTold(c, known), settings, c.signal)
}

/** The cluster as it was last read, with the leader and the positions that questions for consent, or their answers, told. */
function asTold(ha: Ha, view: ClusterView): ClusterView {
  const { leader, slots } = ha.memory.failsafe
  if (!isFailsafeActive(ha)) return view
  // A leader tells positions by slot, members tell theirs by name.
  const told = slots && Object.fromEntries(Object.entries(slots).map(([name, lsn]) => [slotName(name), lsn]))
  return {
    ...view,
    leader: leader ? { name: leader.name, version: null, session: null } : view.leader,
    status: { ...view.status, slots: told ?? view.status.slots },
  }
}
