import { EMPTY_VIEW, isLocked, isSystemIdentifier, memberNamed } from '../cluster/view.ts'
import { continueBootstrap } from './bootstrap.ts'
import { foreignData, leftStopped, missingData } from './directory.ts'
import { forgetFailsafe } from './failsafe.ts'
import { locked } from './leader.ts'
import { isLeader } from './lease.ts'
import { publishMember } from './member-key.ts'
import { forgetLostLock } from './memory.ts'
import { type CycleResult, result } from './messages.ts'
import { race } from './race.ts'
import { recover } from './recover.ts'
import { CycleRecorder } from './replay/recorder.ts'
import { scheduledRestart } from './scheduled-restart.ts'
import { stillStarting } from './starting.ts'
import { storeOutage } from './store-outage.ts'
import { tail } from './tail.ts'
import { verifyStart } from './verify-start.ts'
import { loadView, newCycle, reloadView } from './view-loading.ts'
import { whileBusy } from './while-busy.ts'
import { type Cycle, type Ha, holdsLock, inStore, saw } from './world.ts'

/** One cycle: reads the cluster, decides, acts (spec ha.md 3). Runs under the mutex; never throws. */
export function runCycle(ha: Ha, signal: AbortSignal): Promise<CycleResult> {
  return ha.mutex.run(async () => {
    const { journal } = ha.world
    const recorder = journal.keepsRecordings ? new CycleRecorder(ha) : null
    const recorded = recorder?.ha ?? ha
    const { clock } = recorded.world
    const startedAt = clock.now()
    const outcome = await guarded(recorded, () => cycle(recorded, signal))
    const text = ha.memory.settings.paused ? `PAUSE: ${outcome.text}` : outcome.text
    const result = { rule: outcome.rule, text }
    const recording = recorder && { recording: () => recorder.recording(result) }
    try {
      journal.endCycle({ ...result, startedAt, endedAt: clock.now(), ...recording })
    } catch (error) {
      ha.world.log.error('The cycle could not be written into the journal', error)
    }
    recorder?.end()
    return { ...outcome, text }
  })
}

async function guarded(ha: Ha, work: () => Promise<CycleResult>): Promise<CycleResult> {
  try {
    return await work()
  } catch (error) {
    ha.world.log.error('Unexpected exception', error)
    return result('unexpected')
  }
}

async function cycle(ha: Ha, signal: AbortSignal): Promise<CycleResult> {
  const { memory, world } = ha
  memory.own.previousLsn = memory.own.lsn
  memory.alarm = null
  world.postgres.forgetObservation()
  const view = await loadView(ha, signal)
  if (!view) return storeOutage(newCycle(ha, EMPTY_VIEW, signal))
  if (isLocked(view)) forgetLostLock(memory)
  const c = newCycle(ha, view, signal)
  // Whatever went wrong: a member whose key ends is gone for the others, and with it its slots and its vote.
  const outcome = await guarded(ha, () => decideAndAct(c))
  if (!c.storeFailed) await endOfCycle(c)
  return outcome
}

async function decideAndAct(c: Cycle): Promise<CycleResult> {
  await prepare(c)
  const outcome = await decide(c)
  return c.storeFailed ? outcome : tail(c, outcome)
}

/** The branches, in order (spec ha.md 3.3 to 3.10); the first that has something to say ends the decision. */
async function decide(c: Cycle): Promise<CycleResult> {
  const { actions, memory, world } = c
  if (actions.name !== null) return whileBusy(c, actions.name)
  const early = (await stillStarting(c)) ?? (memory.bootstrap.active ? await continueBootstrap(c) : null)
  if (early) return early
  const unusable = (await verifyStart(c)) ?? (await missingData(c)) ?? (await foreignData(c))
  if (unusable) return unusable
  if (!world.postgres.isAlive()) {
    world.log.warning('Postgresql is not running.')
    const { role, state } = world.postgres
    saw(c, 'PostgreSQL is not running', { role, state, holdsLock: holdsLock(c) })
    return (await leftStopped(c)) ?? recover(c)
  }
  if (!isLocked(c.view)) return race(c)
  const decided = await locked(c)
  return (c.storeFailed ? null : await scheduledRestart(c)) ?? decided
}

/** Spec ha.md 3.2. */
async function prepare(c: Cycle): Promise<void> {
  const { memory, settings, world } = c
  const { postgres, dcs, fence } = world
  if (settings.paused) {
    await fence.disable()
    memory.wasPaused = true
  } else if (memory.wasPaused) {
    postgres.scheduleSlotReload()
    postgres.forgetSystemIdentifier()
    memory.divergence.state = 'idle'
    memory.wasPaused = false
  }
  if (!memberNamed(c.view, world.name)) await publishMember(c, c.signal)
  if (!holdsLock(c)) return
  const { initialize, config } = c.view
  if (!isSystemIdentifier(initialize)) {
    const own = await postgres.systemIdentifier(c.signal)
    const createOnly = initialize === null
    if (isSystemIdentifier(own)) await inStore(c, (budget) => dcs.writeInitialize(own, { createOnly }, budget))
  }
  if (!config?.valid || Object.keys(config.document).length === 0) {
    await inStore(c, (budget) => dcs.writeConfig(memory.dynamicConfig, null, budget))
    await reloadView(c)
  }
}

async function endOfCycle(c: Cycle): Promise<void> {
  if (isLeader(c)) forgetFailsafe(c)
  await publishMember(c, c.signal)
}
