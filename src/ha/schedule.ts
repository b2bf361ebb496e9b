import { later } from '../cluster/time.ts'
import { epochMs, parseTimestamp } from '../cluster/timestamp.ts'
import type { Cycle } from './world.ts'

/** What is to be done about something planned for a moment (spec ha.md 13.2). */
export type Due = 'now' | 'not-yet' | 'missed' | 'unreadable'

/**
 * Whether a plan is due. One that comes due before the next cycle makes that cycle begin at the moment itself.
 * @param what in the words of the log: `restart`, `switchover`
 */
export function whenDue(c: Cycle, at: string, what: string): Due {
  const { clock, log } = c.world
  const plannedMs = plannedTime(at)
  if (plannedMs === null) {
    log.warning(`Incorrect value of scheduled_at: ${at}`)
    return 'unreadable'
  }
  const leftMs = plannedMs - clock.wallMs()
  const loopMs = c.settings.loopWaitMs
  if (leftMs > 0) {
    c.memory.alarm = later(clock.now(), Math.min(leftMs, loopMs))
    log.info(`Awaiting ${what} at ${at} (in ${Math.round(leftMs / 1000)} seconds)`)
    return 'not-yet'
  }
  if (leftMs < -Math.floor((1.5 * loopMs) / 1000) * 1000) {
    log.warning(`Found a stale ${what} value, cleaning up: ${at}`)
    return 'missed'
  }
  log.info(`Manual scheduled ${what} at ${at}`)
  return 'now'
}

/** Wall-clock milliseconds of a planned moment; `null` without a time zone, or when it cannot be read. */
export function plannedTime(at: string): number | null {
  const parsed = parseTimestamp(at)
  return parsed && epochMs(parsed)
}
