import type { Instant } from '../cluster/time.ts'

/**
 * What stops a primary that may no longer be one although its agent does not: a watchdog device, the lease guard.
 */
export interface Fence {
  /** Must be on before this server may write. @returns false: it cannot, and the configuration says it must. */
  activate(leaseEnd: Instant): Promise<boolean>
  readonly isRunning: boolean
  /** False only where the fence is required and cannot work. */
  readonly isHealthy: boolean
  /** The lease was confirmed: this server may write until `leaseEnd`. */
  keepAlive(leaseEnd: Instant): Promise<void>
  /** This server does not write any more. */
  disable(): Promise<void>
}
