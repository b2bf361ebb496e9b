import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { type Instant, later } from '../cluster/time.ts'
import type { Clock } from '../ports/clock.ts'
import type { Fence } from '../ports/fence.ts'
import type { Log } from '../ports/log.ts'
import { BootClock } from './boot-clock.ts'
import { LeaseFile } from './lease-file.ts'

export interface LeaseGuardOptions {
  /** The guard's program. */
  readonly program: string
  /** The file shared with it, on a file system in memory. */
  readonly file: string
  /** So long before the end of the lease the server is killed. */
  readonly safetyMarginMs: number
}

export interface LeaseGuardDeps {
  readonly clock: Clock
  readonly log: Log
  /** The postmaster that is guarded; `null`: none runs. */
  readonly postmaster: () => { readonly pid: number; readonly startTicks: number } | null
  /** The guard died although there is something to guard. */
  readonly onDeath: () => void
}

/** How long the guard may take to say that it watches. */
const READY_MS = 2000

/**
 * A small process of its own that kills PostgreSQL when the lease runs out, whatever has become of the agent
 * (fence/guard.c). It outlives the agent: a new agent starts its own guard, and the old one retires.
 *
 * What it cannot cover: a machine on which no process gets to run, and a server that is started again by somebody else.
 */
export class LeaseGuard implements Fence {
  readonly isHealthy = true
  readonly #options: LeaseGuardOptions
  readonly #deps: LeaseGuardDeps
  readonly #file: LeaseFile
  readonly #boot: BootClock
  #child: ChildProcess | null = null
  #generation = 0
  #sequence = 0
  #isDisabled = false

  constructor(options: LeaseGuardOptions, deps: LeaseGuardDeps) {
    this.#options = options
    this.#deps = deps
    this.#file = new LeaseFile(options.file)
    this.#boot = new BootClock(deps.clock)
  }

  /** Whether there is a guard program for this machine. */
  static isAvailable(program: string): boolean {
    return process.platform === 'linux' && existsSync(program)
  }

  get isRunning(): boolean {
    return this.#child !== null
  }

  async activate(leaseEnd: Instant): Promise<boolean> {
    if (this.#child) return true
    this.#isDisabled = false
    const before = await this.#file.read()
    this.#generation = (before?.generation ?? 0) + 1
    this.#sequence = before?.sequence ?? 0
    if (!(await this.#write(leaseEnd))) return true
    const ready = await this.#start()
    if (!ready) this.#deps.log.warning('The lease guard did not start; the agent alone ends a primary')
    else
      this.#deps.log.info(
        `Lease guard started, PostgreSQL ends ${this.#options.safetyMarginMs} ms before its lease does`,
      )
    return true
  }

  async keepAlive(leaseEnd: Instant): Promise<void> {
    if (this.#child) await this.#write(leaseEnd)
  }

  /** Also of a guard that an earlier agent left behind. */
  async disable(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (this.#isDisabled) return
    const known = await this.#file.read()
    if (known && known.deadlineMs !== 0) {
      await this.#file.write({
        ...known,
        deadlineMs: 0,
        sequence: ++this.#sequence,
        writtenMs: this.#deps.clock.wallMs(),
      })
    }
    child?.kill('SIGTERM')
    this.#isDisabled = true
  }

  /** @returns false where there is no server to guard */
  async #write(leaseEnd: Instant): Promise<boolean> {
    const server = this.#deps.postmaster()
    if (!server) return false
    try {
      await this.#file.write({
        generation: this.#generation,
        deadlineMs: this.#boot.translate(later(leaseEnd, -this.#options.safetyMarginMs)),
        pid: server.pid,
        startTicks: server.startTicks,
        sequence: ++this.#sequence,
        writtenMs: this.#deps.clock.wallMs(),
      })
      return true
    } catch (error) {
      this.#deps.log.error(`The lease file ${this.#options.file} cannot be written`, error)
      return false
    }
  }

  #start(): Promise<boolean> {
    const child = spawn(this.#options.program, [this.#options.file], {
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {},
      cwd: '/',
    })
    this.#child = child
    child.unref()
    return new Promise((resolve) => {
      const late = setTimeout(() => resolve(false), READY_MS)
      const settle = (ready: boolean): void => {
        clearTimeout(late)
        resolve(ready)
      }
      child.stdout.once('data', () => {
        child.stdout.destroy()
        settle(true)
      })
      child.on('error', () => this.#died(child, settle))
      child.on('exit', () => this.#died(child, settle))
    })
  }

  #died(child: ChildProcess, settle: (ready: boolean) => void): void {
    settle(false)
    if (this.#child !== child) return
    this.#child = null
    this.#deps.onDeath()
  }
}
