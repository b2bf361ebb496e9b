import { isCloneSource } from '../cluster/member.ts'
import { isSystemIdentifier, leaderMember } from '../cluster/view.ts'
import type { CloneRequest, Upstream } from '../ports/postgres.ts'
import { chooseUpstream, remoteMember, upstreamName } from './upstream.ts'
import { freshCycle } from './view-loading.ts'
import { type Cycle, did, type Ha, holdsLock } from './world.ts'

export interface CloneSource {
  readonly source: Upstream
  /** For the log. */
  readonly text: string
}

/** Where an empty member copies from: any running member that offers itself, else the leader (spec ha.md 4.1). */
export function chooseCloneSource(c: Cycle): CloneSource | null {
  const leader = leaderMember(c.view)
  const offered = c.view.members.filter(
    (member) => member.name !== c.world.name && member.name !== leader?.name && isCloneSource(member),
  )
  const replica = offered[Math.floor(c.world.random.next() * offered.length)]
  const member = replica ?? leader
  if (!member || member.data.connUrl === null || member.name === c.world.name) return null
  return { source: { kind: 'member', member }, text: `from ${replica ? 'replica' : 'leader'} '${member.name}'` }
}

/**
 * A standby cluster that nobody is left of: the remote primary has everything, so a member that lost its data copies it
 * from there instead of waiting for a leader that cannot come. As long as any other one has data, that one will lead.
 */
export function copyOfRemote(c: Cycle): CloneSource | null {
  const { initialize, members } = c.view
  const nobodyHasData = members.every(({ name, data }) => name === c.world.name || data.role === 'uninitialized')
  const source = remoteMember(c)
  if (!source || !c.settings.standbyCluster?.host || !isSystemIdentifier(initialize) || !nobodyHasData) return null
  return { source, text: cloneText(source, null) }
}

interface CloneOptions {
  readonly basebackupOnly?: boolean
}

/** In a standby cluster copies are made by the standby cluster's methods, whoever the source is (spec postgres.md 5.2). */
function cloneRequest(ha: Ha, source: Upstream | null, options: CloneOptions = {}): CloneRequest {
  const methods = ha.memory.settings.standbyCluster?.createReplicaMethods
  return { source, ...(methods ? { methods: methods.length > 0 ? methods : ['basebackup'] } : {}), ...options }
}

/**
 * Asked before a member gives its data up for a copy: the source may just have lost its own, while its lease still runs, and
 * then this member's are the last. @returns for the log and the operator; `null`: nothing known stands in the way
 */
export async function obstacleToCopy(
  ha: Ha,
  source: Upstream,
  options: CloneOptions,
  signal: AbortSignal,
): Promise<string | null> {
  const obstacle = await ha.world.postgres.copyObstacle(cloneRequest(ha, source, options), signal)
  return obstacle === null ? null : `no copy can be made from ${upstreamName(source)} now: ${obstacle}`
}

export function cloneText(source: Upstream | null, leaderName: string | null): string {
  if (!source) return '(without leader)'
  if (source.kind === 'remote')
    return `clone from remote member ${source.standbyCluster.host ?? ''}:${source.standbyCluster.port ?? ''}`
  return `from ${source.member.name === leaderName ? 'leader' : 'replica'} '${source.member.name}'`
}

/**
 * Runs the replica methods and starts the copy as a standby (spec ha.md 4.2). A failed copy is removed: the next cycle
 * begins anew.
 */
export async function cloneAndFollow(
  ha: Ha,
  source: Upstream | null,
  signal: AbortSignal,
  options: CloneOptions = {},
): Promise<boolean> {
  const { world, memory } = ha
  const leaderName = memory.store.view?.leader?.name ?? null
  const text = cloneText(source, leaderName)
  memory.divergence.state = 'idle'
  const cloned = await world.postgres.clone(cloneRequest(ha, source, options), signal)
  did(ha, 'clone', { source: text, cloned })
  if (!cloned) {
    world.log.error(`failed to bootstrap ${text}`)
    if (!signal.aborted) await world.postgres.removeDataDirectory()
    return false
  }
  world.log.info(`bootstrapped ${text}`)
  memory.own.systemIdentifier = null
  world.postgres.forgetSystemIdentifier()
  const fresh = await freshCycle(ha, signal)
  const upstream = fresh ? chooseUpstream(fresh) : source
  const role = fresh?.settings.standbyCluster && holdsLock(fresh) ? 'standby_leader' : 'replica'
  await world.postgres.follow({ upstream, role, timeoutMs: null, reload: false }, signal)
  return true
}

/** A standby cluster's first member: a copy of the remote primary (spec ha.md 4.2). */
export async function bootstrapStandbyLeader(c: Cycle, signal: AbortSignal): Promise<boolean> {
  const source = remoteMember(c)
  if (!source) return false
  const cloned = await c.world.postgres.clone(cloneRequest(c, source), signal)
  if (cloned) {
    c.world.log.info(`bootstrapped ${cloneText(source, null)}`)
    await c.world.postgres.follow({ upstream: source, role: 'standby_leader', timeoutMs: null, reload: false }, signal)
    c.world.postgres.setRole('standby_leader')
  } else c.world.log.error(`failed to bootstrap ${cloneText(source, null)}`)
  return cloned
}
