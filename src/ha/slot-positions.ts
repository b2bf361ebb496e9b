import type { Lsn } from '../cluster/lsn.ts'
import { slotName } from '../cluster/slot-name.ts'
import type { Observation } from '../ports/postgres.ts'
import { walPosition } from './facts.ts'
import type { Ha } from './world.ts'

/** Slot positions as published and as asked for in failsafe mode: every slot, and this member's own as its own position. */
export function slotPositions(ha: Ha, seen: Observation): Record<string, Lsn> | null {
  if (ha.world.postgres.serverVersion < 110000) return null
  const positions: Record<string, Lsn> = {}
  for (const slot of seen.slots) {
    const position = slot.type === 'logical' ? slot.confirmedFlushLsn : slot.restartLsn
    if (position !== null) positions[slot.name] = position
  }
  positions[slotName(ha.world.name)] = walPosition(seen)
  return positions
}
