import { later } from '../cluster/time.ts'
import type { StoreEvent } from '../ports/dcs.ts'
import type { Ha } from './world.ts'

/** A wait inside of a cycle takes at most half of `loop_wait`: the next cycle is not to be late for it. */
export function insideCycleMs(ha: Ha, wantedMs: number): number {
  return Math.min(wantedMs, ha.memory.settings.loopWaitMs / 2)
}

/** Waits for one of these events in the store, at most `limitMs`. */
export async function deadlineEvent(
  ha: Ha,
  limitMs: number,
  signal: AbortSignal,
  events: readonly StoreEvent[],
): Promise<void> {
  const { clock, dcs } = ha.world
  const happened = new AbortController()
  const unsubscribe = dcs.onChange((event) => {
    if (events.includes(event)) happened.abort()
  })
  const { signal: limit, done } = clock.deadline(later(clock.now(), limitMs), signal)
  const end = (): void => happened.abort()
  limit.addEventListener('abort', end, { once: true })
  try {
    await clock.sleep(limitMs, happened.signal)
  } finally {
    limit.removeEventListener('abort', end)
    done()
    unsubscribe()
  }
}
