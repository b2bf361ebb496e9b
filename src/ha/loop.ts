import { isStarting, roleClass } from '../cluster/instance.ts'
import type { Member } from '../cluster/member.ts'
import { elapsedMs, type Instant, later } from '../cluster/time.ts'
import { isLocked, lockOwner } from '../cluster/view.ts'
import type { StoreEvent } from '../ports/dcs.ts'
import { runCycle } from './cycle.ts'
import { type CycleResult, isHeartbeat } from './messages.ts'
import { raceBackoffLeftMs } from './race.ts'
import { type Ha, withBudget } from './world.ts'

/** While PostgreSQL is coming up nothing tells us when it is there: look again after so long. */
const STARTING_LOOK_MS = 250
/** Followers run a moment after the leader: then what they read is what it has just written. */
const FOLLOWER_DELAY_MS = 500

export interface LoopHooks {
  /** Before a cycle: a reload that was asked for. */
  readonly beforeCycle: () => Promise<void>
  /** After a cycle: apply changed configuration, write the cache. */
  readonly afterCycle: (result: CycleResult) => Promise<void>
}

/**
 * Runs cycles: every `loop_wait` at the latest, at once when something happened (spec ha.md 2.2, 2.3).
 * Created before the decision maker, because that one has to be able to wake it.
 */
export class Loop {
  nextRunAt: Instant = 0 as Instant
  #woken = false
  /** How much later than `nextRunAt` the running cycle began on purpose. */
  #delayMs = 0
  #wakeSleeper: (() => void) | null = null

  /** Runs the next cycle now, or at once after the one that is running. */
  readonly wake = (): void => {
    this.#woken = true
    this.#wakeSleeper?.()
  }

  /** Runs until the signal aborts, or until a cycle says that the agent must end. @returns the exit code */
  async run(ha: Ha, hooks: LoopHooks, signal: AbortSignal): Promise<number> {
    const { clock, log, dcs, postgres } = ha.world
    const unsubscribe = [
      dcs.onChange((event) => void this.#onStoreEvent(ha, event, signal)),
      postgres.onEvent(this.wake),
    ]
    this.nextRunAt = clock.now()
    try {
      while (!signal.aborted) {
        await attempt(ha, hooks.beforeCycle)
        this.#woken = false
        const result = await runCycle(ha, signal)
        log.info(result.text)
        if (result.exit !== undefined) return result.exit
        await attempt(ha, () => hooks.afterCycle(result))
        await this.#wait(ha, result, signal)
      }
      return 0
    } finally {
      for (const end of unsubscribe) end()
    }
  }

  async #wait(ha: Ha, result: CycleResult, signal: AbortSignal): Promise<void> {
    const { clock, log } = ha.world
    this.nextRunAt = later(this.nextRunAt, ha.memory.settings.loopWaitMs)
    const now = clock.now()
    const allowedMs = this.#delayMs
    this.#delayMs = 0
    if (this.nextRunAt <= now) {
      if (later(this.nextRunAt, allowedMs) <= now) log.warning('Loop time exceeded, rescheduling immediately.')
      this.nextRunAt = now
      return
    }
    const delayMs = followsQuietly(ha, result) ? FOLLOWER_DELAY_MS : 0
    const untilMs = this.#timeToNext(ha, now) + delayMs
    if (!this.#woken && !signal.aborted) await this.#sleep(ha, untilMs, signal)
    if (this.#woken || clock.now() < this.nextRunAt) this.nextRunAt = clock.now()
    else this.#delayMs = delayMs
  }

  #timeToNext(ha: Ha, now: Instant): number {
    const { memory, world, actions } = ha
    let untilMs = elapsedMs(now, this.nextRunAt)
    if (memory.alarm !== null) untilMs = Math.min(untilMs, Math.max(elapsedMs(now, memory.alarm), 0))
    const view = memory.store.view
    if (view && !isLocked(view)) untilMs = Math.min(untilMs, raceBackoffLeftMs(ha) ?? untilMs)
    if (actions.name === null && isStarting(world.postgres.state)) untilMs = Math.min(untilMs, STARTING_LOOK_MS)
    return untilMs
  }

  async #sleep(ha: Ha, ms: number, signal: AbortSignal): Promise<void> {
    const awake = new AbortController()
    const end = (): void => awake.abort()
    this.#wakeSleeper = end
    signal.addEventListener('abort', end, { once: true })
    await ha.world.clock.sleep(ms, awake.signal)
    signal.removeEventListener('abort', end)
    this.#wakeSleeper = null
  }

  /**
   * Which changes in the store are worth a cycle: a new or lost leader, changed configuration, a request, and members
   * that came, went or changed what they are. Positions that merely move are not.
   */
  async #onStoreEvent(ha: Ha, event: StoreEvent, signal: AbortSignal): Promise<void> {
    switch (event) {
      case 'leader':
      case 'config':
      case 'failover':
      case 'connection':
        return this.wake()
      case 'sync':
      case 'initialize':
      case 'members':
        return this.#lookAtMembers(ha, signal)
      case 'status':
        return
    }
  }

  #lastMembers = ''
  #look: 'none' | 'running' | 'again' = 'none'

  /** However many events there are: one read at a time, and one more for those that came meanwhile. */
  async #lookAtMembers(ha: Ha, signal: AbortSignal): Promise<void> {
    if (this.#look !== 'none') {
      this.#look = 'again'
      return
    }
    do {
      this.#look = 'running'
      if (await this.#membersChanged(ha, signal)) this.wake()
    } while (this.#mustLookAgain())
    this.#look = 'none'
  }

  #mustLookAgain(): boolean {
    return this.#look === 'again'
  }

  async #membersChanged(ha: Ha, signal: AbortSignal): Promise<boolean> {
    const outcome = await withBudget(ha, 1000, signal, (budget) => ha.world.dcs.load(budget))
    if (outcome.kind !== 'done') return false
    const { members, sync, initialize } = outcome.value
    const seen = JSON.stringify([initialize, sync.version, members.map(essence)])
    const changed = seen !== this.#lastMembers
    this.#lastMembers = seen
    return changed
  }
}

/** What goes wrong around a cycle ends no agent: without the next cycle a primary would lose its lease, and its server. */
async function attempt(ha: Ha, step: () => Promise<void>): Promise<void> {
  try {
    await step()
  } catch (error) {
    ha.world.log.error('Unexpected exception', error)
  }
}

function followsQuietly({ memory, world }: Ha, result: CycleResult): boolean {
  const { view } = memory.store
  return view !== null && isLocked(view) && lockOwner(view) !== world.name && isHeartbeat(result.rule)
}

/** What about a member matters to the others at once. */
function essence({ name, data }: Member): unknown {
  const { state, role, connUrl, apiUrl, tags, checkpointAfterPromote } = data
  return [name, state, role && roleClass(role), connUrl, apiUrl, tags, checkpointAfterPromote]
}
