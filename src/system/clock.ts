import { performance } from 'node:perf_hooks'
import type { Instant } from '../cluster/time.ts'
import type { Clock } from '../ports/clock.ts'

/** Node's timers count in a signed 32-bit number; a longer delay would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** The real clock: monotonic time by `performance.now`, timers of the event loop. */
export const systemClock: Clock = {
  now: () => performance.now() as Instant,
  wallMs: () => Date.now(),
  sleep,
  deadline,
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted || ms <= 0) return Promise.resolve()
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, Math.min(ms, LONGEST_TIMER_MS))
    signal.addEventListener('abort', end, { once: true })
  })
}

/** The reason of an abort by time is a `TimeoutError`; a parent's reason is passed on untouched. */
function deadline(at: Instant, parent?: AbortSignal): { readonly signal: AbortSignal; readonly done: () => void } {
  const controller = new AbortController()
  const { signal } = controller
  const end = (reason: unknown): void => {
    done()
    controller.abort(reason)
  }
  const followParent = (): void => end(parent?.reason)
  const expire = (): void => end(new DOMException('the time allowed is over', 'TimeoutError'))
  const leftMs = at - performance.now()
  let timer: NodeJS.Timeout | undefined
  if (parent?.aborted) followParent()
  else if (leftMs <= 0) expire()
  else {
    // A deadline further away than a timer can count is never reached by anybody who waits for it.
    if (leftMs <= LONGEST_TIMER_MS) timer = setTimeout(expire, leftMs)
    parent?.addEventListener('abort', followParent, { once: true })
  }
  function done(): void {
    clearTimeout(timer)
    parent?.removeEventListener('abort', followParent)
  }
  return { signal, done }
}
