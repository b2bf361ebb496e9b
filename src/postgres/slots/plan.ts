import { roleClass } from '../../cluster/instance.ts'
import type { JsonObject } from '../../cluster/json.ts'
import { type Lsn, maxLsn } from '../../cluster/lsn.ts'
import { isTruthy } from '../../cluster/values.ts'
import { lockOwner } from '../../cluster/view.ts'
import type { Observation, SlotFact } from '../../ports/postgres.ts'
import type { SlotSituation, WantedSlot } from './wanted.ts'

/** One thing to do about one slot. */
export type SlotStep =
  | { readonly kind: 'drop'; readonly name: string; readonly message: string | null }
  /** Not wanted, but somebody uses it. */
  | { readonly kind: 'leave-active'; readonly name: string }
  | { readonly kind: 'create-physical'; readonly name: string }
  | { readonly kind: 'create-logical'; readonly slot: Extract<WantedSlot, { kind: 'logical' }> }
  | { readonly kind: 'advance-physical'; readonly name: string; readonly lsn: Lsn }
  | { readonly kind: 'advance-logical'; readonly name: string; readonly database: string; readonly lsn: Lsn }
  /** Only a copy of the primary's own can be used after a failover. */
  | { readonly kind: 'copy-logical'; readonly name: string }

export interface PlanInput {
  readonly situation: SlotSituation
  readonly wanted: ReadonlyMap<string, WantedSlot>
  readonly observation: Observation
}

/** What must be done so that the wanted slots exist and move on (spec postgres.md 7.4, 7.5). Nothing, most of the time. */
export function planSlots(input: PlanInput): SlotStep[] {
  const { situation, wanted, observation } = input
  const existing = observation.slots.filter((slot) => !isSyncedByServer(slot))
  const gone = existing.flatMap((slot) => unwanted(slot, input))
  const dropped = new Set(gone.filter((step) => step.kind === 'drop').map((step) => step.name))
  const left = new Map(observation.slots.filter((slot) => !dropped.has(slot.name)).map((slot) => [slot.name, slot]))
  const steps = [...wanted.values()].flatMap((slot) => {
    const present = left.get(slot.name)
    if (slot.kind === 'physical') return physical(slot, present, input)
    return observation.inRecovery ? logicalOnStandby(slot, present, input) : logicalOnPrimary(slot, present, situation)
  })
  return [...gone, ...steps]
}

/** From 17 on the server copies failover slots by itself, and refuses to let anybody touch them. */
function isSyncedByServer(slot: SlotFact): boolean {
  return slot.failover && slot.synced
}

function hasOtherLeader({ view, name }: SlotSituation): boolean {
  const owner = lockOwner(view)
  return owner !== null && owner !== name
}

function unwanted(slot: SlotFact, { situation, wanted, observation }: PlanInput): SlotStep[] {
  const { settings, version } = situation
  const isFailover = slot.type === 'logical' && slot.failover && version >= 170000
  // a former primary's own failover slot stands in the way of the copy that the server would make of the new one's
  if (isFailover && observation.inRecovery && hasOtherLeader(situation))
    return [{ kind: 'drop', name: slot.name, message: null }]
  const want = wanted.get(slot.name)
  if (want && !isSameSlot(want, slot)) {
    const change = `from ${describe(slot)} to ${describeWanted(want)}`
    return [dropOrLeave(slot, `Trying to drop replication slot '${slot.name}' because value is changing ${change}`)]
  }
  if (isFailover || settings.paused || isIgnored(slot, settings.ignoreSlots)) return []
  if (!want) return [dropOrLeave(slot, `Trying to drop unknown replication slot '${slot.name}'`)]
  if (slot.walStatus === 'lost')
    return [dropOrLeave(slot, `Trying to drop replication slot '${slot.name}' with wal_status=lost`)]
  return []
}

function dropOrLeave(slot: SlotFact, message: string): SlotStep {
  return slot.active ? { kind: 'leave-active', name: slot.name } : { kind: 'drop', name: slot.name, message }
}

function isSameSlot(want: WantedSlot, slot: SlotFact): boolean {
  if (want.kind !== slot.type) return false
  return want.kind === 'physical' || (want.database === slot.database && want.plugin === slot.plugin)
}

function describe(slot: SlotFact): string {
  return slot.type === 'physical' ? 'physical' : `logical database=${slot.database} plugin=${slot.plugin}`
}

function describeWanted(want: WantedSlot): string {
  return want.kind === 'physical' ? 'physical' : `logical database=${want.database} plugin=${want.plugin}`
}

/** Slots that somebody else looks after (spec postgres.md 7.4). */
export function isIgnored(slot: SlotFact, rules: readonly JsonObject[]): boolean {
  return rules.some(
    (rule) =>
      (rule['name'] === undefined || rule['name'] === slot.name) &&
      (['database', 'plugin', 'type'] as const).every((key) => !isTruthy(rule[key]) || rule[key] === slot[key]),
  )
}

type Physical = Extract<WantedSlot, { kind: 'physical' }>
type Logical = Extract<WantedSlot, { kind: 'logical' }>

function physical(want: Physical, slot: SlotFact | undefined, { situation, observation }: PlanInput): SlotStep[] {
  const { name } = want
  if (!slot) return [{ kind: 'create-physical', name }]
  if (situation.version < 110000 || slot.active || slot.type !== 'physical') return []
  const mayHoldRows = hasOtherLeader(situation) || roleClass(situation.role) === 'primary'
  if (want.expectedActive === false && slot.xmin !== null && mayHoldRows)
    return [
      {
        kind: 'drop',
        name,
        message: `Dropping physical replication slot ${name} because of its xmin value ${slot.xmin}`,
      },
      { kind: 'create-physical', name },
    ]
  if (want.expectedActive === true || slot.xmin !== null) return []
  if (slot.restartLsn === null)
    return [
      {
        kind: 'drop',
        name,
        message:
          `Dropping physical replication slot ${name} because it has no restart_lsn. ` +
          'This slot was probably not created by Patroni, but by an external agent.',
      },
      { kind: 'create-physical', name },
    ]
  // PostgreSQL goes no further than its own WAL, and takes a target behind the slot for an error
  const target = nearest(want.lsn, ownEnd(observation))
  return target !== null && target > slot.restartLsn ? [{ kind: 'advance-physical', name, lsn: target }] : []
}

function ownEnd(observation: Observation): Lsn {
  return observation.inRecovery ? observation.replayedLsn : maxLsn(observation.primaryLsn)
}

function nearest(wanted: Lsn | null, end: Lsn): Lsn | null {
  return wanted !== null && wanted > end ? end : wanted
}

function logicalOnPrimary(want: Logical, slot: SlotFact | undefined, { role }: SlotSituation): SlotStep[] {
  return slot || roleClass(role) !== 'primary' ? [] : [{ kind: 'create-logical', slot: want }]
}

function logicalOnStandby(
  want: Logical,
  slot: SlotFact | undefined,
  { observation, situation }: PlanInput,
): SlotStep[] {
  // being promoted, it is no standby any more: its slots move by themselves from here on
  if (situation.version < 110000 || want.lsn === null || roleClass(situation.role) === 'primary') return []
  if (!slot) return [{ kind: 'copy-logical', name: want.name }]
  if (!isSameSlot(want, slot) || slot.confirmedFlushLsn === null || isSyncedByServer(slot)) return []
  const target = nearest(want.lsn, observation.replayedLsn)
  return target !== null && slot.confirmedFlushLsn < target
    ? [{ kind: 'advance-logical', name: want.name, database: want.database, lsn: target }]
    : []
}
