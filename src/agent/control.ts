import type { Tags } from '../cluster/tags.ts'
import { elapsedMs } from '../cluster/time.ts'
import { isFailsafeActive, receiveFailsafe } from '../ha/failsafe.ts'
import { isLeader } from '../ha/lease.ts'
import type { Loop } from '../ha/loop.ts'
import { effectiveTags, publishMember, scheduledRestartData } from '../ha/member-key.ts'
import { reinitialize } from '../ha/reinitialize.ts'
import { beginRestart, restartObstacle } from '../ha/restart.ts'
import { switchoverObstacle } from '../ha/switchover-obstacle.ts'
import { loadView } from '../ha/view-loading.ts'
import { decided, type Ha, withBudget } from '../ha/world.ts'
import type { AgentControl, CloneProgress, MemberStatus, RestartAnswer, RestartRequest } from '../ports/control.ts'
import type { Observer } from './observer.ts'

export interface ControlParts {
  readonly ha: Ha
  readonly loop: Loop
  readonly observer: Observer
  readonly scope: string
  readonly version: string
  /** As in the local configuration now, filtered for publication. */
  readonly configuredTags: () => Tags
  readonly cloneProgress: () => CloneProgress | null
  readonly logQueue: () => { readonly size: number; readonly lost: number }
  readonly journal: NonNullable<AgentControl['journal']>
  readonly requestReload: () => void
  readonly terminate: () => void
}

const conditionsOf = (
  request: RestartRequest,
): { role: string | null; postgresVersion: string | null; restartPending: boolean } => ({
  role: request.role ?? null,
  postgresVersion: request.postgresVersion ?? null,
  restartPending: request.restartPending ?? false,
})

/** What the REST server sees of the agent, and what it may ask of it. */
export function createControl(parts: ControlParts): AgentControl {
  const { ha, loop, observer } = parts
  const { world, memory } = ha
  return {
    status: () => memberStatus(parts),
    observe: (maxAgeMs, budget) => observer.observe(maxAgeMs, budget),
    loadView: (budget) => loadView(ha, budget.signal),
    dcs: world.dcs,
    journal: parts.journal,
    wake: loop.wake,
    reload: parts.requestReload,
    restart: (request, budget) => restartNow(ha, request, budget.signal),
    scheduleRestart: async (request) => {
      if (memory.restart.scheduled) return { ok: false, text: 'Another restart is already scheduled' }
      const { schedule: _schedule, ...raw } = request.raw
      const seen = await withBudget(ha, 2000, new AbortController().signal, (budget) => observer.observe(1000, budget))
      memory.restart.scheduled = {
        ...conditionsOf(request),
        at: request.schedule,
        request: raw,
        timeoutMs: request.timeoutMs ?? null,
        postmasterStartTime: seen.kind === 'observed' ? seen.observation.postmasterStartTime : null,
      }
      await publishMember(ha, new AbortController().signal)
      loop.wake()
      return { ok: true, text: 'Restart scheduled' }
    },
    deleteScheduledRestart: async () => {
      if (!memory.restart.scheduled) return false
      memory.restart.scheduled = null
      await publishMember(ha, new AbortController().signal)
      return true
    },
    reinitialize: (request, budget) => reinitialize(ha, request, budget.signal),
    switchoverObstacle: async (view, request, budget) => {
      const because = await switchoverObstacle(ha, view, request, budget.signal)
      const { leader, candidate } = request
      if (because !== null) decided(ha, 'refuse request', { because, leader, candidate })
      return because
    },
    receiveFailsafe: (body) => receiveFailsafe(ha, body),
    terminate: parts.terminate,
  }
}

function memberStatus({
  ha,
  loop,
  scope,
  version,
  configuredTags,
  cloneProgress,
  logQueue,
}: ControlParts): MemberStatus {
  const { world, memory, actions } = ha
  const { postgres, clock, fence } = world
  const { store, own, settings } = memory
  const fresh = elapsedMs(store.viewAt, clock.now()) < settings.ttlMs
  return {
    name: world.name,
    scope,
    version,
    role: postgres.role,
    state: postgres.state,
    holdsLock: isLeader(ha),
    view: fresh ? store.view : null,
    dcsLastSeen: store.lastSeen,
    settings,
    dynamicConfig: memory.dynamicConfig,
    configuredTags: configuredTags(),
    effectiveTags: effectiveTags(ha),
    pendingRestart: postgres.pendingRestart,
    scheduledRestart: scheduledRestartData(ha),
    failsafeActive: isFailsafeActive(ha),
    watchdogFailed: !fence.isHealthy,
    systemIdentifier: own.systemIdentifier,
    serverVersion: postgres.serverVersion,
    localTimeline: own.timeline,
    nextRunAt: loop.nextRunAt,
    longAction: actions.name,
    cloneProgress: cloneProgress(),
    // Looked up in the process table, and only by those who want to know: a health check must not cost a file.
    get postmasterAlive() {
      return postgres.isAlive()
    },
    failsafeTopology: store.lockedView?.failsafe?.document ?? null,
    logQueue: logQueue(),
  }
}

/** A restart on request: begins between two cycles, and is waited for (spec rest-api.md 11.1). */
async function restartNow(ha: Ha, request: RestartRequest, signal: AbortSignal): Promise<RestartAnswer> {
  const obstacle = restartObstacle(ha, conditionsOf(request))
  if (obstacle !== null) return { ok: false, text: obstacle }
  const begun = await ha.mutex.run(async () => beginRestart(ha, request.timeoutMs ?? null))
  if (begun.kind === 'busy') return { ok: false, text: `${begun.running} already in progress` }
  ha.wake()
  const outcome = await Promise.race([begun.ended, aborted(signal)])
  if (outcome === 'running') return { ok: true, text: 'restarted successfully' }
  if (outcome === 'failed') return { ok: false, text: 'restart failed' }
  return { ok: null, text: 'postgres is still starting' }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  if (signal.aborted) return Promise.resolve(undefined)
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }))
}
