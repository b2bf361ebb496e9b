import { callWorld, type Limit } from '../engine/call.ts'
import type { HostClock } from '../engine/clock.ts'
import type { Process } from '../engine/process.ts'
import type { Postmaster } from './postmaster.ts'
import type { PgServer } from './server.ts'
import type { PgSurroundings } from './surroundings.ts'

/** What the agent's side of PostgreSQL works with: its own process and clock, and the server beside it. */
export interface Local {
  readonly process: Process
  readonly clock: HostClock
  readonly server: PgServer
  readonly around: PgSurroundings
}

/** Waits in the agent's process; ends early when the signal aborts. */
export function pause(local: Local, ms: number, signal: AbortSignal): Promise<void> {
  return callWorld<void>(
    local.process,
    local.clock,
    { signal },
    () => {},
    (finish) => local.around.scheduler.after(ms, () => finish()),
  )
}

/** Waits until the condition holds, looking whenever something about the server changes. @returns whether it holds */
export async function waitUntil(local: Local, condition: () => boolean, limit: Limit): Promise<boolean> {
  if (condition()) return true
  let end = (): void => {}
  const holds = await callWorld<boolean>(local.process, local.clock, limit, condition, (finish) => {
    end = local.server.onChange(() => {
      if (condition()) finish(true)
    })
  })
  end()
  return holds
}

/** A client of the server asks something; `null` when there is no answer: it is not up, it hangs, it ends meanwhile. */
export async function askServer<T>(
  local: Local,
  limit: Limit,
  ms: number,
  answer: (postmaster: Postmaster) => T,
): Promise<T | null> {
  const { postmaster } = local.server
  if (postmaster?.phase !== 'ready') return null
  let end = (): void => {}
  const got = await callWorld<T | null>(
    local.process,
    local.clock,
    limit,
    () => null,
    (finish) => {
      end = local.server.onChange(() => {
        if (postmaster.phase === 'ended') finish(null)
      })
      postmaster.process.after(ms, () => finish(postmaster.phase === 'ready' ? answer(postmaster) : null))
    },
  )
  end()
  return got
}

/** Reads a file of the data directory: at once, or not before the disk answers again. */
export function readFile<T>(local: Local, limit: Limit, read: () => T | null): Promise<T | null> {
  return callWorld<T | null>(
    local.process,
    local.clock,
    limit,
    () => null,
    (finish) => local.server.disk.io(local.process, 0.3, () => finish(read())),
  )
}
