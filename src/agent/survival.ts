import type { Instant } from '../cluster/time.ts'
import { elapsedMs } from '../cluster/time.ts'
import type { Log } from '../ports/log.ts'

/** The same error again within this time is counted, not told. */
const QUIET_MS = 60_000
/** So many different errors are remembered. */
const KINDS_MAX = 100

interface Told {
  readonly at: Instant
  silent: number
}

/**
 * The last line of defence: an error that nobody caught, in a callback or a promise. The agent goes on. To end would be
 * worse: the lease would no longer be renewed, and the guard would end a healthy primary. To go on is safe: who may
 * write is decided by the lock alone, and whatever state the error left, a cycle that can not renew it ends the primary
 * as before. A cycle is never in the way of this, because it catches its own errors.
 * @returns what to do with such an error
 */
export function survivor(log: Log, now: () => Instant): (error: unknown) => void {
  const told = new Map<string, Told>()
  return (error) => {
    const cause = causeOf(error)
    const at = now()
    const before = told.get(cause)
    if (before && elapsedMs(before.at, at) < QUIET_MS) {
      before.silent += 1
      return
    }
    if (told.size >= KINDS_MAX) told.clear()
    told.set(cause, { at, silent: 0 })
    const again = before && before.silent > 0 ? `, ${before.silent} more times since it was told last` : ''
    log.error(`Unexpected exception, the agent goes on: ${cause}${again}`, error)
  }
}

/** One line, of a length that can be read, whatever was thrown. */
function causeOf(error: unknown): string {
  let text: string
  try {
    text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  } catch {
    text = `a ${typeof error} that can not be printed`
  }
  return text.replaceAll(/\s+/g, ' ').slice(0, 300)
}
