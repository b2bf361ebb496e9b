import { primaryStopLimitMs, syncMode } from '../cluster/settings.ts'
import { elapsedMs } from '../cluster/time.ts'
import type { ShutdownPositions, StopMode } from '../ports/postgres.ts'
import { forgetLease } from './lease.ts'
import { releaseLock, renewLock } from './lock.ts'
import { repairDivergence, requestDivergenceCheck } from './rewind.ts'
import { writeLastLsn } from './status.ts'
import { successorHas } from './successors.ts'
import { setNames } from './sync/names.ts'
import { chooseUpstream } from './upstream.ts'
import { freshCycle } from './view-loading.ts'
import { deadlineEvent } from './waiting.ts'
import { type Cycle, did, type Ha, holdsLock } from './world.ts'

/** Why and how a primary is stopped (spec ha.md 10.1). */
export type DemotionMode = 'offline' | 'graceful' | 'immediate' | 'immediate-nolock' | 'demote-cluster'

interface Manner {
  readonly stop: StopMode
  readonly checkpoint: boolean
  readonly releases: boolean
  /** Runs beside the loop: takes the cycle's mutex before it touches the leader key. */
  readonly background: boolean
}

const MANNERS: Record<DemotionMode, Manner> = {
  offline: { stop: 'fast', checkpoint: false, releases: false, background: false },
  graceful: { stop: 'fast', checkpoint: true, releases: true, background: true },
  immediate: { stop: 'immediate', checkpoint: false, releases: true, background: false },
  'immediate-nolock': { stop: 'immediate', checkpoint: false, releases: false, background: false },
  'demote-cluster': { stop: 'fast', checkpoint: false, releases: false, background: true },
}

/** How long the others get to take a key that was given back, before this member looks at the cluster again. */
const SUCCESSION_MS = 2000

/**
 * Stops being a primary, lets somebody else become one, and comes back as a standby (spec ha.md 10.2).
 * @returns false when the server could not be stopped: then it is what it was
 */
export async function demote(c: Cycle, mode: DemotionMode, signal: AbortSignal): Promise<boolean> {
  const { world, settings } = c
  const { postgres, log } = world
  const manner = MANNERS[mode]
  log.info(`Demoting self (${mode})`)
  did(c, 'demote', { mode })
  await requestDivergenceCheck(c, signal)
  // Who follows by the archive alone needs all of it, and the server may take its time to hand it over.
  const archives = mode === 'demote-cluster' && (await postgres.isArchiving(signal))
  const wholeCluster = mode === 'demote-cluster'
  const release = new EarlyRelease(c, manner, wholeCluster ? 'checkpoint' : 'previous')
  // A standby cluster wants a leader too: whoever has everything may be it while this server comes back.
  const mayReleaseEarly = wholeCluster ? !archives : manner.releases && manner.stop === 'fast'
  const stopBegun = world.clock.now()
  const stopped = await postgres.stop(
    {
      mode: manner.stop,
      checkpoint: manner.checkpoint,
      limitMs: archives ? null : primaryStopLimitMs(settings),
      onSafePoint: () => world.fence.disable(),
      ...(mayReleaseEarly
        ? { onShutdownCheckpoint: (positions: ShutdownPositions) => release.tryNow(positions, signal) }
        : {}),
    },
    signal,
  )
  const tookMs = Math.round(elapsedMs(stopBegun, world.clock.now()))
  did(c, 'stop PostgreSQL', { mode: manner.stop, outcome: stopped, tookMs })
  if (stopped !== 'stopped') {
    // While it may still take writes the key stays, the guard stays, and commits go on waiting for their standbys.
    log.error('PostgreSQL could not be stopped for the demotion')
    return false
  }
  postgres.setRole('demoted')
  const wanted = (mode === 'graceful' || wholeCluster) && !release.done
  const positions = wanted ? await postgres.shutdownPositions(signal) : null
  if (wholeCluster && !release.done) await keepLock(c, positions)
  else forgetLease(c)
  if (manner.releases && !release.done) await release.now(positions?.previous ?? null, signal)
  if (release.done) await deadlineEvent(c, SUCCESSION_MS, signal, ['leader'])
  if (archives) did(c, 'archive the shutdown checkpoint', { archived: await postgres.archiveLatestCheckpoint(signal) })
  else if (wholeCluster) log.info('Not archiving latest checkpoint WAL file. Archiving is not configured.')
  if (syncMode(settings) !== 'off') await setNames(c, null)
  await comeBack(c, mode, signal)
  return true
}

/** The former primary of what is a standby cluster now stays its leader, and says how far it got. */
async function keepLock(c: Cycle, positions: ShutdownPositions | null): Promise<void> {
  if ((await renewLock(c)) === 'done' && positions) await writeLastLsn(c, positions.checkpoint)
}

/** Gives the leader key away while the stopped server is still archiving, once a successor has everything. */
class EarlyRelease {
  done = false
  readonly #c: Cycle
  readonly #manner: Manner
  /** Which of the two positions counts as the last one. */
  readonly #last: keyof ShutdownPositions

  constructor(c: Cycle, manner: Manner, last: keyof ShutdownPositions) {
    this.#c = c
    this.#manner = manner
    this.#last = last
  }

  async tryNow(positions: ShutdownPositions, signal: AbortSignal): Promise<boolean> {
    if (this.done) return true
    if (!(await successorHas(this.#c, positions.checkpoint))) return false
    this.#c.world.postgres.setRole('demoted')
    await this.now(positions[this.#last], signal)
    return true
  }

  async now(lastLsn: ShutdownPositions['previous'] | null, signal: AbortSignal): Promise<void> {
    this.done = true
    const release = (): Promise<void> => releaseLock(this.#c, signal, lastLsn)
    if (!this.#manner.background) return release()
    // Cancelled: whoever did that holds the mutex, and decides himself what becomes of the lock.
    this.done = await this.#c.mutex.runUnlessAborted(release, signal)
  }
}

async function comeBack(c: Cycle, mode: DemotionMode, signal: AbortSignal): Promise<void> {
  const { postgres } = c.world
  if (mode === 'immediate' || mode === 'immediate-nolock' || mode === 'offline') {
    const started = c.actions.begin('starting after demotion', async (begun) => {
      const fresh = mode === 'offline' ? null : await freshCycle(c, begun)
      const upstream = fresh ? chooseUpstream(fresh) : null
      const outcome = await postgres.follow({ upstream, role: 'replica', timeoutMs: null, reload: false }, begun)
      return outcome !== 'failed'
    })
    if (started.kind === 'busy')
      c.world.log.info(`Starting after demotion is left to the next cycle: ${started.running}`)
    return
  }
  const fresh = await freshCycle(c, signal)
  if (fresh && (await needsRepair(fresh))) return
  const upstream = fresh ? chooseUpstream(fresh) : null
  const role = mode === 'demote-cluster' && fresh && holdsLock(fresh) ? 'standby_leader' : 'replica'
  await postgres.follow({ upstream, role, timeoutMs: null, reload: false }, signal)
}

/** The slot is ours while we demote in the background, so a rewind cannot begin: the next cycle recovers. */
async function needsRepair(c: Cycle): Promise<boolean> {
  await repairDivergence(c)
  return c.memory.divergence.state === 'needed'
}

/** For work that must end before a demotion, whoever runs it. */
export async function endLongAction(ha: Ha): Promise<void> {
  await ha.world.postgres.cancelStart()
  await ha.actions.cancel()
}
