import { actionName, pending } from '../cluster/failover-request.ts'
import { clusterTimeline } from '../cluster/history.ts'
import { type Lsn } from '../cluster/lsn.ts'
import { type Member, mayBePromoted } from '../cluster/member.ts'
import { syncMode } from '../cluster/settings.ts'
import { isVoter } from '../cluster/sync-state.ts'
import type { PeerAddress, PeerStatus } from '../ports/peers.ts'
import { lagBytes } from './lag.ts'
import { askPeers, limitation, verdictOf } from './peer-limits.ts'
import { isQuorumActive, isSyncActive } from './sync/active.ts'
import { titleCase } from './text.ts'
import { type Cycle, considered } from './world.ts'

export interface SuccessorQuestion {
  /** What a successor must have received; without it the usual lag limit holds. */
  readonly requiredLsn?: Lsn
  /** Look for anybody but the candidate of the request. */
  readonly excludeCandidate?: boolean
}

/** Whether somebody could take over now (spec ha.md 12.3). Says who cannot and why. */
export async function isFailoverPossible(c: Cycle, question: SuccessorQuestion = {}): Promise<boolean> {
  const { log } = c.world
  const request = pending(c.view.failover)
  const action = actionName(c.view.failover)
  const candidate = question.excludeCandidate ? null : (request?.candidate ?? null)
  const candidates = candidateMembers(c, question.excludeCandidate ?? false)
  if (candidates.length === 0) {
    if (candidate !== null && syncMode(c.settings) !== 'off')
      log.warning(
        `${titleCase(action)} candidate=${candidate} does not match with sync_standbys=${c.view.sync.voters.join(',') || 'None'}`,
      )
    else log.warning(`${action}: candidates list is empty`)
    return false
  }
  const answers = await askPeers(c, candidates)
  const good = answers.filter((peer) => qualifies(c, peer, question.requiredLsn ?? null)).length
  if (isQuorumActive(c) && candidate === null && good - 1 < c.view.sync.quorum) {
    log.info(`Quorum requirement ${c.view.sync.quorum} can not be reached`)
    return false
  }
  return good >= 1
}

function candidateMembers(c: Cycle, excludeCandidate: boolean): readonly PeerAddress[] {
  const request = pending(c.view.failover)
  const named = request?.candidate ?? null
  const toAsynchronous = request !== null && request.leader === null
  return c.view.members
    .filter((member) => member.name !== c.world.name && mayBePromoted(member))
    .filter((member) => (named === null ? true : excludeCandidate ? member.name !== named : member.name === named))
    .filter((member) => !isSyncActive(c) || toAsynchronous || isVoter(c.view.sync, member.name))
    .flatMap(addressOf)
}

export function addressOf(member: Member): readonly PeerAddress[] {
  const { apiUrl, state } = member.data
  return apiUrl === null ? [] : [{ name: member.name, apiUrl, ...(state === 'stopped' ? { stopped: true } : {}) }]
}

function qualifies(c: Cycle, peer: PeerStatus, requiredLsn: Lsn | null): boolean {
  const { log } = c.world
  const limit = limitation(peer)
  if (limit !== null || peer.kind === 'unreachable') {
    log.info(`Member ${peer.name} is ${limit}`)
    considered(c, peer.name, verdictOf(limit))
    return false
  }
  const tooFarBehind =
    requiredLsn !== null
      ? peer.lsn < requiredLsn
      : lagBytes(c, peer.lsn, peer.timeline) > c.settings.maximumLagOnFailover
  if (tooFarBehind) {
    log.info(`Member ${peer.name} exceeds maximum replication lag`)
    const needed = requiredLsn ?? c.view.status.lastLsn
    considered(c, peer.name, 'too-far-behind', { lsn: peer.lsn, ownLsn: needed })
    return false
  }
  const known = clusterTimeline(c.view.history)
  if (c.settings.checkTimeline && (peer.timeline === null || peer.timeline < known)) {
    log.info(`Timeline ${peer.timeline ?? 'None'} of member ${peer.name} is behind the cluster timeline ${known}`)
    considered(c, peer.name, 'old-timeline', { timeline: peer.timeline })
    return false
  }
  considered(c, peer.name, 'fit', { lsn: peer.lsn, timeline: peer.timeline })
  return true
}

/** Whether a successor has received everything up to the shutdown checkpoint. */
export function successorHas(c: Cycle, checkpoint: Lsn): Promise<boolean> {
  return isFailoverPossible(c, { requiredLsn: checkpoint })
}
