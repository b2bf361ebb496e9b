import type { Instant } from '../cluster/time.ts'
import type { Fence } from '../ports/fence.ts'

/**
 * A watchdog where there is one, else the lease guard. Where the watchdog runs the guard stands aside: the machine
 * resets before the guard would strike, and two who wait for the same lease are one more thing that can go wrong.
 */
export class FenceLayers implements Fence {
  readonly #watchdog: Fence
  readonly #guard: Fence

  constructor(watchdog: Fence, guard: Fence) {
    this.#watchdog = watchdog
    this.#guard = guard
  }

  get isRunning(): boolean {
    return this.#watchdog.isRunning || this.#guard.isRunning
  }

  get isHealthy(): boolean {
    return this.#watchdog.isHealthy && this.#guard.isHealthy
  }

  async activate(leaseEnd: Instant): Promise<boolean> {
    if (!(await this.#watchdog.activate(leaseEnd))) return false
    if (!this.#watchdog.isRunning) return this.#guard.activate(leaseEnd)
    await this.#guard.disable()
    return true
  }

  /** A watchdog that was lost on the way is followed by the guard at once. */
  async keepAlive(leaseEnd: Instant): Promise<void> {
    const ran = this.#watchdog.isRunning
    await this.#watchdog.keepAlive(leaseEnd)
    if (this.#watchdog.isRunning) return
    if (!ran) await this.#guard.keepAlive(leaseEnd)
    // Where a watchdog is required nothing takes its place: this server must not stay a primary.
    else if (await this.#watchdog.activate(leaseEnd)) await this.#guard.activate(leaseEnd)
  }

  async disable(): Promise<void> {
    await this.#watchdog.disable()
    await this.#guard.disable()
  }
}
