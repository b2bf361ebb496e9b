import { type Role, roleClass } from '../../cluster/instance.ts'
import { isObject, type Json, type JsonObject } from '../../cluster/json.ts'
import { type Lsn, maxLsn } from '../../cluster/lsn.ts'
import { isVersionBelow, type Member, streams } from '../../cluster/member.ts'
import type { ClusterSettings } from '../../cluster/settings.ts'
import { slotName } from '../../cluster/slot-name.ts'
import { isNofailover, isNostream, replicatefrom, type Tags } from '../../cluster/tags.ts'
import { isTruthy, printNames, textForm } from '../../cluster/values.ts'
import { type ClusterView, leaderMember, lockOwner } from '../../cluster/view.ts'
import type { ServerVersion } from '../version.ts'

/** A replication slot that this server should have. */
export type WantedSlot =
  | {
      readonly kind: 'physical'
      readonly name: string
      /** Whether somebody should stream through it here; `null`: nobody says. Only a slot that is not in use is advanced. */
      readonly expectedActive: boolean | null
      /** How far its user is, by the leader's last word. */
      readonly lsn: Lsn | null
    }
  | {
      readonly kind: 'logical'
      readonly name: string
      readonly database: string
      readonly plugin: string
      readonly lsn: Lsn | null
    }

export interface SlotSituation {
  readonly view: ClusterView
  readonly settings: ClusterSettings
  readonly name: string
  readonly tags: Tags
  readonly role: Role
  readonly version: ServerVersion
}

export interface WantedSlots {
  readonly slots: ReadonlyMap<string, WantedSlot>
  /** Mistakes in the configuration and conflicts of names. */
  readonly errors: readonly string[]
}

/** Which slots must exist on this node (spec postgres.md 7.3, ha.md 18.3). */
export function wantedSlots(situation: SlotSituation): WantedSlots {
  if (!situation.settings.useSlots) return { slots: new Map(), errors: [] }
  const errors: string[] = []
  const slots = new Map<string, WantedSlot>(memberSlots(situation, errors).map((slot) => [slot.name, slot]))
  addRetained(slots, situation)
  addPermanent(slots, situation, errors)
  return { slots, errors }
}

function actsAsLeader(role: Role): boolean {
  return roleClass(role) === 'primary' || role === 'standby_leader'
}

/** Whether this member should stream from here, not from somebody else. */
function isExpectedHere(member: Member, { view, name, role }: SlotSituation): boolean {
  const from = replicatefrom(member.data.tags)
  if (!actsAsLeader(role)) return from === name && member.name !== lockOwner(view)
  return from === null || from === name || !view.members.some((one) => one.name === from)
}

/** Since 11 slots can be advanced without a connection, so every node keeps one for everybody: a failover loses no WAL. */
function keepsAllSlots({ settings, version }: SlotSituation): boolean {
  return version >= 110000 && settings.memberSlotsTtlMs > 0
}

function memberSlots(situation: SlotSituation, errors: string[]): WantedSlot[] {
  const { view, name, tags } = situation
  const others = view.members.filter((member) => member.name !== name && streams(member))
  const candidates = keepsAllSlots(situation)
    ? others.filter((member) => !isNofailover(tags) || replicatefrom(member.data.tags) === name)
    : others.filter((member) => isExpectedHere(member, situation))
  const bySlot = new Map<string, Member[]>()
  for (const member of candidates) {
    const slot = slotName(member.name)
    bySlot.set(slot, [...(bySlot.get(slot) ?? []), member])
  }
  return [...bySlot].map(([slot, members]) => {
    if (members.length > 1)
      errors.push(
        `Following cluster members share a replication slot name: ${members.map((one) => one.name).join(', ')} map to ${slot}`,
      )
    return {
      kind: 'physical',
      name: slot,
      expectedActive: members.some((member) => isExpectedHere(member, situation)),
      lsn: feedback(slot, members, situation),
    }
  })
}

/** Old leaders publish no positions of member slots; of a cascading replica the leader has no slot that moves. */
function feedback(slot: string, members: readonly Member[], { view }: SlotSituation): Lsn | null {
  const published = view.status.slots?.[slot] ?? null
  const leader = leaderMember(view)
  const isOldLeader = leader !== null && isVersionBelow(leader.data.agentVersion, [4, 0, 0])
  const own = members
    .filter((member) => isOldLeader || replicatefrom(member.data.tags) !== null)
    .map((member) => member.data.xlogLocation)
  return maxLsn(published, ...own) || null
}

function addRetained(slots: Map<string, WantedSlot>, { view, name, tags }: SlotSituation): void {
  if (isNofailover(tags)) return
  for (const retained of view.status.retainSlots) {
    if (retained !== slotName(name) && !slots.has(retained))
      slots.set(retained, { kind: 'physical', name: retained, expectedActive: null, lsn: null })
  }
}

type PermanentSlot =
  | { readonly kind: 'physical'; readonly name: string; readonly clusterType: Json | undefined }
  | {
      readonly kind: 'logical'
      readonly name: string
      readonly database: string
      readonly plugin: string
      readonly clusterType: Json | undefined
    }

/** Permanent slots as configured, each understood by itself. */
export function permanentSlots(configured: JsonObject, errors: string[]): PermanentSlot[] {
  return Object.entries(configured).flatMap(([name, value]): PermanentSlot[] => {
    if (!/^[a-z0-9_]{1,63}$/.test(name)) {
      errors.push(`Invalid permanent replication slot name '${name}'`)
      return []
    }
    if (!isTruthy(value)) return [{ kind: 'physical', name, clusterType: undefined }]
    if (isObject(value)) {
      const { type, database, plugin, cluster_type: clusterType } = value
      const isLogical = isTruthy(database) && isTruthy(plugin)
      if ((type === undefined || type === 'logical') && isLogical)
        return [{ kind: 'logical', name, database: textForm(database), plugin: textForm(plugin), clusterType }]
      if (type === undefined || type === 'physical') return [{ kind: 'physical', name, clusterType }]
    }
    errors.push(`Bad value for slot '${name}' in permanent_slots: ${textForm(value)}`)
    return []
  })
}

function addPermanent(slots: Map<string, WantedSlot>, situation: SlotSituation, errors: string[]): void {
  const { view, settings, name, tags, role, version } = situation
  if (isNofailover(tags)) return
  const isStandbyCluster = settings.standbyCluster !== null
  const onlyPhysical = isStandbyCluster || !chainStreams(situation)
  const tooOld: string[] = []
  for (const permanent of permanentSlots(settings.permanentSlots, errors)) {
    if (permanent.clusterType === (isStandbyCluster ? 'primary' : 'standby')) continue
    if (permanent.kind === 'physical') {
      const isKept = version >= 110000 || (onlyPhysical ? role === 'standby_leader' : roleClass(role) === 'primary')
      if (!isKept || permanent.name === slotName(name) || slots.has(permanent.name)) continue
      slots.set(permanent.name, permanentPhysical(permanent.name, situation))
    } else if (!onlyPhysical) {
      if (version < 110000) tooOld.push(permanent.name)
      else if (slots.get(permanent.name)?.kind === 'physical')
        errors.push(
          `Permanent logical replication slot '${permanent.name}' conflicts with the physical slot of a cluster member and will not be created`,
        )
      else {
        const { database, plugin } = permanent
        const lsn = view.status.slots?.[permanent.name] ?? null
        slots.set(permanent.name, { kind: 'logical', name: permanent.name, database, plugin, lsn })
      }
    }
  }
  if (tooOld.length > 0)
    errors.push(
      'Permanent logical replication slots supported by Patroni only starting from PostgreSQL 11. ' +
        `Following slots will not be created: ${printNames(tooOld)}.`,
    )
}

function permanentPhysical(name: string, { view, role }: SlotSituation): WantedSlot {
  const cascading = view.members.filter((one) => slotName(one.name) === name && replicatefrom(one.data.tags) !== null)
  const lsn = maxLsn(view.status.slots?.[name], ...cascading.map((member) => member.data.xlogLocation)) || null
  return { kind: 'physical', name, expectedActive: actsAsLeader(role) && cascading.length === 0, lsn }
}

/** Whether WAL reaches this node from the primary by streaming alone, over whomever it replicates from. */
function chainStreams({ view, name, tags }: SlotSituation): boolean {
  const seen = new Set([name])
  let current: Tags = tags
  for (;;) {
    if (isNostream(current)) return false
    const from = replicatefrom(current)
    const member = view.members.find((one) => one.name === from)
    if (!member || member.name === lockOwner(view)) return true
    if (seen.has(member.name)) return false
    seen.add(member.name)
    current = member.data.tags
  }
}

/** The member at the top of the chain through which this node replicates: whose slot on the primary holds our rows. */
export function topOfChain({ view, name, tags }: Pick<SlotSituation, 'view' | 'name' | 'tags'>): string {
  const seen = new Set([name])
  let top = name
  let current: Tags = tags
  for (;;) {
    const from = replicatefrom(current)
    const member = view.members.find((one) => one.name === from)
    if (!member || member.name === lockOwner(view) || seen.has(member.name)) return top
    seen.add(member.name)
    top = member.name
    current = member.data.tags
  }
}

/**
 * Whether this server must tell its upstream which catalogue rows it still needs: it, or somebody who replicates
 * through it, keeps copies of logical slots (spec postgres.md 7.8).
 */
export function needsFeedback(situation: SlotSituation): boolean {
  const { view, settings, name, tags, version } = situation
  if (version < 110000 || settings.standbyCluster || !settings.useSlots) return false
  if (!permanentSlots(settings.permanentSlots, []).some((slot) => slot.kind === 'logical')) return false
  const keeps = (who: string, whose: Tags): boolean =>
    !isNofailover(whose) && chainStreams({ ...situation, name: who, tags: whose })
  if (keeps(name, tags)) return true
  return view.members.some(
    ({ name: who, data }) => who !== name && replicatesThrough(who, data.tags, name, view) && keeps(who, data.tags),
  )
}

function replicatesThrough(who: string, tags: Tags, through: string, view: ClusterView): boolean {
  const seen = new Set([who])
  let from = replicatefrom(tags)
  while (from !== null && !seen.has(from)) {
    if (from === through) return true
    seen.add(from)
    const member = view.members.find((one) => one.name === from)
    from = member ? replicatefrom(member.data.tags) : null
  }
  return false
}
