import { syncMode } from '../cluster/settings.ts'
import { isVoter } from '../cluster/sync-state.ts'
import { isNosync } from '../cluster/tags.ts'
import { later } from '../cluster/time.ts'
import { lockOwner } from '../cluster/view.ts'
import type { StartOutcome } from '../ports/postgres.ts'
import { permissionToLaunch } from './launch.ts'
import type { Begun } from './long-action.ts'
import { publishMember } from './member-key.ts'
import { loadView } from './view-loading.ts'
import { deadlineEvent } from './waiting.ts'
import { did, type Ha } from './world.ts'

export interface RestartConditions {
  readonly role: string | null
  readonly postgresVersion: string | null
  readonly restartPending: boolean
}

/** Why a restart's conditions are not met; `null`: they are (spec ha.md 13.1). The last reason counts. */
export function restartObstacle(ha: Ha, conditions: RestartConditions): string | null {
  const { postgres, log } = ha.world
  const reasons: string[] = []
  if (conditions.role !== null && conditions.role !== postgres.role) reasons.push('host role mismatch')
  if (
    conditions.postgresVersion !== null &&
    (serverVersionNumber(conditions.postgresVersion) ?? 0) <= postgres.serverVersion
  )
    reasons.push('postgres version mismatch')
  if (conditions.restartPending && Object.keys(postgres.pendingRestart).length === 0)
    reasons.push('pending restart flag is not set')
  const last = reasons.at(-1)
  if (last === undefined) return null
  log.info(`not proceeding with the restart: ${last}`)
  return 'restart conditions are not satisfied'
}

/** `15.2` -> 150002, `9.6.24` -> 90624; `null` when it is not a version. */
export function serverVersionNumber(text: string): number | null {
  if (!/^\d+(\.\d+){1,2}$/.test(text)) return null
  const [major = 0, second = 0, third = 0] = text.split('.').map(Number)
  return major >= 10 ? major * 10000 + second : major * 10000 + second * 100 + third
}

/** Begins a restart beside the loop; the loop keeps the lock meanwhile. Call it under the mutex. */
export function beginRestart(ha: Ha, timeoutMs: number | null): Begun<StartOutcome | undefined> {
  const { memory, world } = ha
  const limitMs = timeoutMs ?? memory.settings.primaryStartTimeoutMs
  const begun = ha.actions.begin('restart', (signal) => {
    did(ha, 'restart')
    return asAsynchronous(ha, signal, async () => {
      const mayLaunch = await permissionToLaunch(ha)
      return mayLaunch ? world.postgres.restart(limitMs, signal, mayLaunch) : 'failed'
    })
  })
  if (begun.kind === 'begun') {
    memory.recovery.verifying = true
    memory.recovery.startTimeoutMs = limitMs
  }
  return begun
}

/** Steps down as a synchronous standby first, so that no commit waits for a server that is away (spec ha.md 13.1). */
export async function asAsynchronous<T>(ha: Ha, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const { memory, world } = ha
  const view = memory.store.view
  const leader = view && lockOwner(view) === world.name
  if (syncMode(memory.settings) === 'off' || leader || isNosync(world.identity().tags)) return work()
  memory.sync.steppingDown += 1
  try {
    await leaveSync(ha, signal)
    return await work()
  } finally {
    memory.sync.steppingDown -= 1
  }
}

/** How often the store is asked even if no event came. */
const LOOK_AGAIN_MS = 2000

async function leaveSync(ha: Ha, signal: AbortSignal): Promise<void> {
  const { world, memory } = ha
  const { clock, log } = world
  if ((await publishMember(ha, signal)) !== 'done') {
    log.warning('Updating member state failed, skipping synchronous standby disable')
    return
  }
  const deadline = later(clock.now(), 2 * memory.settings.loopWaitMs)
  while (clock.now() < deadline && !signal.aborted) {
    const view = await loadView(ha, signal)
    if (!view) {
      log.warning('Could not get cluster state, skipping synchronous standby disable')
      return
    }
    if (!isVoter(view.sync, world.name)) return
    log.info('Waiting for primary to release us from synchronous standby')
    await deadlineEvent(ha, LOOK_AGAIN_MS, signal, ['sync'])
  }
}
