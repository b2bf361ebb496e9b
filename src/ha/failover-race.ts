import { actionName, type FailoverRequest, pending, printFailoverRequest } from '../cluster/failover-request.ts'
import { syncMode } from '../cluster/settings.ts'
import { isSyncMember, isVoter } from '../cluster/sync-state.ts'
import { isNofailover } from '../cluster/tags.ts'
import { memberNamed } from '../cluster/view.ts'
import { isPrimary } from './facts.ts'
import type { RacePeer, RaceRules } from './healthiest.ts'
import { ownLagBytes } from './lag.ts'
import { askPeers, limitation, verdictOf } from './peer-limits.ts'
import { plannedTime } from './schedule.ts'
import { addressOf, isFailoverPossible } from './successors.ts'
import { isQuorumActive, isQuorumMode, isSyncActive } from './sync/active.ts'
import { type Cycle, considered, inStore } from './world.ts'

/** A request whose time has come. One that is planned for later does not steer a race that begins before. */
export function steersRace(c: Cycle, request: FailoverRequest | null): request is FailoverRequest {
  if (!request) return false
  if (request.scheduledAt === null) return true
  const plannedMs = c.settings.paused ? null : plannedTime(request.scheduledAt)
  return plannedMs !== null && plannedMs <= c.world.clock.wallMs()
}

type Race = (c: Cycle, peers: readonly RacePeer[], rules: RaceRules) => Promise<boolean>

/** What a request says about who races, when nobody has the lock (spec ha.md 12.4). */
export async function requestDecides(c: Cycle, race: Race): Promise<'yes' | 'no' | 'continue'> {
  const { view, settings, world } = c
  const { log, name } = world
  const request = pending(view.failover)
  if (!request) return 'continue'
  const action = actionName(request)
  const { candidate } = request
  if (candidate === name) return asCandidate(c, request, race)
  const member = memberNamed(view, candidate)
  if (candidate !== null) {
    if (settings.paused && !member && (await isPrimary(c))) {
      log.warning(`${action}: removing failover key because failover candidate is not running`)
      await cleanRequest(c)
      return 'continue'
    }
    if (settings.paused) return 'no'
    if (syncMode(settings) !== 'off' && !isQuorumMode(c) && !isSyncMember(view.sync, name)) return 'no'
    if (member) {
      const barred = isNofailover(member.data.tags)
      const [peer] = barred ? [] : await askPeers(c, addressOf(member))
      const otherwise = barred ? 'not allowed to promote' : 'not reachable'
      const limit = peer ? limitation(peer) : otherwise
      if (limit === null) {
        log.info(`${action}: to ${candidate}, i am ${name}`)
        return 'no'
      }
      log.warning(`${action}: member ${candidate} is ${limit}`)
      considered(c, member.name, verdictOf(limit))
    }
  } else if (settings.paused) return 'no'
  if (request.leader === name) {
    return (await isFailoverPossible(c, { excludeCandidate: candidate !== null })) ? 'no' : 'yes'
  }
  const others = view.members
    .filter((one) => one.name !== request.leader)
    .filter((one) => !isSyncActive(c) || isVoter(view.sync, one.name))
  const peers = others.map((one) => ({ address: addressOf(one)[0] ?? null, nofailover: isNofailover(one.data.tags) }))
  return (await race(c, peers, { checkLag: false, formerLeader: request.leader })) ? 'yes' : 'no'
}

/**
 * The named candidate takes the lock unasked, unless votes count: between the request and now it may have been away,
 * and others may have confirmed commits that it does not have. An order without `leader` is the operator's risk.
 */
async function asCandidate(c: Cycle, request: FailoverRequest, race: Race): Promise<'yes' | 'continue'> {
  if (c.settings.paused || request.leader === null) return 'yes'
  const behind = await ownLagBytes(c)
  if (behind > c.settings.maximumLagOnFailover) {
    // It was near enough when the leader began to stop, and did not get the rest: the stopped leader has it.
    c.world.log.warning(`switchover: I am ${behind} bytes behind what the leader has left, anybody may take over now`)
    await cleanRequest(c)
    return 'continue'
  }
  if (!isQuorumActive(c)) return 'yes'
  const peers = c.view.members.map((one) => ({
    address: addressOf(one)[0] ?? null,
    nofailover: isNofailover(one.data.tags),
  }))
  if (await race(c, peers, { checkLag: false, formerLeader: request.leader })) return 'yes'
  c.world.log.warning('switchover: too few members confirm that I have every commit, anybody may take over now')
  await cleanRequest(c)
  return 'continue'
}

/** Blanks the request, if it is still the one that was read. */
export async function cleanRequest(c: Cycle): Promise<void> {
  const blank = { leader: null, candidate: null, scheduledAt: null }
  await inStore(c, (budget) => c.world.dcs.writeFailover(blank, c.view.failover?.version ?? null, budget))
}

/** The new lock owner takes the request off the table; in pause it keeps the candidate, so that promotion goes on. */
export async function settleRequest(c: Cycle): Promise<void> {
  const request = pending(c.view.failover)
  if (!request) return
  c.world.journal.record({ kind: 'saw', what: 'failover request', detail: printFailoverRequest(request) })
  if (c.settings.paused && request.leader !== null && request.candidate !== null) {
    c.world.log.info('Updating failover key after acquiring leader lock...')
    const rest = { leader: null, candidate: request.candidate, scheduledAt: null }
    await inStore(c, (budget) => c.world.dcs.writeFailover(rest, request.version, budget))
    return
  }
  c.world.log.info('Cleaning up failover key after acquiring leader lock...')
  const blank = { leader: null, candidate: null, scheduledAt: null }
  await inStore(c, (budget) => c.world.dcs.writeFailover(blank, null, budget))
}
