import { type FailoverRequest, pending } from '../cluster/failover-request.ts'
import { clusterTimeline } from '../cluster/history.ts'
import { isStarting } from '../cluster/instance.ts'
import type { Member } from '../cluster/member.ts'
import { isSyncMember, isVoter } from '../cluster/sync-state.ts'
import { failoverPriority, isNofailover } from '../cluster/tags.ts'
import { elapsedMs } from '../cluster/time.ts'
import type { Timeline } from '../cluster/timeline.ts'
import { failsafeMembers, isSystemIdentifier, lockOwner } from '../cluster/view.ts'
import type { PeerAddress, PeerStatus } from '../ports/peers.ts'
import { type Ballot, countVotes, isElectable, standing } from './election.ts'
import { isPrimary, observation, walPosition } from './facts.ts'
import { cleanRequest, requestDecides, steersRace } from './failover-race.ts'
import { mayHavePromised } from './failsafe.ts'
import { lagOfOwn } from './lag.ts'
import { barredByFailsafe, leftOutBecause } from './left-out.ts'
import { primaryLeftInPause, signOfPrimary } from './living-primary.ts'
import { standbyTimeline } from './own-timeline.ts'
import { askInRace } from './peer-limits.ts'
import { addressOf } from './successors.ts'
import { isQuorumActive, isSyncActive } from './sync/active.ts'
import { type Cycle, considered, decided } from './world.ts'

const NOT_SYNCHRONOUS = 'it is no synchronous standby'

/** Whether this member should try to take the lock (spec ha.md 6.2): the first row that matches decides. */
export async function amHealthiest(c: Cycle): Promise<boolean> {
  const { view, settings, memory, world } = c
  const { log, postgres, clock } = world
  const tags = world.identity().tags
  const { releasedAt } = memory.race
  if (releasedAt !== null && elapsedMs(releasedAt, clock.now()) < settings.ttlMs) {
    log.info('backoff: skip leader race after pre_promote script failure and releasing the lock voluntarily')
    return standBackBecause(c, 'it has just released the lock because its pre-promote script failed')
  }
  const request = pending(view.failover)
  const nofailover = isNofailover(tags)
  if (settings.paused && !nofailover && steersRace(c, request)) {
    const verdict = await requestDecides(c, raceAgainst)
    if (verdict !== 'continue') return verdict === 'yes'
  }
  if (isStarting(postgres.state)) return standBackBecause(c, 'PostgreSQL is still starting')
  if (await isPrimary(c)) return mayKeepPrimary(c)
  if (settings.paused || nofailover)
    return standBackBecause(c, nofailover ? 'its tag nofailover forbids it' : 'the cluster is paused')
  const ordered = steersRace(c, request) && request.leader === null
  const promisedTo = ordered ? null : await mayHavePromised(c)
  if (promisedTo !== null) {
    log.info(
      `Was started less than ttl ago: ${promisedTo} may be a primary without a store, on what this member promised`,
    )
    return standBackBecause(
      c,
      `${promisedTo} may run as a primary in failsafe mode, on its consent from before it was started`,
    )
  }
  const leftInPause = await primaryLeftInPause(c)
  if (leftInPause !== null) return standBackBecause(c, leftInPause)
  if (steersRace(c, request)) {
    const objection = await objectionTo(c, request)
    if (objection !== null) {
      if (request.candidate === world.name) await withdraw(c, objection)
      return standBackBecause(c, objection)
    }
    if ((await requestDecides(c, raceAgainst)) !== 'yes') return false
    const others = everybodyKnown(c).flatMap(({ address }) => (address && address.name !== world.name ? [address] : []))
    const sign = await signOfPrimary(c, others)
    return sign === null || standBackBecause(c, sign)
  }
  if (!world.fence.isHealthy || hasJustFailedToFence(c)) {
    log.warning('Watchdog device is not usable')
    return standBackBecause(c, 'its watchdog device is not usable')
  }
  if (isSyncActive(c) && !isQuorumActive(c) && !isElectable(view.sync, world.name))
    return standBackBecause(c, NOT_SYNCHRONOUS)
  const leftOut = await leftOutBecause(c)
  if (leftOut !== null) return standBackBecause(c, leftOut)
  return raceAgainst(c, everybody(c), {
    checkLag: true,
    formerLeader: memory.store.lockedView && lockOwner(memory.store.lockedView),
  })
}

/** Two members whose fences fail would else hand the lock to and fro as fast as the store can. */
function hasJustFailedToFence({ memory, settings, world }: Cycle): boolean {
  const { fenceFailedAt } = memory.race
  return fenceFailedAt !== null && elapsedMs(fenceFailedAt, world.clock.now()) < settings.loopWaitMs
}

/**
 * Why this member does not follow a request to take over; `null`: nothing speaks against it. The leader may be running
 * without a store, on the consent of others. A failover is an order, at the operator's risk.
 */
async function objectionTo(c: Cycle, request: FailoverRequest): Promise<string | null> {
  if (request.leader === null) return null
  if (isSyncActive(c) && !isElectable(c.view.sync, c.world.name)) return NOT_SYNCHRONOUS
  return leftOutBecause(c)
}

/** The others leave the lock to the candidate: it says when it will not take it. */
async function withdraw(c: Cycle, because: string): Promise<void> {
  c.world.log.warning(`switchover: I do not take over, because ${because}; anybody else may`)
  await cleanRequest(c)
}

/** A server that is a primary already: it keeps its role unless somebody else has been primary since. */
async function mayKeepPrimary(c: Cycle): Promise<boolean> {
  const { view, settings, world } = c
  if (settings.paused) {
    const { initialize } = view
    return !isSystemIdentifier(initialize) || initialize === (await world.postgres.systemIdentifier(c.signal))
  }
  const seen = await observation(c)
  const known = clusterTimeline(view.history)
  if (seen && seen.timeline < known) {
    world.log.warning(`My timeline ${seen.timeline} is behind last known cluster timeline ${known}`)
    return standBackBecause(c, `its timeline ${seen.timeline} is behind timeline ${known} of the cluster`)
  }
  return true
}

function everybody(c: Cycle): readonly RacePeer[] {
  const all = everybodyKnown(c)
  return isSyncActive(c) ? all.filter((peer) => isSyncMember(c.view.sync, peer.address?.name ?? '')) : all
}

/** Members of the last view that had a leader, of the failsafe record and of this view; the newest word about each. */
function everybodyKnown(c: Cycle): readonly RacePeer[] {
  const peers = new Map<string, RacePeer>()
  for (const member of c.memory.store.lockedView?.members ?? []) peers.set(member.name, racePeer(member))
  if (c.settings.failsafeMode) {
    for (const [name, apiUrl] of Object.entries(failsafeMembers(c.view) ?? {}))
      peers.set(name, { address: { name, apiUrl }, nofailover: false })
  }
  for (const member of c.view.members) peers.set(member.name, racePeer(member))
  return [...peers.values()]
}

export interface RacePeer {
  readonly address: PeerAddress | null
  readonly nofailover: boolean
}

export function racePeer(member: Member): RacePeer {
  return { address: addressOf(member)[0] ?? null, nofailover: isNofailover(member.data.tags) }
}

export interface RaceRules {
  readonly checkLag: boolean
  readonly formerLeader: string | null
}

/** The health check against other members (spec ha.md 6.3). */
export async function raceAgainst(c: Cycle, peers: readonly RacePeer[], rules: RaceRules): Promise<boolean> {
  const { view, settings, world, memory } = c
  const { log } = world
  const seen = await observation(c)
  if (seen === null) return standBackBecause(c, 'PostgreSQL does not say how far it is')
  const own = walPosition(seen)
  const timeline = await standbyTimeline(c, seen, c.signal)
  const bytes = rules.checkLag ? await lagOfOwn(c, own, timeline) : 0
  if (bytes > settings.maximumLagOnFailover) {
    log.info('My wal position exceeds maximum replication lag')
    return standBackBecause(c, `it is ${bytes} bytes behind: more than maximum_lag_on_failover`)
  }
  if (!settings.standbyCluster && settings.checkTimeline && !isTimelineCurrent(c, timeline)) return false
  const quorum = isQuorumActive(c)
  const previousLeader = memory.store.lockedView && lockOwner(memory.store.lockedView)
  const asked = peers.flatMap(({ address, nofailover }) => {
    if (!address || address.name === world.name) return []
    const mayStillBePrimary = address.name === previousLeader
    return !nofailover || mayStillBePrimary || (quorum && isVoter(view.sync, address.name)) ? [address] : []
  })
  const answers = await askInRace(c, asked, previousLeader)
  const syncLeader = isSyncActive(c) ? view.sync.leader : null
  const ballot: Ballot = {
    name: world.name,
    lsn: own,
    timeline,
    priority: failoverPriority(world.identity().tags),
    quorum: quorum ? view.sync : null,
    reserved: view.status.timeline ?? null,
    syncLeader,
    formerLeader: syncLeader ?? rules.formerLeader,
    barred: barredByFailsafe(c, answers),
  }
  const counted = countVotes(ballot, answers)
  for (const note of counted.notes) log[note.level](note.text)
  noteRace(c, { ballot, answers, peers })
  return counted.won || standBackBecause(c, counted.notes.at(-1)?.text ?? 'not enough votes')
}

/** Who was asked and how they stand, and who was not asked because the rules keep them out. */
function noteRace(
  c: Cycle,
  { ballot, answers, peers }: { ballot: Ballot; answers: readonly PeerStatus[]; peers: readonly RacePeer[] },
): void {
  for (const peer of answers) {
    const position = peer.kind === 'unreachable' ? {} : { lsn: peer.lsn, timeline: peer.timeline, ownLsn: ballot.lsn }
    considered(c, peer.name, standing(peer, ballot), position)
  }
  const answered = new Set([c.world.name, ...answers.map(({ name }) => name)])
  for (const { address } of peers)
    if (address && !answered.has(address.name)) considered(c, address.name, 'not-allowed')
  if (!isSyncActive(c)) return
  for (const { name } of c.view.members)
    if (!answered.has(name) && !isSyncMember(c.view.sync, name)) considered(c, name, 'not-synchronous')
}

/** @returns false: so that a rule can say no and why at once */
function standBackBecause(c: Cycle, because: string): false {
  decided(c, 'stand back', { because })
  return false
}

function isTimelineCurrent(c: Cycle, mine: Timeline | null): boolean {
  const { log } = c.world
  const known = clusterTimeline(c.view.history)
  if (mine === null) {
    log.info('Can not figure out my timeline')
    return standBackBecause(c, 'its own timeline is not known')
  }
  if (mine >= known) return true
  log.info(`My timeline ${mine} is behind last known cluster timeline ${known}`)
  return standBackBecause(c, `its timeline ${mine} is behind timeline ${known} of the cluster`)
}
