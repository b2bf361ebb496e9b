import { follow } from './follow.ts'
import { type CycleResult, result } from './messages.ts'
import type { Cycle } from './world.ts'

/** The lock owner of a standby cluster follows the remote primary and never promotes (spec ha.md 7.5). */
export function enforceStandbyLeader(c: Cycle, following: CycleResult): Promise<CycleResult> {
  return follow(c, { demoting: result('not-primary-following-remote'), following, refresh: true })
}
