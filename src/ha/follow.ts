import { isStarting } from '../cluster/instance.ts'
import { timeline } from '../cluster/timeline.ts'
import { isLocked, leaderMember } from '../cluster/view.ts'
import type { StandbyRole, Upstream } from '../ports/postgres.ts'
import { demote } from './demotion.ts'
import { isPrimary, isPrimaryOrPromoting, observation } from './facts.ts'
import { type CycleResult, result } from './messages.ts'
import { streamedTimeline } from './own-timeline.ts'
import { beginOrBusy, repairDivergence, repairIsPending, requestDivergenceCheck } from './rewind.ts'
import { chooseUpstream } from './upstream.ts'
import { reloadView } from './view-loading.ts'
import { type Cycle, holdsLock } from './world.ts'

export interface FollowReasons {
  /** The result when this server was a primary and has been demoted. */
  readonly demoting: CycleResult
  readonly following: CycleResult
  /** Read the view again first. */
  readonly refresh?: boolean
}

/** Makes this server follow whom it should (spec ha.md 7.4). */
export async function follow(c: Cycle, reasons: FollowReasons): Promise<CycleResult> {
  if (reasons.refresh) await reloadView(c)
  const upstream = chooseUpstream(c)
  const primary = await isPrimaryOrPromoting(c)
  if (c.settings.paused) {
    const left = primary || !isLocked(c.view) || !(await repairIsPending(c, c.signal))
    const outcome = left ? await leaveAlone(c, primary, upstream) : null
    if (outcome) return outcome
  } else if (primary) return demotePrimary(c, reasons.demoting)
  await checkLocalHistoryAhead(c)
  const repair = await repairDivergence(c)
  if (repair) return repair
  await resumeReplay(c)
  return pointAt(c, upstream, reasons.following)
}

/** Pause: a primary without the lock goes on, a replica without anybody to follow too. */
async function leaveAlone(c: Cycle, primary: boolean, upstream: Upstream | null): Promise<CycleResult | null> {
  const { postgres } = c.world
  if (primary) {
    tellOtherPrimary(c)
    if (postgres.role !== 'promoted' || (await isPrimary(c))) postgres.setRole('primary')
    return result('paused-primary-without-lock')
  }
  if (postgres.role !== 'standby_leader') postgres.setRole('replica')
  return upstream ? null : result('no-action', c.world.name)
}

/** Nobody ends one of them in pause; whoever is on duty has to know (spec ha.md 24.21). */
function tellOtherPrimary(c: Cycle): void {
  const leader = leaderMember(c.view)
  if (leader?.data.role === 'primary' && leader.name !== c.world.name)
    c.world.log.warning(`${leader.name} has the lock and is a primary too: what is written here, it does not have`)
}

async function demotePrimary(c: Cycle, reason: CycleResult): Promise<CycleResult> {
  if (c.settings.standbyCluster)
    return beginOrBusy(c, 'demoting to a standby cluster', reason, (signal) => demote(c, 'demote-cluster', signal))
  await demote(c, 'immediate-nolock', c.signal)
  return reason
}

/** Standby cluster: somebody promoted this server behind our back; its next timeline exists here but not in the source. */
async function checkLocalHistoryAhead(c: Cycle): Promise<void> {
  const known = c.memory.own.leaderTimeline
  if (!c.settings.standbyCluster || known === null) return
  if (await c.world.postgres.localTimelineHistory(timeline(known + 1))) await requestDivergenceCheck(c, c.signal)
}

/** PostgreSQL 14 and later pauses replay instead of stopping when a primary's parameter was raised: go on. */
async function resumeReplay(c: Cycle): Promise<void> {
  const { postgres } = c.world
  if (c.settings.paused || postgres.serverVersion < 140000 || isStarting(postgres.state)) return
  const seen = await observation(c)
  if (seen?.replayPaused) await postgres.resumeReplay(c.signal)
}

async function pointAt(c: Cycle, upstream: Upstream | null, following: CycleResult): Promise<CycleResult> {
  const { postgres } = c.world
  const role: StandbyRole = upstream?.kind === 'remote' && holdsLock(c) ? 'standby_leader' : 'replica'
  if (c.settings.standbyCluster && role === 'replica' && !hasAddress(upstream)) return result('old-standby-leader')
  const difference = await postgres.recoveryDifference(upstream, role, c.signal)
  if (difference === 'restart') {
    await requestDivergenceCheck(c, c.signal)
    return beginOrBusy(c, 'changing primary_conninfo and restarting', following, async (signal) => {
      const outcome = await postgres.follow({ upstream, role, timeoutMs: null, reload: false }, signal)
      return outcome !== 'failed'
    })
  }
  if (difference === 'reload') {
    await postgres.follow({ upstream, role, timeoutMs: null, reload: true }, c.signal)
    await requestDivergenceCheck(c, c.signal)
    return following
  }
  if (role === 'standby_leader' && postgres.role !== 'standby_leader') {
    postgres.setRole('standby_leader')
    postgres.fireCallback('on_role_change', 'standby_leader')
    return following
  }
  if (await isOnAnotherTimeline(c)) {
    await requestDivergenceCheck(c, c.signal)
    return (await repairDivergence(c)) ?? following
  }
  return following
}

/**
 * Behind the leader's timeline this member has to follow; on one that the leader never was on it streams from nobody: that of
 * a leader who was soon given up, perhaps. The leader's own word may be older than what is streamed from it.
 */
async function isOnAnotherTimeline(c: Cycle): Promise<boolean> {
  const { timeline: own, leaderTimeline } = c.memory.own
  if (own === null || leaderTimeline === null || own === leaderTimeline) return false
  if (own < leaderTimeline) return true
  const seen = await observation(c)
  return seen === null || streamedTimeline(seen) === null
}

function hasAddress(upstream: Upstream | null): boolean {
  return upstream !== null && (upstream.kind === 'remote' || upstream.member.data.connUrl !== null)
}
