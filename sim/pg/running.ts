import { later } from '../../src/cluster/time.ts'
import { type Timeline, timeline } from '../../src/cluster/timeline.ts'
import type { ShutdownPositions, StartOutcome, StopRequest } from '../../src/ports/postgres.ts'
import { askServer, type Local, pause, waitUntil } from './context.ts'

/** `pg_ctl_timeout`. */
export const DEFAULT_START_MS = 60_000
const POLL_MS = 100
const IMMEDIATE_STOP_MS = 5000

/** Launches the server with the files as they are and waits for it. */
export async function startServer(local: Local, timeoutMs: number | null, signal: AbortSignal): Promise<StartOutcome> {
  const { server, clock } = local
  if (server.postmaster === null && !server.launch()) return 'failed'
  const deadline = later(clock.now(), timeoutMs || DEFAULT_START_MS)
  await waitUntil(local, () => server.postmaster?.phase !== 'starting', { deadline, signal })
  if (server.postmaster === null) return 'failed'
  return server.postmaster.phase === 'starting' ? 'starting' : 'running'
}

/** Stops the server, harder and harder when the limit is over. @returns whether no postmaster is left */
export async function stopServer(local: Local, request: StopRequest, signal: AbortSignal): Promise<boolean> {
  const { server, clock } = local
  const began = clock.now()
  const gone = (): boolean => server.postmaster === null
  // An immediate stop does not wait for a suspended postmaster.
  const limitMs = request.limitMs ?? (request.mode === 'immediate' ? IMMEDIATE_STOP_MS : null)
  const within = (): { readonly signal: AbortSignal; readonly deadline?: ReturnType<typeof later> } =>
    limitMs === null ? { signal } : { signal, deadline: later(began, limitMs) }
  const safe = oncePoint(request.onSafePoint)
  if (server.postmaster !== null && request.checkpoint && server.postmaster.phase === 'ready')
    await takeCheckpoint(local, within())
  if (server.postmaster !== null) {
    server.postmaster.stop(request.mode === 'smart' ? 'fast' : request.mode)
    const closed = await waitUntil(local, () => server.postmaster?.clientsAreGone ?? true, within())
    if (closed) await safe()
    if (request.onShutdownCheckpoint && request.mode !== 'immediate')
      await offerEarlyRelease(local, request.onShutdownCheckpoint, within())
    if (!(await waitUntil(local, gone, within())) && !signal.aborted) await harder(local, request.mode, signal)
  }
  if (!gone()) return false
  await safe()
  return true
}

async function harder(local: Local, mode: StopRequest['mode'], signal: AbortSignal): Promise<void> {
  const { server, clock } = local
  const gone = (): boolean => server.postmaster === null
  if (mode !== 'immediate') {
    server.postmaster?.stop('immediate')
    await waitUntil(local, gone, { signal, deadline: later(clock.now(), 5000) })
  }
  if (!gone()) server.kill()
}

async function offerEarlyRelease(
  local: Local,
  offer: (positions: ShutdownPositions) => Promise<boolean>,
  limit: { readonly signal: AbortSignal },
): Promise<void> {
  const { server } = local
  await waitUntil(
    local,
    () => server.postmaster === null || server.files?.state.startsWith('shut down') === true,
    limit,
  )
  while (server.postmaster !== null && server.files?.state === 'shut down' && !limit.signal.aborted) {
    const { checkpoint } = server.files
    if (await offer({ checkpoint: checkpoint.start, previous: checkpoint.start })) return
    await pause(local, POLL_MS, limit.signal)
  }
}

export async function takeCheckpoint(local: Local, limit: { readonly signal: AbortSignal }): Promise<boolean> {
  const { postmaster } = local.server
  if (postmaster?.phase !== 'ready') return false
  let done = false
  postmaster.checkpoint(() => {
    done = true
    local.server.changed()
  })
  await waitUntil(local, () => done || postmaster.phase !== 'ready', limit)
  return done
}

export async function promoteServer(
  local: Local,
  waitMs: number,
  signal: AbortSignal,
  begins: Timeline,
): Promise<boolean> {
  const { server, clock } = local
  // History files of the numbers in between make PostgreSQL pass them over.
  if (server.files) server.files.newestTimeline = timeline(Math.max(server.files.newestTimeline, begins - 1))
  server.postmaster?.promote()
  return waitUntil(local, () => server.isWritable, { signal, deadline: later(clock.now(), waitMs) })
}

export function reloadServer(local: Local): void {
  local.server.postmaster?.reload()
}

/** `pg_isready`. */
export async function isReady(local: Local, signal: AbortSignal): Promise<'accepting' | 'rejecting' | 'no answer'> {
  if (local.server.postmaster === null) return 'no answer'
  const deadline = later(local.clock.now(), 3000)
  const answered = await askServer(local, { signal, deadline }, 2, () => true)
  if (answered) return 'accepting'
  return local.server.postmaster?.process.isRunning ? 'rejecting' : 'no answer'
}

function oncePoint(hook: (() => Promise<void>) | undefined): () => Promise<void> {
  let called = false
  return async () => {
    if (called) return
    called = true
    await hook?.()
  }
}
