import { isStarting } from '../cluster/instance.ts'
import type { Json, JsonObject } from '../cluster/json.ts'
import type { Tags } from '../cluster/tags.ts'
import type { StoreOutcome } from '../ports/dcs.ts'
import type { Observation } from '../ports/postgres.ts'
import { isLeader } from './lease.ts'
import { correctTimeline, learnTimeline } from './own-timeline.ts'
import { type Ha, inStore } from './world.ts'

/** Tags as others should see them now: a standby that steps down refuses synchronous duty for a while. */
export function effectiveTags(ha: Ha): Tags {
  const { tags } = ha.world.identity()
  return ha.memory.sync.steppingDown > 0 ? { ...tags, nosync: true, sync_priority: 0 } : tags
}

/** The member key (spec ha.md 18.2, dcs.md 2.5), with whatever can be known at this moment. */
export async function memberData(ha: Ha, signal: AbortSignal): Promise<JsonObject> {
  const { world, memory, actions } = ha
  const { postgres } = world
  const identity = world.identity()
  const tags = effectiveTags(ha)
  const pending = postgres.pendingRestart
  const data: Record<string, Json> = { conn_url: identity.connUrl, api_url: identity.apiUrl }
  data['state'] = postgres.state
  data['role'] = postgres.role
  data['version'] = identity.version
  if (identity.proxyUrl !== null) data['proxy_url'] = identity.proxyUrl
  if (Object.keys(tags).length > 0) data['tags'] = tags
  if (Object.keys(pending).length > 0) {
    data['pending_restart'] = true
    data['pending_restart_reason'] = pending
  }
  const restart = scheduledRestartData(ha)
  if (restart) data['scheduled_restart'] = restart
  if (memory.settings.paused) data['pause'] = true
  if (isLeader(ha) && memory.divergence.state !== 'checkpointed') data['checkpoint_after_promote'] = false
  const idle = actions.name === null || actions.name === 'promote'
  if (
    idle &&
    postgres.isAlive() &&
    (postgres.state === 'running' || postgres.state === 'restarting' || isStarting(postgres.state))
  ) {
    const outcome = await postgres.observe(signal)
    if (outcome.kind === 'observed') Object.assign(data, await positions(ha, outcome.observation, signal))
  }
  return data
}

async function positions(ha: Ha, seen: Observation, signal: AbortSignal): Promise<JsonObject> {
  correctTimeline(ha.memory.own, seen)
  if (!seen.inRecovery)
    return { xlog_location: seen.primaryLsn, ...(seen.timeline > 0 ? { timeline: seen.timeline } : {}) }
  const reached = Math.max(seen.receivedLsn, seen.replayedLsn)
  const data: Record<string, Json> = { xlog_location: reached }
  if (seen.replayedLsn > 0) data['replay_lsn'] = seen.replayedLsn
  if (seen.receivedLsn > 0) data['receive_lsn'] = seen.receivedLsn
  if (seen.walReceiver?.status === 'streaming') data['replication_state'] = 'streaming'
  else if (seen.hasRestoreCommand) data['replication_state'] = 'in archive recovery'
  const timeline = await learnTimeline(ha, seen, signal)
  if (timeline !== null && timeline > 0) data['timeline'] = timeline
  return data
}

/** The scheduled restart as it is published; the time of the postmaster's start shows whether it happened already. */
export function scheduledRestartData(ha: Ha): JsonObject | null {
  const { scheduled } = ha.memory.restart
  if (!scheduled) return null
  return { ...scheduled.request, schedule: scheduled.at, postmaster_start_time: scheduled.postmasterStartTime }
}

/** Publishes the member key. A failure is not an event: the next cycle writes again. */
export async function publishMember(ha: Ha, signal: AbortSignal): Promise<StoreOutcome['kind']> {
  const data = await memberData(ha, signal)
  const outcome = await inStore({ ...ha, signal }, (budget) => ha.world.dcs.touchMember(data, budget))
  return outcome.kind
}
