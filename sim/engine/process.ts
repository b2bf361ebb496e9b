import type { Scheduler, Timer } from './scheduler.ts'

/**
 * An operating system process: it runs, is frozen (SIGSTOP, a swapped-out host), or is dead. Whatever reaches it goes
 * through `deliver`: while frozen it waits, after death it is lost. So a frozen agent sees its time-outs and the
 * answers of the world only when it thaws, and a killed one never.
 */
export class Process {
  readonly #scheduler: Scheduler
  readonly #wakesCode: boolean
  #state: 'running' | 'frozen' | 'dead' = 'running'
  readonly #backlog: { readonly run: () => void; readonly timer: boolean }[] = []
  /** A process that gets little processor time: everything reaches it so much later. */
  slowMs = 0

  /** @param options.wakesCode whether promises of code under test hang on this process */
  constructor(scheduler: Scheduler, options: { readonly wakesCode: boolean }) {
    this.#scheduler = scheduler
    this.#wakesCode = options.wakesCode
  }

  get isAlive(): boolean {
    return this.#state !== 'dead'
  }

  get isRunning(): boolean {
    return this.#state === 'running'
  }

  get isFrozen(): boolean {
    return this.#state === 'frozen'
  }

  deliver(run: () => void): void {
    if (this.#state === 'dead') return
    if (this.slowMs > 0) this.#scheduler.after(this.slowMs, () => this.#enter(run, false))
    else this.#enter(run, false)
  }

  after(ms: number, run: () => void): Timer {
    return this.#scheduler.after(ms + this.slowMs, () => this.#enter(run, true))
  }

  freeze(): void {
    if (this.#state === 'running') this.#state = 'frozen'
  }

  /** What waited arrives now: in the order it came, or with everything that was timed first, as an event loop may. */
  thaw(options: { readonly timersFirst: boolean }): void {
    if (this.#state !== 'frozen') return
    this.#state = 'running'
    const waiting = this.#backlog.splice(0)
    const ordered = options.timersFirst
      ? [...waiting.filter((one) => one.timer), ...waiting.filter((one) => !one.timer)]
      : waiting
    for (const { run, timer } of ordered) this.#scheduler.after(0, () => this.#enter(run, timer))
  }

  kill(): void {
    this.#state = 'dead'
    this.#backlog.length = 0
  }

  #enter(run: () => void, timer: boolean): void {
    if (this.#state === 'dead') return
    if (this.#state === 'frozen') {
      this.#backlog.push({ run, timer })
      return
    }
    if (this.#wakesCode) this.#scheduler.touch()
    run()
  }
}
