import { printLsn } from '../cluster/lsn.ts'
import { isVersionBelow, type Member } from '../cluster/member.ts'
import { leaderMember } from '../cluster/view.ts'
import type { Upstream } from '../ports/postgres.ts'
import { cloneAndFollow, obstacleToCopy } from './clone.ts'
import { compareHistories, historyExcerpt, lossOf, lossText } from './divergence.ts'
import { type CycleResult, result } from './messages.ts'
import { divergenceSource, upstreamName } from './upstream.ts'
import { type Cycle, did, type Ha, holdsLock, withBudget } from './world.ts'

/** How long the leader may take to answer the questions of the divergence check. */
const SOURCE_ANSWER_MS = 5000

async function canRepair(ha: Ha, signal: AbortSignal): Promise<boolean> {
  return ha.world.postgres.removeOnDivergedTimelines || (await ha.world.postgres.canRewind(signal))
}

/** Marks that local and leader history must be compared before this server follows anybody (spec ha.md 5.3). */
export async function requestDivergenceCheck(ha: Ha, signal: AbortSignal): Promise<void> {
  const { divergence } = ha.memory
  divergence.checkpoint = 'none'
  if (divergence.state !== 'needed' && (await canRepair(ha, signal))) divergence.state = 'check'
}

/** Something is to be done about the local history, and it can be done. */
export async function repairIsPending(ha: Ha, signal: AbortSignal): Promise<boolean> {
  const { state } = ha.memory.divergence
  return (state === 'check' || state === 'needed') && (await canRepair(ha, signal))
}

/**
 * Compares histories if that is due, and starts the rewind or the new copy that the comparison asks for
 * (spec ha.md 5.2). @returns `null`: nothing to do, or nothing that can be done
 */
export async function repairDivergence(c: Cycle): Promise<CycleResult | null> {
  const { divergence } = c.memory
  const { postgres } = c.world
  const source = divergenceSource(c)
  if (!source) return null
  // What was found out about another source says nothing about this one.
  if (divergence.state === 'needed' && divergence.source?.name !== upstreamName(source)) divergence.state = 'check'
  if (divergence.state === 'check') await compare(c, source)
  if (divergence.state !== 'needed' || standbyLeaderGoesFirst(c)) return null
  const canRewind = await postgres.canRewind(c.signal)
  if (canRewind && !divergence.numberUsedTwice) {
    const control = postgres.isAlive() ? null : await postgres.controlData(c.signal)
    if (control?.clusterState === 'in archive recovery' && !c.memory.recovery.crashRecoveryDone)
      return startSingleUserRecovery(c)
    const name = `running pg_rewind from ${upstreamName(source)}`
    noteLoss(c, 'pg_rewind')
    return beginOrBusy(c, name, result('rewind', upstreamName(source)), (signal) => rewind(c, source, signal))
  }
  // Who lets pg_rewind throw away what the leader never had has a copy made where pg_rewind sees nothing to do.
  if ((postgres.removeOnDivergedTimelines || canRewind) && !c.settings.standbyCluster) {
    const name = 'reinitializing due to diverged timelines'
    noteLoss(c, 'new copy')
    return beginOrBusy(c, name, result('reinitialize-diverged'), (signal) => reinitializeFrom(c, source, signal))
  }
  return null
}

/**
 * A rewind that breaks off leaves nothing of use. The members of a standby cluster all rewind from the same site: should that
 * be lost meanwhile, only one copy may be lost with it. So the others wait until their leader has the site's timeline;
 * before that they could not stream from it anyway. Data that are of no use as they are have nothing to wait for.
 */
function standbyLeaderGoesFirst(c: Cycle): boolean {
  const { source, startFailed } = c.memory.divergence
  if (!c.settings.standbyCluster || holdsLock(c) || !source || startFailed) return false
  const leaderTimeline = leaderMember(c.view)?.data.timeline ?? null
  return leaderTimeline === null || leaderTimeline < source.timeline
}

async function compare(c: Cycle, source: Upstream): Promise<void> {
  const { world, memory } = c
  const { postgres, log } = world
  const local = await postgres.localPosition(c.signal)
  if (!local) return
  log.info(`Local timeline=${local.timeline} lsn=${printLsn(local.lsn)}`)
  if (source.kind === 'member' && source.member.data.role !== 'primary') return
  const leader = await withBudget(c, SOURCE_ANSWER_MS, c.signal, (budget) =>
    postgres.rewindSource(source, budget.signal),
  )
  if (leader.kind === 'unreachable') return
  if (leader.kind === 'in-recovery') {
    log.info("Leader is still in_recovery and therefore can't be used for rewind")
    return
  }
  log.info(`primary_timeline=${leader.timeline}`)
  const end = local.inRecovery ? local.lsn : await postgres.shutdownCheckpointEnd(local, c.signal)
  const history = (await postgres.localTimelineHistory(local.timeline))?.switches ?? null
  const found = compareHistories(local, leader, { history, checkpointEnd: end })
  if (leader.history.length > 0) log.info(`primary: history=${historyExcerpt(leader.history, local.timeline)}`)
  memory.divergence.state = found.needed ? 'needed' : 'not-needed'
  memory.divergence.source = { name: upstreamName(source), timeline: leader.timeline }
  memory.divergence.numberUsedTwice = found.because === 'number-used-twice'
  world.journal.record({
    kind: 'decided',
    what: found.needed ? 'history diverged' : 'history is a prefix of the leader',
    detail: {
      because: found.because,
      localTimeline: local.timeline,
      localLsn: local.lsn,
      leaderTimeline: leader.timeline,
      switchpoint: found.switchpoint,
    },
  })
  memory.divergence.loss = lossOf(local, found, end)
  if (memory.divergence.loss) log.warning(lossText(memory.divergence.loss, upstreamName(source)))
  if (memory.divergence.numberUsedTwice)
    log.warning(
      `Timeline ${local.timeline} here and timeline ${leader.timeline} of ${upstreamName(source)} are two histories of one number: pg_rewind cannot help, a new copy is needed`,
    )
}

/** Writes down what is thrown away, and by whom, before it is. */
function noteLoss(ha: Ha, by: string): void {
  const { loss } = ha.memory.divergence
  if (loss) did(ha, 'throw away WAL', { ...loss, by })
}

/** A new primary is ready as a source once its control file shows the new timeline. Very old agents do not say. */
function isReadySource(member: Member): boolean {
  if (isVersionBelow(member.data.agentVersion, [1, 5, 7])) return true
  return member.data.role === 'primary' && member.data.checkpointAfterPromote === null
}

async function rewind(ha: Ha, source: Upstream, signal: AbortSignal): Promise<boolean> {
  const { world, memory } = ha
  const { postgres, log } = world
  if (postgres.isAlive()) {
    const stopped = await postgres.stop({ mode: 'fast', checkpoint: false, limitMs: null }, signal)
    if (stopped !== 'stopped') {
      log.warning('Can not run pg_rewind because postgres is still running')
      return false
    }
  }
  if (source.kind === 'member' && !isReadySource(source.member)) {
    log.info(`Waiting for checkpoint on ${source.member.name} before rewind`)
    return false
  }
  const outcome = await postgres.rewind(source, signal)
  did(ha, 'pg_rewind', { source: upstreamName(source), outcome: outcome.kind })
  if (outcome.kind === 'done') {
    memory.divergence.state = 'done'
    return true
  }
  if (outcome.kind === 'postponed') {
    log.warning(`Can not use ${upstreamName(source)} for rewind: ${outcome.reason}`)
    return false
  }
  if (outcome.sourceHealthy) log.error(`Failed to rewind from healthy primary: ${upstreamName(source)}`)
  else log.warning(`Failed to rewind because primary ${upstreamName(source)} become unreachable`)
  if (!outcome.sourceHealthy && (await postgres.canRewind(signal))) return false
  memory.divergence.state = 'failed'
  await removeAfterFailedRewind(ha)
  return true
}

async function removeAfterFailedRewind(ha: Ha): Promise<void> {
  const { postgres, log } = ha.world
  const option = postgres.removeOnRewindFailure
    ? 'remove_data_directory_on_rewind_failure'
    : postgres.removeOnDivergedTimelines
      ? 'remove_data_directory_on_diverged_timelines'
      : null
  if (!option) return
  log.warning(`${option} is set. removing...`)
  noteLoss(ha, option)
  await postgres.removeDataDirectory()
  ha.memory.divergence.state = 'idle'
}

/** Throws the data directory away and copies it anew; but not as long as there is nobody to copy from. */
export async function reinitializeFrom(
  ha: Ha,
  source: Upstream,
  signal: AbortSignal,
  basebackupOnly = false,
): Promise<boolean> {
  const obstacle = await obstacleToCopy(ha, source, { basebackupOnly }, signal)
  if (obstacle !== null) {
    ha.world.log.error(`Keeping the data directory: ${obstacle}`)
    did(ha, 'keep the data', { because: obstacle })
    return false
  }
  const limitMs = ha.memory.settings.retryTimeoutMs
  await ha.world.postgres.stop({ mode: 'immediate', checkpoint: false, limitMs }, signal)
  return cloneAndFollow(ha, source, signal, { basebackupOnly })
}

/** pg_rewind needs a clean shutdown; after a crash PostgreSQL itself has to make one. */
export function startSingleUserRecovery(c: Cycle): CycleResult {
  c.memory.recovery.crashRecoveryDone = true
  const name = 'doing crash recovery in a single user mode'
  return beginOrBusy(c, name, result('single-user-recovery'), (signal) => c.world.postgres.singleUserRecovery(signal))
}

/** Starts a long action; where another one runs, that is the result of the cycle. */
export function beginOrBusy<T>(
  c: Ha,
  name: string,
  begun: CycleResult,
  work: (signal: AbortSignal) => Promise<T>,
): CycleResult {
  const started = c.actions.begin(name, work)
  return started.kind === 'begun' ? begun : result('busy', name, started.running)
}
