import { type Lsn, ZERO_LSN } from '../cluster/lsn.ts'
import { isVersionBelow } from '../cluster/member.ts'
import { slotName } from '../cluster/slot-name.ts'
import { NO_STATUS, type Status } from '../cluster/status.ts'
import { highestCredible, type Timeline, timeline, UNKNOWN_TIMELINE } from '../cluster/timeline.ts'
import { observation, walPosition } from './facts.ts'
import { failsafeRecord } from './failsafe.ts'
import { retainedSlots } from './retention.ts'
import { slotPositions } from './slot-positions.ts'
import { type Cycle, type Ha, inStore } from './world.ts'

/** Publishes `status`, and `failsafe` where it is on (spec ha.md 8.2). Failures are left to the next cycle. */
export async function publishStatus(c: Cycle): Promise<void> {
  const seen = await observation(c)
  if (seen) {
    const slots = c.settings.useSlots ? slotPositions(c, seen) : null
    const permanentOnly = c.settings.memberSlotsTtlMs <= 0
    const published = slots && permanentOnly ? onlyPermanent(c, slots) : slots
    const status: Status = {
      lastLsn: seen.inRecovery ? positionBefore(c, walPosition(seen)) : walPosition(seen),
      slots: published,
      retainSlots: slots ? retainedSlots(c, Object.keys(slots)) : [],
      ...usedTimelines(c, c.view.status, seen.timeline),
    }
    await inStore(c, (budget) => c.world.dcs.writeStatus(status, budget))
    if (c.view.members.some((member) => isVersionBelow(member.data.agentVersion, [2, 1, 0]))) {
      await inStore(c, (budget) => c.world.dcs.writeLegacyOptime(status.lastLsn, budget))
    }
  }
  const failsafe = failsafeRecord(c)
  c.memory.failsafe.written = failsafe
  if (failsafe) await inStore(c, (budget) => c.world.dcs.writeFailsafe(failsafe, budget))
}

/**
 * Who has the lock and is no primary yet has acknowledged nothing. Its own position, perhaps on a timeline that the last
 * primary had left, says nothing of what that one acknowledged: it would bar whoever has it, or let in who lacks it. In a
 * standby cluster there is no other position.
 */
function positionBefore({ view, settings }: Cycle, own: Lsn): Lsn {
  const { lastLsn } = view.status
  return settings.standbyCluster || lastLsn === ZERO_LSN ? own : lastLsn
}

/** The record of timelines that are used up is carried along; a cluster that never promoted has none. */
function usedTimelines({ memory }: Ha, known: Status, own: Timeline): Pick<Status, 'timeline'> {
  const seen = own === UNKNOWN_TIMELINE ? (known.timeline ?? own) : highestCredible(own, [known.timeline])
  const highest = timeline(Math.max(seen, memory.promotion.reserved ?? UNKNOWN_TIMELINE))
  return highest > 1 ? { timeline: highest } : {}
}

function onlyPermanent(c: Cycle, slots: Record<string, Lsn>): Record<string, Lsn> {
  const own = slotName(c.world.name)
  return Object.fromEntries(Object.entries(slots).filter(([name]) => name === own || name in c.settings.permanentSlots))
}

/** The last word of a primary that stops: its final position, with the slots as last published, however long ago. */
export async function writeLastLsn(ha: Ha & { readonly signal: AbortSignal }, lastLsn: Lsn): Promise<void> {
  const { view, lockedView } = ha.memory.store
  const known = (view ?? lockedView)?.status
  const status: Status = {
    lastLsn,
    slots: known?.slots ?? null,
    retainSlots: known?.retainSlots ?? [],
    ...usedTimelines(ha, known ?? NO_STATUS, UNKNOWN_TIMELINE),
  }
  const outcome = await inStore(ha, (budget) => ha.world.dcs.writeStatus(status, budget))
  if (outcome.kind !== 'done') ha.world.log.warning(`Failed to publish the last WAL position: ${outcome.reason}`)
}
