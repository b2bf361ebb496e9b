import { timeline } from '../../src/cluster/timeline.ts'
import type { RewindOutcome } from '../../src/ports/postgres.ts'
import { callWorld } from '../engine/call.ts'
import type { Local } from './context.ts'
import { copiedDataFiles, newDataFiles } from './data.ts'
import type { PgServer } from './server.ts'
import { duration } from './surroundings.ts'
import { type Branch, commonPoint, FIRST_LSN } from './wal.ts'

const LOOK_MS = 500

/** Whether a client on this host can use that server now. */
export function canReach(local: Local, source: PgServer): boolean {
  const { postmaster } = source
  return (
    local.around.network.isOpenBothWays(local.server.host, source.host) &&
    postmaster?.phase === 'ready' &&
    postmaster.process.isRunning
  )
}

/** Work of `ms` that goes on only while `possible`. @returns whether it came to its end; @param end runs with it */
function work(
  local: Local,
  ms: number,
  signal: AbortSignal,
  possible: () => boolean,
  end: () => void,
): Promise<boolean> {
  const { around, server, process } = local
  return callWorld<boolean>(
    process,
    local.clock,
    { signal },
    () => false,
    (finish) => {
      let left = ms
      const step = (): void => {
        if (!process.isAlive || signal.aborted) return
        if (!possible() || server.disk.isHung) return finish(false)
        if (left > 0) {
          // A disk that is well again makes the rest go faster.
          const { factor } = server.disk
          const part = Math.min(left * factor, LOOK_MS)
          left = part < LOOK_MS ? 0 : left - part / factor
          around.scheduler.after(part, step)
          return
        }
        end()
        finish(true)
      }
      around.scheduler.after(1, step)
    },
  )
}

export function initdb(local: Local, signal: AbortSignal): Promise<boolean> {
  const { around, server } = local
  const branch: Branch = {
    systemIdentifier: `7${String(around.rng.int(1e14, 9e14))}${around.rng.int(100, 999)}`,
    timeline: timeline(1),
    owner: server.host,
    parent: null,
    forkLsn: FIRST_LSN,
    end: FIRST_LSN,
    createdAt: around.scheduler.now,
  }
  return work(
    local,
    duration(around, around.tempo.initdb),
    signal,
    () => true,
    () => {
      around.observer.branchCreated(branch, 'bootstrap')
      server.files = newDataFiles(branch)
    },
  )
}

/** pg_basebackup from a running server, into an empty directory. */
export function baseBackup(local: Local, source: PgServer, signal: AbortSignal): Promise<boolean> {
  const { around, server } = local
  server.files = null
  const took = source.postmaster
  return work(
    local,
    duration(around, around.tempo.baseBackup),
    signal,
    () => canReach(local, source) && source.postmaster === took,
    () => {
      if (source.files) server.files = copiedDataFiles(source.files, source.files.position)
    },
  )
}

/** pg_rewind of a stopped server against a running primary. */
export async function rewindTo(local: Local, source: PgServer, signal: AbortSignal): Promise<RewindOutcome> {
  const { around, server } = local
  const { files } = server
  if (server.postmaster !== null) return { kind: 'postponed', reason: 'PostgreSQL still runs' }
  if (!files) return { kind: 'failed', reason: 'there is no data directory', sourceHealthy: true }
  if (!canReach(local, source) || source.postmaster?.inRecovery)
    return { kind: 'failed', reason: 'the source is not reachable', sourceHealthy: false }
  if (files.state === 'in archive recovery')
    return { kind: 'failed', reason: 'target server must be shut down cleanly', sourceHealthy: true }
  if (source.files && !commonPoint(files.position, source.files.position))
    return { kind: 'failed', reason: 'no common ancestor', sourceHealthy: true }
  if (source.files?.position.branch.timeline === files.position.branch.timeline) return { kind: 'done' }
  const took = source.postmaster
  let copying = false
  const done = await work(
    local,
    duration(around, around.tempo.rewind),
    signal,
    () => {
      if (!canReach(local, source) || source.postmaster !== took) return false
      copying = true
      files.damaged = true
      return true
    },
    () => {
      if (source.files) server.files = copiedDataFiles(source.files, source.files.position)
    },
  )
  if (done) return { kind: 'done' }
  return {
    kind: 'failed',
    reason: copying ? 'broken off while copying' : 'the source went away',
    sourceHealthy: canReach(local, source),
  }
}

/** `postgres --single`: brings a crashed directory to a clean shutdown, on its own timeline. */
export function recoverAlone(local: Local, signal: AbortSignal): Promise<boolean> {
  const { around, server } = local
  return work(
    local,
    duration(around, around.tempo.crashRecovery),
    signal,
    () => server.postmaster === null,
    () => {
      const { files } = server
      if (!files || files.damaged) return
      const { branch, lsn: end } = files.position
      files.standbySignal = false
      files.checkpoint = { start: end, end, timeline: branch.timeline }
      files.state = 'shut down'
    },
  )
}
