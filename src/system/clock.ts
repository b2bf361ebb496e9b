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
  const followParent = (): void => controller.abort(parent?.reason)
  const expire = (): void => controller.abort(new DOMException('the time allowed is over', 'TimeoutError'))
  if (parent?.aborted) {
    followParent()
    return { signal: controller.signal, done: () => {} }
  }
  const leftMs = at - performance.now()
  if (leftMs <= 0) {
    expire()
    return { signal: controller.signal, done: () => {} }
  }
  // A deadline further away than a timer can count is never reached by anybody who waits for it.
  const timer = leftMs <= LONGEST_TIMER_MS ? setTimeout(expire, leftMs) : undefined
  parent?.addEventListener('abort', followParent, { once: true })
  controller.signal.addEventListener('abort', done, { once: true })
  function done(): void {
    clearTimeout(timer)
    parent?.removeEventListener('abort', followParent)
    controller.signal.removeEventListener('abort', done)
  }
  return { signal: controller.signal, done }
}
