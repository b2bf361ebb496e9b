import type { Scheduler, Timer } from './scheduler.ts'

/**
 * An operating system process: it runs, is frozen (SIGSTOP, a swapped-out host), or is dead. Whatever reaches it goes
 * through `deliver`: while frozen it waits, after death it is lost. So a frozen agent sees its time-outs and the
 * answers of the world only when it thaws, and a killed one never.
 */
export class Process {
  readonly #scheduler: Scheduler
  readonly #wakesCode: boolean
  #dead = false
  /** How many reasons hold it: its own SIGSTOP, a frozen host. */
  #freezes = 0
  readonly #backlog: { readonly run: () => void; readonly timer: boolean }[] = []
  /** A process that gets little processor time: everything reaches it so much later. */
  slowMs = 0

  /** @param options.wakesCode whether promises of code under test hang on this process */
  constructor(scheduler: Scheduler, options: { readonly wakesCode: boolean }) {
    this.#scheduler = scheduler
    this.#wakesCode = options.wakesCode
  }

  get isAlive(): boolean {
    return !this.#dead
  }

  get isRunning(): boolean {
    return !this.#dead && this.#freezes === 0
  }

  get isFrozen(): boolean {
    return !this.#dead && this.#freezes > 0
  }

  deliver(run: () => void): void {
    if (this.#dead) return
    if (this.slowMs > 0) this.#scheduler.after(this.slowMs, () => this.#enter(run, false))
    else this.#enter(run, false)
  }

  after(ms: number, run: () => void): Timer {
    return this.#scheduler.after(ms + this.slowMs, () => this.#enter(run, true))
  }

  freeze(): void {
    this.#freezes++
  }

  /** What waited arrives now: in the order it came, or with everything that was timed first, as an event loop may. */
  thaw(options: { readonly timersFirst: boolean }): void {
    this.#freezes--
    if (this.#dead || this.#freezes > 0) return
    const waiting = this.#backlog.splice(0)
    const ordered = options.timersFirst
      ? [...waiting.filter((one) => one.timer), ...waiting.filter((one) => !one.timer)]
      : waiting
    for (const { run, timer } of ordered) this.#scheduler.after(0, () => this.#enter(run, timer))
  }

  kill(): void {
    this.#dead = true
    this.#backlog.length = 0
  }

  #enter(run: () => void, timer: boolean): void {
    if (this.#dead) return
    if (this.#freezes > 0) {
      this.#backlog.push({ run, timer })
      return
    }
    if (this.#wakesCode) this.#scheduler.touch()
    run()
  }
}
