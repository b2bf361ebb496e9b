import { roleClass } from '../cluster/instance.ts'
import { isObject, type JsonObject } from '../cluster/json.ts'
import { type Lsn, parseLsn } from '../cluster/lsn.ts'
import { elapsedMs, LONG_AGO, later } from '../cluster/time.ts'
import { type ClusterView, failsafeMembers, isLocked } from '../cluster/view.ts'
import type { PeerAddress } from '../ports/peers.ts'
import { observation } from './facts.ts'
import { isLeader } from './lease.ts'
import { askPeers, mayRunWithoutStore } from './peer-limits.ts'
import { slotPositions } from './slot-positions.ts'
import { type Cycle, did, type Ha, withBudget } from './world.ts'

/** How long one member may take to consent; a primary without a store asks all of them at once. */
const CONSENT_MS = 2000

export function isFailsafeActive(ha: Ha): boolean {
  const { failsafe, settings } = ha.memory
  return elapsedMs(failsafe.at, ha.world.clock.now()) < settings.ttlMs
}

/**
 * A replica that promised a primary without a store not to race treats that primary as leader while the promise holds
 * (spec ha.md 3.1 row 3, 14.3).
 */
export function withPromisedLeader(ha: Ha, view: ClusterView): ClusterView {
  const { failsafe } = ha.memory
  if (isLocked(view) || !failsafe.leader || !hasPromised(ha)) return view
  const { slots } = failsafe
  return {
    ...view,
    leader: { name: failsafe.leader.name, version: null, session: null },
    status: { ...view.status, slots: slots ?? view.status.slots },
  }
}

/** The members that have to consent when the store is lost: everybody known now, and this one. */
export function failsafeRecord(c: Cycle): Readonly<Record<string, string>> | null {
  if (!c.settings.failsafeMode) return null
  const urls: Record<string, string> = {}
  for (const member of c.view.members) if (member.data.apiUrl !== null) urls[member.name] = member.data.apiUrl
  urls[c.world.name] = c.world.identity().apiUrl
  return urls
}

/**
 * Whether every other member promises not to race (spec ha.md 14.2). On consent the lease is longer: counted from
 * before the question was asked, so that no promise ends first.
 */
export async function allMembersConsent(c: Cycle): Promise<boolean> {
  const { world, memory } = c
  // Members go by the record that the store has: everybody whom the last one read or the last one written names.
  const read = memory.store.lockedView && failsafeMembers(memory.store.lockedView)
  const known = { ...read, ...memory.failsafe.written }
  if (!(world.name in known)) return false
  const askedAt = world.clock.now()
  const others: PeerAddress[] = Object.entries(known)
    .filter(([name]) => name !== world.name)
    .map(([name, apiUrl]) => ({ name, apiUrl }))
  const slots: Record<string, Lsn> = {}
  if (others.length > 0) {
    const seen = await observation(c)
    const positions = seen && slotPositions(c, seen)
    const { connUrl, apiUrl } = world.identity()
    const body = { name: world.name, conn_url: connUrl, api_url: apiUrl, ...(positions ? { slots: positions } : {}) }
    const answers = await withBudget(c, CONSENT_MS, c.signal, (budget) => world.peers.askFailsafe(others, body, budget))
    const accepted = answers.filter((answer) => answer.accepted).map(({ name }) => name)
    did(c, 'ask failsafe', { asked: others.map(({ name }) => name), accepted })
    if (!others.every((one) => answers.some((answer) => answer.name === one.name && answer.accepted))) return false
    for (const answer of answers) if (answer.lsn !== null) slots[answer.name] = answer.lsn
  }
  memory.lease.until = later(askedAt, memory.settings.ttlMs)
  memory.failsafe.at = askedAt
  memory.failsafe.slots = slots
  await world.fence.keepAlive(memory.lease.until)
  return true
}

/**
 * An agent that was started a moment ago may have promised a primary without a store not to race, and does not know. No
 * promise outlives one `ttl`, and none matters once everybody who could have asked for it has said that he is no primary.
 * @returns a member that could still be running on that promise; `null`: nobody
 */
export async function mayHavePromised(c: Cycle): Promise<string | null> {
  const { settings, memory, world } = c
  const known = settings.failsafeMode ? failsafeMembers(c.view) : null
  const over = later(memory.startedAt, settings.ttlMs)
  if (!known || world.clock.now() >= over) return null
  const unsure = await whoMayRunWithoutStore(c, known)
  if (unsure !== null) memory.alarm = over
  return unsure
}

/** Asks everybody else in the failsafe record. @returns one who may be a primary without a store; `null`: nobody is */
export async function whoMayRunWithoutStore(
  c: Cycle,
  record: Readonly<Record<string, string>>,
): Promise<string | null> {
  const others = Object.entries(record).flatMap(([name, apiUrl]) => (name === c.world.name ? [] : [{ name, apiUrl }]))
  return (await askPeers(c, others)).find(mayRunWithoutStore)?.name ?? null
}

/** Whether this member promised another one not to race, and the promise holds. */
export function hasPromised(ha: Ha): boolean {
  return ha.memory.settings.failsafeMode && ha.memory.failsafe.leader !== null && isFailsafeActive(ha)
}

export function forgetFailsafe(ha: Ha): void {
  ha.memory.failsafe.at = LONG_AGO
  ha.memory.failsafe.leader = null
  ha.memory.failsafe.slots = null
}

/** POST /failsafe: a primary without a store asks us not to race for one `ttl` (spec ha.md 14.3). */
export function receiveFailsafe(
  ha: Ha,
  body: JsonObject,
): { readonly status: number; readonly body: string; readonly lsn: Lsn | null } {
  const { memory, world } = ha
  if (!memory.settings.failsafeMode) return { status: 502, body: 'Failsafe mode is disabled', lsn: null }
  // Also one that is about to be: it has the lock, and whoever asks has lost it.
  if (isLeader(ha) || (world.postgres.state === 'running' && roleClass(world.postgres.role) === 'primary'))
    return { status: 500, body: 'Running as a leader', lsn: null }
  const { name, conn_url: connUrl, api_url: apiUrl, slots } = body
  if (typeof name !== 'string' || typeof connUrl !== 'string' || typeof apiUrl !== 'string')
    return { status: 400, body: 'name, conn_url and api_url are expected, each a string', lsn: null }
  memory.failsafe.at = world.clock.now()
  memory.failsafe.leader = { name, connUrl, apiUrl }
  memory.failsafe.slots = parsedSlots(isObject(slots) ? slots : {})
  return { status: 200, body: 'Accepted', lsn: memory.own.lsn }
}

function parsedSlots(slots: JsonObject): Record<string, Lsn> {
  const positions: Record<string, Lsn> = {}
  for (const [name, value] of Object.entries(slots)) {
    const position = parseLsn(value)
    if (position !== null) positions[name] = position
  }
  return positions
}
