import type { Instant } from '../../src/cluster/time.ts'
import type { HostClock } from './clock.ts'
import type { Process } from './process.ts'

/** How long a call may wait. */
export interface Limit {
  readonly deadline?: Instant
  readonly signal: AbortSignal
}

/**
 * A call of a port out of a process into the world. `begin` starts it and may finish at any later event; at the
 * deadline or when the signal aborts the call ends with `late()` instead, and the finish that comes after is nobody's.
 */
export function callWorld<T>(
  process: Process,
  clock: HostClock,
  limit: Limit,
  late: () => T,
  begin: (finish: (value: T) => void) => void,
): Promise<T> {
  if (limit.signal.aborted) return Promise.resolve(late())
  return new Promise<T>((resolve) => {
    const end = (value: T): void => {
      if (timer) timer.cancelled = true
      limit.signal.removeEventListener('abort', onAbort)
      resolve(value)
    }
    const onAbort = (): void => {
      end(late())
    }
    const timer = limit.deadline === undefined ? null : process.after(clock.msUntil(limit.deadline), () => end(late()))
    limit.signal.addEventListener('abort', onAbort)
    begin((value) => {
      process.deliver(() => end(value))
    })
  })
}
