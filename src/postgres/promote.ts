import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { elapsedMs } from '../cluster/time.ts'
import type { Timeline } from '../cluster/timeline.ts'
import { C_LOCALE, peekClusterState, readControlData } from './control-data.ts'
import { dataDirectoryModes, errorText } from './files.ts'
import type { Machine } from './machine.ts'
import { passTimelines } from './passed-timelines.ts'
import { signalProcess } from './process-table.ts'
import { forgetPromotion, notePromotion } from './promotion-note.ts'
import { identifyTimeline } from './statements.ts'

const POLL_MS = 10

/**
 * Ends the recovery of a standby (spec postgres.md 1.9): the file `promote` and a signal, which is all that
 * `pg_ctl promote` does from PostgreSQL 12 on, without the time that starting a program takes. Before 12 the program.
 * @param begins the timeline that the promotion will begin; by default PostgreSQL chooses by the files it has
 * @returns `failed` when promotion was not requested, or the server ended before it was over; `promoted` also while
 *          recovery still goes on after `waitMs` (the role stays `promoted` then)
 */
export async function promoteServer(
  machine: Machine,
  waitMs: number,
  signal: AbortSignal,
  begins?: Timeline,
): Promise<'promoted' | 'failed'> {
  const { clock, log, memory, callbacks, postmaster, config } = machine
  if (memory.role === 'promoted' || memory.role === 'primary') return 'promoted'
  if (signal.aborted) {
    log.info('PostgreSQL promote cancelled.')
    return 'failed'
  }
  const refusal = await requestPromotion(machine, begins, signal)
  if (refusal !== null) {
    log.error(`Promotion was not requested: ${refusal}`)
    return 'failed'
  }
  memory.setRole('promoted')
  callbacks.fire('on_role_change', 'primary')
  const { dataDir } = config().postgresql
  const since = clock.now()
  while (elapsedMs(since, clock.now()) < waitMs && !signal.aborted) {
    const state = await clusterState(machine, dataDir, signal)
    if (state === 'in production') {
      memory.setRole('primary')
      await forgetPromotion(dataDir)
      return 'promoted'
    }
    if (!postmaster.current()) {
      log.error('PostgreSQL ended while it was promoted')
      return 'failed'
    }
    await clock.sleep(POLL_MS, signal)
  }
  return 'promoted'
}

/** @returns why it could not be requested; `null`: it was */
async function requestPromotion(
  machine: Machine,
  begins: Timeline | undefined,
  signal: AbortSignal,
): Promise<string | null> {
  const { dataDir } = machine.config().postgresql
  try {
    if (begins === undefined) return await signalPromotion(machine, dataDir, signal)
    const own = await identifyTimeline(machine, signal)
    if (own === null) return 'its timeline could not be identified'
    const passed = await passTimelines(dataDir, own, begins)
    if ('refusal' in passed) return passed.refusal
    const refusal = await signalPromotion(machine, dataDir, signal)
    if (refusal !== null) await passed.undo()
    return refusal
  } catch (error) {
    return errorText(error)
  }
}

/** @returns why it could not be done; `null`: it was */
async function signalPromotion(machine: Machine, dataDir: string, signal: AbortSignal): Promise<string | null> {
  const { files, postmaster } = machine
  if (files.majorVersion() < 120000) return requestByProgram(machine, dataDir, signal)
  const running = postmaster.current()
  if (!running || running.singleUser) return 'PostgreSQL is not running'
  const state = await clusterState(machine, dataDir, signal)
  if (state !== 'in archive recovery') return `the cluster state is "${state ?? 'unknown'}", not "in archive recovery"`
  const file = join(dataDir, 'promote')
  await notePromotion(dataDir, running)
  await writeFile(file, '', { mode: (await dataDirectoryModes(dataDir)).file })
  // The file alone promotes nothing; the signal does, and up to it a lost lock still counts.
  if (!signal.aborted && signalProcess(running.pid, 'SIGUSR1') === 'sent') return null
  await rm(file, { force: true })
  await forgetPromotion(dataDir)
  return signal.aborted ? 'it was cancelled' : 'PostgreSQL cannot be signalled'
}

async function requestByProgram(machine: Machine, dataDir: string, signal: AbortSignal): Promise<string | null> {
  const { binaries, runner } = machine
  const argv = [binaries.path('pg_ctl'), 'promote', '-D', dataDir, '-W']
  const { code, stderr } = await runner.run(argv, { env: C_LOCALE, signal })
  return code === 0 ? null : `pg_ctl promote ended with ${code}: ${stderr.trim()}`
}

async function clusterState(machine: Machine, dataDir: string, signal: AbortSignal): Promise<string | null> {
  const { runner, binaries } = machine
  const peeked = await peekClusterState(dataDir)
  return peeked ?? (await readControlData(runner, binaries, dataDir, signal))?.clusterState ?? null
}
