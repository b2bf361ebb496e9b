import { syncMode } from '../cluster/settings.ts'
import { isLocked } from '../cluster/view.ts'
import type { ControlData, StandbyRole, Upstream } from '../ports/postgres.ts'
import { demote } from './demotion.ts'
import { permissionToLaunch } from './launch.ts'
import { releaseLock, renewLock } from './lock.ts'
import { type CycleResult, result } from './messages.ts'
import { beginOrBusy, repairDivergence, requestDivergenceCheck, startSingleUserRecovery } from './rewind.ts'
import { storeOutage } from './store-outage.ts'
import { isFailoverPossible } from './successors.ts'
import { setNames } from './sync/names.ts'
import { chooseUpstream, remoteMember } from './upstream.ts'
import { reloadView } from './view-loading.ts'
import { type Cycle, holdsLock, logLockOwner } from './world.ts'

const CRASHED = ['in production', 'in crash recovery', 'shutting down']

/** PostgreSQL is not running although it should (spec ha.md 5.1): rows in order, the first that applies acts. */
export async function recover(c: Cycle): Promise<CycleResult> {
  const { postgres, log, fence } = c.world
  const timeoutMs = c.settings.primaryStartTimeoutMs
  logLockOwner(c)
  const lock = holdsLock(c) ? await renewLock(c) : 'refused'
  if (lock === 'unknown') return storeOutage(c)
  const locked = lock === 'done'
  if (locked && timeoutMs === 0 && (await isFailoverPossible(c))) return failOver(c)
  if (locked && c.memory.promotion.failed && (await isFailoverPossible(c))) return passOn(c)
  const control = await postgres.controlData(c.signal)
  logControlData(c, control)
  if (locked && timeoutMs > 0 && (await mayStartInPlace(c, control))) return startInPlace(c, timeoutMs)
  await fence.disable()
  if (control && CRASHED.includes(control.clusterState)) {
    if (postgres.serverVersion >= 150000 && (await postgres.hasBackupLabel()))
      log.info(
        'Skipping single-user crash recovery because backup_label exists; PostgreSQL will handle it during normal startup',
      )
    else if (await singleUserRecoveryAllowed(c)) return startSingleUserRecovery(c)
  }
  await reloadView(c)
  return startAsStandby(c, locked ? timeoutMs : null)
}

async function failOver(c: Cycle): Promise<CycleResult> {
  await c.world.fence.disable()
  c.world.log.info('Primary crashed. Failing over.')
  await demote(c, 'immediate', c.signal)
  return result('crashed-fail-over')
}

/** A server that ended while it was promoted, for want of space for example, would do so again and again. */
async function passOn(c: Cycle): Promise<CycleResult> {
  const { memory, world } = c
  await world.fence.disable()
  memory.promotion.failed = false
  memory.race.releasedAt = world.clock.now()
  await releaseLock(c, c.signal)
  return result('lock-released-promotion')
}

function logControlData(c: Cycle, control: ControlData | null): void {
  const lines = Object.entries(control?.items ?? {}).map(([key, value]) => `  ${key}: ${value}`)
  c.world.log.info(['pg_controldata:', ...lines].join('\n'))
}

/** Only a server that was seen running as primary by this agent goes on where it stopped; its timeline stays. */
async function mayStartInPlace(c: Cycle, control: ControlData | null): Promise<boolean> {
  const { postgres } = c.world
  if (!control || ![...CRASHED, 'shut down'].includes(control.clusterState)) return false
  return postgres.state === 'crashed' && postgres.role === 'primary' && !(await postgres.hasRecoverySignal())
}

function startInPlace(c: Cycle, timeoutMs: number): CycleResult {
  c.memory.recovery.verifying = true
  return beginOrBusy(c, 'starting primary after failure', result('start-in-place'), async (signal) => {
    const mayLaunch = await permissionToLaunch(c)
    if (mayLaunch) await c.world.postgres.startAsPrimary(timeoutMs, signal, mayLaunch)
  })
}

async function singleUserRecoveryAllowed(c: Cycle): Promise<boolean> {
  if (c.memory.recovery.crashRecoveryDone) return false
  return !isLocked(c.view) || (await c.world.postgres.canRewind(c.signal))
}

async function startAsStandby(c: Cycle, timeoutMs: number | null): Promise<CycleResult> {
  const { settings, memory, world } = c
  const mine = holdsLock(c)
  if (mine && !settings.standbyCluster) {
    memory.divergence.state = 'idle'
    return startFollowing(c, null, 'replica', timeoutMs, result('start-readonly-with-lock'))
  }
  const { state } = memory.divergence
  if (state !== 'done' && state !== 'failed') await requestDivergenceCheck(c, c.signal)
  const repair = await repairDivergence(c)
  if (repair) return repair
  if (mine)
    return startFollowing(c, chooseUpstream(c), 'standby_leader', timeoutMs, result('start-standby-leader-with-lock'))
  if (settings.standbyCluster && !isLocked(c.view))
    return startFollowing(c, remoteMember(c), 'replica', timeoutMs, result('follow-remote-unhealthy'))
  if (syncMode(settings) !== 'off') await setNames(c, null)
  world.log.debug('starting without the lock')
  return startFollowing(c, chooseUpstream(c), 'replica', timeoutMs, result('start-secondary'))
}

function startFollowing(
  c: Cycle,
  upstream: Upstream | null,
  role: StandbyRole,
  timeoutMs: number | null,
  begun: CycleResult,
): CycleResult {
  c.memory.recovery.verifying = true
  const limitMs = timeoutMs === 0 ? null : timeoutMs
  return beginOrBusy(c, 'restarting after failure', begun, async (signal) => {
    const outcome = await c.world.postgres.follow({ upstream, role, timeoutMs: limitMs, reload: false }, signal)
    c.memory.divergence.startFailed = outcome === 'failed'
    return outcome !== 'failed'
  })
}
