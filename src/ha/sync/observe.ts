import { type Lsn, maxLsn } from '../../cluster/lsn.ts'
import type { Member } from '../../cluster/member.ts'
import { NameSet } from '../../cluster/name-set.ts'
import { wantedSync } from '../../cluster/settings.ts'
import { NO_STANDBY_NAMES, parseStandbyNames, type StandbyNames } from '../../cluster/standby-names.ts'
import { isNofailover, isNosync, replicatefrom, syncPriority } from '../../cluster/tags.ts'
import type { Observation, WalSender } from '../../ports/postgres.ts'
import { observation, walPosition } from '../facts.ts'
import type { Cycle } from '../world.ts'
import { isQuorumMode } from './active.ts'
import { noteNamesChanged } from './names.ts'

/** What PostgreSQL shows of synchronous replication at one moment (spec ha.md 16.2). */
export interface SyncPicture {
  /** Parsed value that is live. */
  readonly live: StandbyNames
  readonly liveText: string
  readonly liveNames: NameSet
  /** Replicas that should be synchronous. */
  readonly active: NameSet
  /** Those of them of which it is certain that commits wait for them. */
  readonly confirmed: NameSet
}

interface Candidate {
  readonly member: Member
  readonly sender: WalSender
  readonly lsn: Lsn
}

export async function pictureOf(c: Cycle): Promise<SyncPicture | null> {
  await noteNamesChanged(c)
  const seen = await observation(c)
  if (!seen) return null
  const parsed = parseStandbyNames(seen.synchronousStandbyNames)
  if (!parsed) c.world.log.warning(`Unable to parse synchronous_standby_names: ${seen.synchronousStandbyNames}`)
  const live = parsed ?? NO_STANDBY_NAMES
  const candidates = withinLag(c, seen, eligible(c, seen))
  const chosen = isQuorumMode(c) ? forQuorum(c, candidates) : candidates.slice(0, wantedSync(c.settings))
  const confirmed = chosen.filter((candidate) => isConfirmed(c, live, candidate))
  return {
    live,
    liveText: seen.synchronousStandbyNames,
    liveNames: new NameSet(live.members),
    active: new NameSet(chosen.map(({ member }) => member.name)),
    confirmed: new NameSet(confirmed.map(({ member }) => member.name)),
  }
}

export function confirmedLsn(seen: Observation, sender: WalSender): Lsn | null {
  if (seen.synchronousCommit === 'remote_apply') return sender.replayLsn
  return seen.synchronousCommit === 'remote_write' ? sender.writeLsn : sender.flushLsn
}

/** Streaming members that may be synchronous, the best first. */
function eligible(c: Cycle, seen: Observation): readonly Candidate[] {
  const members = new Map(
    c.view.members
      .filter(({ name, data }) => name !== c.world.name && data.state === 'running' && !isNosync(data.tags))
      .map((member) => [member.name.toLowerCase(), member]),
  )
  const found = new Map<string, Candidate>()
  for (const sender of seen.walSenders) {
    const member = members.get(sender.applicationName.toLowerCase())
    const lsn = confirmedLsn(seen, sender)
    if (sender.state === 'streaming' && member && lsn !== null) found.set(member.name, { member, sender, lsn })
  }
  const streaming = new NameSet(seen.walSenders.map((sender) => sender.applicationName))
  return [...found.values()].filter(({ member }) => !shouldCascade(member, members, streaming)).sort(byMerit)
}

/** A member that should stream from another one which streams from us is not waited for. A chain that runs in a circle ends nowhere. */
function shouldCascade(member: Member, members: ReadonlyMap<string, Member>, streaming: NameSet): boolean {
  const seen = new Set<string>()
  let current: Member | undefined = member
  while (current && !seen.has(current.name)) {
    seen.add(current.name)
    const upstream = replicatefrom(current.data.tags)
    if (upstream === null || upstream === current.name) return current !== member && streaming.has(current.name)
    current = members.get(upstream.toLowerCase())
  }
  return false
}

function byMerit(a: Candidate, b: Candidate): number {
  const nofailover = Number(isNofailover(a.member.data.tags)) - Number(isNofailover(b.member.data.tags))
  if (nofailover !== 0) return nofailover
  const priority = syncPriority(b.member.data.tags) - syncPriority(a.member.data.tags)
  if (priority !== 0) return priority
  if (a.sender.syncState !== b.sender.syncState) return a.sender.syncState < b.sender.syncState ? 1 : -1
  return b.lsn - a.lsn
}

function withinLag(c: Cycle, seen: Observation, candidates: readonly Candidate[]): readonly Candidate[] {
  const limit = c.settings.maximumLagOnSyncnode
  if (limit <= 0) return candidates
  const newest = candidates.length > 1 ? maxLsn(...candidates.map(({ lsn }) => lsn)) : walPosition(seen)
  return candidates.filter(({ lsn }) => newest - lsn <= limit)
}

/** Everybody may vote; members that must not be promoted only where there are too few others. */
function forQuorum(c: Cycle, candidates: readonly Candidate[]): readonly Candidate[] {
  const chosen: Candidate[] = []
  for (const candidate of candidates) {
    if (!isNofailover(candidate.member.data.tags) || chosen.length < wantedSync(c.settings)) chosen.push(candidate)
  }
  return chosen
}

/** Once certain, a standby stays so as long as it is the same connection and its name is in the parameter. */
function isConfirmed(c: Cycle, live: StandbyNames, { member, sender, lsn }: Candidate): boolean {
  const { sync } = c.memory
  if (!new NameSet(live.members).has(member.name)) return false
  const key = `${member.name.toLowerCase()}/${sender.pid}`
  const caughtUp = lsn >= (sync.changedAtLsn ?? 0)
  const voters = new NameSet((sync.known ?? c.view.sync).voters)
  const quorum = isQuorumMode(c)
  const ready = quorum
    ? caughtUp && sender.syncState === 'quorum'
    : voters.has(member.name) || (caughtUp && sender.syncState === 'sync')
  if (ready) sync.ready.add(key)
  return sync.ready.has(key) && (quorum || sender.syncState === 'sync')
}
