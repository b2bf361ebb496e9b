import { LONG_AGO } from '../cluster/time.ts'
import type { Ha } from './world.ts'

/** This member is the leader, as far as it knows by its own clock. */
export function isLeader(ha: Ha): boolean {
  return ha.memory.lease.until > ha.world.clock.now()
}

export function forgetLease(ha: Ha): void {
  ha.memory.lease.until = LONG_AGO
  ha.memory.lease.taken = false
}
