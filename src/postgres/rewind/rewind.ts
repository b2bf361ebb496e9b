import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Lsn, ZERO_LSN } from '../../cluster/lsn.ts'
import type { Clock } from '../../ports/clock.ts'
import type { LocalPosition, RewindOutcome, RewindSource, ServerRole, Upstream } from '../../ports/postgres.ts'
import { moveDataDirectoryAside } from '../clone/remove-data-directory.ts'
import { C_LOCALE } from '../control-data.ts'
import { rewindUser, upstreamKeywords } from '../credentials.ts'
import { errorText, syncDirectory } from '../files.ts'
import type { ConnectionKeywords, InstanceMemory, Server, SqlConnector } from '../parts.ts'
import { dataFingerprint, type WorkNote } from '../unfinished-work.ts'
import { majorOf, type ServerVersion } from '../version.ts'
import { archiveCommand, archiveReadySegments, archiveSegment } from './archive.ts'
import { hasBegunToWrite, type RewindTools, runPgRewind } from './pg-rewind.ts'
import { paddedLsn, recordEnd, stoppedPosition } from './position.ts'
import { createSourceQuestions } from './source.ts'
import type { StartGuard } from './start-guard.ts'

export interface RewindDependencies extends RewindTools {
  readonly server: () => Server
  readonly memory: InstanceMemory
  readonly connector: SqlConnector
  readonly clock: Clock
  readonly majorVersion: () => ServerVersion
  readonly note: () => WorkNote
  readonly guard: StartGuard
  /** Writes the files of a standby of this server: a former primary's name no restore_command. */
  readonly configureAsStandby: (upstream: Upstream, signal: AbortSignal) => Promise<void>
}

/** Taking a diverged server back into the history of another one (spec postgres.md 6). Whether to, is decided in ha/. */
export interface Rewind {
  canRewind(signal: AbortSignal): Promise<boolean>
  localPosition(signal: AbortSignal): Promise<LocalPosition | null>
  shutdownCheckpointEnd(position: LocalPosition, signal: AbortSignal): Promise<Lsn>
  source(upstream: Upstream, signal: AbortSignal): Promise<RewindSource>
  roleOf(upstream: Upstream, signal: AbortSignal): Promise<ServerRole>
  rewind(upstream: Upstream, signal: AbortSignal): Promise<RewindOutcome>
  archiveReadySegments(signal: AbortSignal): Promise<void>
  isArchiving(signal: AbortSignal): Promise<boolean>
  archiveLatestCheckpoint(signal: AbortSignal): Promise<boolean>
}

export function createRewind(deps: RewindDependencies): Rewind {
  const { runner, binaries, log } = deps
  const questions = createSourceQuestions(deps)
  const dataDir = (): string => deps.config().postgresql.dataDir
  let helpWorks: { readonly path: string; readonly works: boolean } | undefined

  async function canRewind(signal: AbortSignal): Promise<boolean> {
    if (!deps.config().postgresql.useRewind) return false
    const path = binaries.path('pg_rewind')
    if (!helpWorks?.works || helpWorks.path !== path)
      helpWorks = { path, works: (await runner.run([path, '--help'], { signal })).code === 0 }
    if (!helpWorks.works) return false
    const control = await deps.server().controlData(signal)
    return control !== null && (control.walLogHints || control.dataChecksums)
  }

  async function runningPosition(signal: AbortSignal): Promise<LocalPosition | null> {
    const server = deps.server()
    server.forgetObservation()
    const seen = await server.observe(signal)
    if (seen.kind !== 'observed' || !seen.observation.inRecovery) return null
    const timeline = await server.identifyTimeline(signal)
    return timeline && { timeline, lsn: seen.observation.replayedLsn, inRecovery: true }
  }

  async function localPosition(signal: AbortSignal): Promise<LocalPosition | null> {
    const server = deps.server()
    if (server.isAlive()) {
      const position = await runningPosition(signal)
      const { state } = deps.memory
      if (position || (state !== 'starting' && state !== 'starting after custom bootstrap')) return position
      log.info('PostgreSQL is still starting, will use pg_controldata as a fallback')
    }
    return stoppedPosition(await server.controlData(signal))
  }

  async function shutdownCheckpointEnd(position: LocalPosition, signal: AbortSignal): Promise<Lsn> {
    const { timeline, lsn } = position
    const argv = [binaries.path('pg_waldump'), '-t', String(timeline), '-s', paddedLsn(lsn), '-n', '2']
    const result = await runner.run(argv, { env: { ...C_LOCALE, PGDATA: dataDir() }, signal })
    const end = recordEnd(lsn, result.stdout, result.stderr)
    if (end === ZERO_LSN)
      log.error(`Failed to find the end of the shutdown checkpoint: ${result.stdout}${result.stderr}`)
    return end
  }

  async function rewind(upstream: Upstream, signal: AbortSignal): Promise<RewindOutcome> {
    const server = deps.server()
    if (server.isAlive()) {
      const stopped = await server.stop({ mode: 'fast', checkpoint: false, limitMs: null }, signal)
      if (stopped !== 'stopped') return { kind: 'postponed', reason: 'PostgreSQL is still running' }
    }
    await deps.guard.tidyUp()
    const user = rewindUser(deps.config(), deps.majorVersion())
    const source = upstreamKeywords(upstream, user, deps.config())
    if (!source) return { kind: 'postponed', reason: 'it has no address' }
    const unready = upstream.kind === 'remote' ? await questions.prepareRemote(upstream, signal) : null
    if (unready) return { kind: 'postponed', reason: unready }
    const found = await questions.inspect(upstream, signal)
    if (found.kind === 'in-recovery') return { kind: 'postponed', reason: 'is_in_recovery=true' }
    if (found.kind === 'unreachable') return { kind: 'postponed', reason: found.reason }
    await archiveReadySegments(deps, signal)
    await deps.configureAsStandby(upstream, signal)
    return execute(upstream, source, found.timeline, signal)
  }

  async function execute(
    upstream: Upstream,
    source: ConnectionKeywords,
    timeline: number,
    signal: AbortSignal,
  ): Promise<RewindOutcome> {
    const note = deps.note()
    const earlier = await note.read()
    if (earlier?.kind === 'rewind' && earlier.timeline !== timeline)
      return giveUp('it was half rewound to a server that is no longer the primary', true)
    const before = await dataFingerprint(dataDir())
    const wasClean = (await deps.server().controlData(signal))?.clusterState.startsWith('shut down') ?? false
    try {
      if (!earlier) await note.write({ kind: 'rewind', fingerprint: before, timeline })
    } catch (error) {
      return { kind: 'postponed', reason: errorText(error) }
    }
    const result = await runPgRewind(deps, source, deps.majorVersion(), signal)
    if (result.code === 0) {
      await dropOldSlots()
      await note.remove()
      await questions.writeOn(upstream, signal)
      return { kind: 'done' }
    }
    const reason = `pg_rewind ${result.failure ?? `exited with code=${result.code}`}`
    const changed = (await dataFingerprint(dataDir())) !== before
    const isHalfDone = earlier !== null || hasBegunToWrite(result) || (changed && wasClean)
    // pg_rewind may have made the shutdown clean itself: that is no damage
    if (!isHalfDone) await note.remove()
    const sourceHealthy = await isHealthy(upstream, timeline, signal)
    if (isHalfDone && sourceHealthy && !signal.aborted) return giveUp(reason, sourceHealthy)
    return { kind: 'failed', reason, sourceHealthy }
  }

  async function isHealthy(upstream: Upstream, timeline: number, signal: AbortSignal): Promise<boolean> {
    const now = await questions.inspect(upstream, signal)
    return now.kind === 'primary' && now.timeline === timeline
  }

  /** A mixture of two histories is of no use to anybody but an investigator: it makes room for a copy. */
  async function giveUp(reason: string, sourceHealthy: boolean): Promise<RewindOutcome> {
    log.error(`${dataDir()} is half rewound and cannot be used any more: ${reason}`)
    await moveDataDirectoryAside(dataDir(), log)
    await deps.note().remove()
    deps.memory.setRole('uninitialized')
    return { kind: 'failed', reason, sourceHealthy }
  }

  /** Before 11 pg_rewind copies the source's slots: they would hold back WAL for nobody. */
  async function dropOldSlots(): Promise<void> {
    if (majorOf(deps.majorVersion()) >= 110000) return
    const slots = join(dataDir(), 'pg_replslot')
    for (const name of await readdir(slots)) await rm(join(slots, name), { recursive: true, force: true })
    await syncDirectory(slots)
  }

  return {
    canRewind,
    localPosition,
    shutdownCheckpointEnd,
    source: (upstream, signal) => questions.inspect(upstream, signal),
    roleOf: (upstream, signal) => questions.roleOf(upstream, signal),
    rewind,
    archiveReadySegments: (signal) => archiveReadySegments(deps, signal),
    isArchiving: async (signal) => (await archiveCommand(deps, signal)) !== null,
    async archiveLatestCheckpoint(signal) {
      const control = await deps.server().controlData(signal)
      const segment = control?.items["Latest checkpoint's REDO WAL file"]
      return segment !== undefined && archiveSegment(deps, segment, signal)
    },
  }
}
