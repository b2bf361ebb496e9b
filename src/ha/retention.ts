import { isObject } from '../cluster/json.ts'
import { streams } from '../cluster/member.ts'
import { slotName } from '../cluster/slot-name.ts'
import { isNostream } from '../cluster/tags.ts'
import { elapsedMs } from '../cluster/time.ts'
import type { Cycle } from './world.ts'

/**
 * Slots of members that are away are kept for `member_slots_ttl`, also across a change of leader: the names travel in
 * `status.retain_slots` (spec ha.md 18.3).
 */
export function retainedSlots(c: Cycle, published: readonly string[]): readonly string[] {
  const { slotSeenAt } = c.memory
  const now = c.world.clock.now()
  const ttlMs = c.settings.memberSlotsTtlMs
  const ofMembers = new Set(c.view.members.filter(streams).map((member) => slotName(member.name)))
  if (!isNostream(c.world.identity().tags)) ofMembers.add(slotName(c.world.name))
  for (const name of published) {
    if (ofMembers.has(name) && !isPermanentPhysical(c, name)) slotSeenAt.set(name, now)
  }
  for (const [name, at] of slotSeenAt) {
    if (elapsedMs(at, now) < ttlMs) continue
    slotSeenAt.delete(name)
    if (!ofMembers.has(name))
      c.world.log.info(`Replication slot '${name}' for absent cluster member is expired after ${ttlMs / 1000} sec.`)
  }
  return [...slotSeenAt.keys()].sort()
}

function isPermanentPhysical(c: Cycle, name: string): boolean {
  const slot = c.settings.permanentSlots[name]
  if (slot === undefined) return false
  return (
    !isObject(slot) || (slot['type'] ?? (slot['database'] && slot['plugin'] ? 'logical' : 'physical')) === 'physical'
  )
}

/** A new leader gives every retained slot its whole time again. */
export function restartRetention(c: Cycle): void {
  const now = c.world.clock.now()
  c.memory.slotSeenAt.clear()
  for (const name of c.view.status.retainSlots) c.memory.slotSeenAt.set(name, now)
}
