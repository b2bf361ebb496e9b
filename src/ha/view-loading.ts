import { adjustedTiming, clusterSettings } from '../cluster/settings.ts'
import { type ClusterView, isLocked, leaderMember, lockOwner } from '../cluster/view.ts'
import { withPromisedLeader } from './failsafe.ts'
import { forgetLease } from './lease.ts'
import { type Cycle, type Ha, inStore, saw } from './world.ts'

/**
 * Reads the cluster and lets it take effect on what is remembered (spec ha.md 3.1).
 * @returns `null` when the store did not answer
 */
export async function loadView(ha: Ha, signal: AbortSignal): Promise<ClusterView | null> {
  const { world, memory } = ha
  const outcome = await inStore({ ...ha, signal }, (budget) => world.dcs.load(budget))
  if (outcome.kind !== 'done') {
    memory.store.view = null
    saw(ha, 'store unreachable', { reason: outcome.reason })
    return null
  }
  const read = outcome.value
  memory.store.view = read
  memory.store.viewAt = world.clock.now()
  memory.store.lastSeen = Math.floor(world.clock.wallMs() / 1000)
  if (isLocked(read) || memory.store.lockedView === null) memory.store.lockedView = read
  memory.sync.known = read.sync
  const view = withPromisedLeader(ha, read)
  const owner = lockOwner(view)
  if (owner !== world.name) forgetLease(ha)
  if (memory.store.owner !== undefined && owner !== memory.store.owner)
    saw(ha, 'leader', { from: memory.store.owner, to: owner, ttlMs: memory.settings.ttlMs })
  memory.store.owner = owner
  memory.own.leaderTimeline = leaderMember(view)?.data.timeline ?? null
  learnSettings(ha, view)
  return view
}

/** The last valid document stays in force when the key is missing or malformed: the store may have been wiped. */
function learnSettings(ha: Ha, view: ClusterView): void {
  const { memory, world } = ha
  if (!view.config?.valid || view.config.document === memory.dynamicConfig) return
  const { timing } = adjustedTiming(view.config.document, world.minimumTiming)
  memory.dynamicConfig = view.config.document
  if (timing && JSON.stringify(timing) !== JSON.stringify(memory.timing)) {
    memory.timing = timing
    world.dcs.configure({
      ttlMs: timing.ttl * 1000,
      loopWaitMs: timing.loopWait * 1000,
      retryTimeoutMs: timing.retryTimeout * 1000,
    })
  }
  memory.settings = clusterSettings(view.config.document, memory.timing)
}

/** Reads the view again in the middle of a cycle. A store that does not answer leaves the old one. */
export async function reloadView(c: Cycle): Promise<boolean> {
  const view = await loadView(c, c.signal)
  if (!view) return false
  c.view = view
  return true
}

/** A cycle's scope for work that runs beside the loop, on a fresh view. `null`: the store does not answer. */
export async function freshCycle(ha: Ha, signal: AbortSignal): Promise<Cycle | null> {
  const view = await loadView(ha, signal)
  return view ? newCycle(ha, view, signal) : null
}

export function newCycle(ha: Ha, view: ClusterView, signal: AbortSignal): Cycle {
  return {
    world: ha.world,
    memory: ha.memory,
    actions: ha.actions,
    mutex: ha.mutex,
    wake: ha.wake,
    view,
    settings: ha.memory.settings,
    signal,
    storeFailed: false,
  }
}
