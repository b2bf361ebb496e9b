import type { Instant } from '../../src/cluster/time.ts'
import type { Fence } from '../../src/ports/fence.ts'
import type { HostClock } from '../engine/clock.ts'
import { Process } from '../engine/process.ts'
import type { Scheduler, Timer } from '../engine/scheduler.ts'
import type { PgServer } from '../pg/server.ts'

/** How long before the end of the lease the guard strikes: clocks drift, and killing takes a moment. */
const MARGIN_MS = 500

/**
 * The lease guard of one host, as a model: a process of its own that kills the server when the lease ends, whatever
 * the agent is doing. It outlives agents; only the host's freezing and crashing reach it.
 */
export class LeaseGuard {
  readonly process: Process
  readonly #clock: HostClock
  readonly #server: PgServer
  #timer: Timer | null = null
  #isBroken = false
  /** How often it struck. */
  strikes = 0

  constructor(scheduler: Scheduler, clock: HostClock, server: PgServer) {
    this.process = new Process(scheduler, { wakesCode: false })
    this.#clock = clock
    this.#server = server
  }

  get isArmed(): boolean {
    return this.#timer !== null
  }

  /** It ends and cannot be started again: whoever relies on it has to know. */
  break(): void {
    this.#isBroken = true
    this.disarm()
  }

  repair(): void {
    this.#isBroken = false
  }

  /** @returns false when it cannot be had */
  arm(leaseEnd: Instant): boolean {
    this.disarm()
    if (this.#isBroken) return false
    const timer = this.process.after(Math.max(0, this.#clock.msUntil(leaseEnd) - MARGIN_MS), () => {
      if (this.#timer !== timer) return
      this.#timer = null
      this.strikes++
      this.#server.kill()
    })
    this.#timer = timer
    return true
  }

  disarm(): void {
    if (this.#timer) this.#timer.cancelled = true
    this.#timer = null
  }
}

/** The port Fence over the guard of this host. */
export class SimFence implements Fence {
  readonly isHealthy = true
  readonly #guard: LeaseGuard

  constructor(guard: LeaseGuard) {
    this.#guard = guard
  }

  get isRunning(): boolean {
    return this.#guard.isArmed
  }

  activate(leaseEnd: Instant): Promise<boolean> {
    return Promise.resolve(this.#guard.arm(leaseEnd))
  }

  keepAlive(leaseEnd: Instant): Promise<void> {
    if (this.#guard.isArmed) this.#guard.arm(leaseEnd)
    return Promise.resolve()
  }

  disable(): Promise<void> {
    this.#guard.disarm()
    return Promise.resolve()
  }
}

/** Configured off: nobody ends a primary whose agent does not. */
export const NO_FENCE: Fence = {
  isHealthy: true,
  isRunning: false,
  activate: () => Promise.resolve(true),
  keepAlive: () => Promise.resolve(),
  disable: () => Promise.resolve(),
}
