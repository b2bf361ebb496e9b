import { setTimeout as sleep } from 'node:timers/promises'

/** How often a condition is looked at. Nothing outside the processes under test tells us when it came true. */
const LOOK_EVERY_MS = 30

/**
 * Waits until `probe` answers with something true, and returns it.
 * @param what named in the error, for example `n2 streams`
 * @throws when `limitMs` are over; the message holds the last answer or error
 */
export async function until<T>(
  what: string,
  limitMs: number,
  probe: () => Promise<T | null | undefined | false> | T | null | undefined | false,
): Promise<T> {
  const end = performance.now() + limitMs
  let last: unknown
  for (;;) {
    try {
      const answer = await probe()
      if (answer !== null && answer !== undefined && answer !== false) return answer
      last = answer
    } catch (error) {
      last = error
    }
    if (performance.now() > end) {
      throw new Error(
        `not within ${limitMs / 1000} s: ${what} (last: ${last instanceof Error ? last.message : String(last)})`,
      )
    }
    await sleep(LOOK_EVERY_MS)
  }
}

export { sleep }
