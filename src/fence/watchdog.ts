import { accessSync, constants } from 'node:fs'
import type { WatchdogConfig } from '../config/types.ts'
import type { Fence } from '../ports/fence.ts'
import type { Log } from '../ports/log.ts'
import type { OpenWatchdog, WatchdogDevice } from './watchdog-device.ts'

/** What is configured now; read anew at each call. */
export interface WatchdogSettings extends WatchdogConfig {
  /** Seconds. */
  readonly ttl: number
  /** Seconds. */
  readonly loopWait: number
}

export interface WatchdogDeps {
  readonly settings: () => WatchdogSettings
  /** `null`: there are no watchdogs of this kind on this platform. */
  readonly driver: (driver: WatchdogConfig['driver']) => OpenWatchdog | null
  readonly log: Log
  /** Whether a device may be written to; given in tests. */
  readonly isWritable?: (path: string) => boolean
}

/** In seconds: how long the device waits, and how much of that is left when a cycle takes all of `loop_wait`. */
export interface WatchdogTiming {
  readonly timeout: number
  readonly slack: number
}

/** `timeout` as wanted: the machine ends before others may take the lock (spec ha.md 19). */
export function watchdogTiming({ ttl, safetyMargin, loopWait }: WatchdogSettings): WatchdogTiming {
  const timeout = safetyMargin === -1 ? Math.floor(ttl / 2) : ttl - safetyMargin
  return { timeout, slack: timeout - loopWait }
}

interface Open {
  readonly device: WatchdogDevice
  readonly path: string
  readonly driver: WatchdogConfig['driver']
  /** What was asked for, seconds. */
  wanted: number
}

/**
 * A device that ends the whole machine when the agent does not feed it: right after each confirmed renewal of the lock,
 * and never otherwise (spec ha.md 19). Its calls are made one after the other: a sign of life that came after the
 * farewell would take the farewell back.
 */
export class Watchdog implements Fence {
  readonly #deps: WatchdogDeps
  #open: Open | null = null
  #last: Promise<unknown> = Promise.resolve()
  /** The reason for which it could not be used, told once. */
  #told: string | null = null

  constructor(deps: WatchdogDeps) {
    this.#deps = deps
  }

  /** Whether this platform has what the configuration asks for. */
  get isSupported(): boolean {
    return this.#deps.driver(this.#deps.settings().driver) !== null
  }

  get isRunning(): boolean {
    return this.#open !== null
  }

  get isHealthy(): boolean {
    const settings = this.#deps.settings()
    if (settings.mode !== 'required') return true
    if (!this.isSupported || watchdogTiming(settings).slack < 0) return false
    return (this.#deps.isWritable ?? isWritable)(settings.device)
  }

  /** @returns false only where the configuration requires a watchdog */
  activate(): Promise<boolean> {
    return this.#inOrder(async () => {
      if (this.#open) return true
      const settings = this.#deps.settings()
      if (settings.mode === 'off') return true
      const reason = await this.#start(settings)
      if (reason === null) {
        this.#told = null
        return true
      }
      this.#tell(`Could not activate watchdog ${settings.device}: ${reason}`, settings.mode)
      return settings.mode !== 'required'
    })
  }

  keepAlive(): Promise<void> {
    return this.#inOrder(async () => {
      if (!this.#open) return
      try {
        await this.#open.device.keepAlive()
        this.#told = null
      } catch (error) {
        this.#tell(`Error while sending keepalive: ${wordsOf(error)}`, 'required')
      }
      await this.#applyChanges()
    })
  }

  disable(): Promise<void> {
    return this.#inOrder(() => this.#close())
  }

  /** The configuration has changed. Off takes effect now, everything else at the next sign of life. */
  async reconfigured(): Promise<void> {
    if (this.#deps.settings().mode === 'off') await this.disable()
  }

  /** @returns why it does not run now, `null` if it does */
  async #start(settings: WatchdogSettings): Promise<string | null> {
    const openDevice = this.#deps.driver(settings.driver)
    if (!openDevice) return 'there are none on this platform'
    const wanted = watchdogTiming(settings)
    if (wanted.slack < 0)
      return `its timeout of ${wanted.timeout} seconds (ttl ${settings.ttl}, safety_margin ${settings.safetyMargin}) is less than loop_wait ${settings.loopWait}`
    let device: WatchdogDevice
    try {
      device = await openDevice(settings.device)
    } catch (error) {
      return wordsOf(error)
    }
    const reason = await this.#setTimeout(device, wanted.timeout, settings, 'activated')
    this.#open = { device, path: settings.device, driver: settings.driver, wanted: wanted.timeout }
    // An open device counts down, whether it is of use or not.
    if (reason !== null) await this.#close()
    return reason
  }

  async #setTimeout(
    device: WatchdogDevice,
    wanted: number,
    settings: WatchdogSettings,
    verb: 'activated' | 'updated',
  ): Promise<string | null> {
    let actual: number
    try {
      actual = await device.setTimeout(wanted)
    } catch (error) {
      return wordsOf(error)
    }
    if (actual > wanted) return `its timeout is ${actual} seconds and cannot be set to ${wanted}`
    const slack = actual - settings.loopWait
    if (slack < 0) return `its timeout of ${actual} seconds is less than loop_wait ${settings.loopWait}`
    this.#deps.log.info(`${device.description} ${verb} with ${actual} second timeout, timing slack ${slack} seconds`)
    return null
  }

  /** Another device or driver, or another timeout, while it runs. */
  async #applyChanges(): Promise<void> {
    const open = this.#open
    const settings = this.#deps.settings()
    if (!open || settings.mode === 'off') return
    if (open.path !== settings.device || open.driver !== settings.driver) {
      await this.#close()
      const reason = await this.#start(settings)
      if (reason !== null) this.#tell(`Could not activate watchdog ${settings.device}: ${reason}`, settings.mode)
      return
    }
    const { timeout } = watchdogTiming(settings)
    if (timeout === open.wanted) return
    open.wanted = timeout
    const reason = await this.#setTimeout(open.device, timeout, settings, 'updated')
    if (reason === null) return
    this.#tell(`Could not update watchdog ${settings.device}: ${reason}`, settings.mode)
    await this.#close()
  }

  async #close(): Promise<void> {
    const open = this.#open
    this.#open = null
    if (!open) return
    const { device } = open
    if (!device.canBeDisabled)
      this.#deps.log.warning(
        `${device.description} cannot be switched off: the machine resets when its timeout is over`,
      )
    try {
      await device.close()
    } catch (error) {
      this.#deps.log.error(`Error while closing ${device.description}: ${wordsOf(error)}`)
    }
  }

  /** A watchdog that is merely welcome may be missing without a word louder than others. */
  #tell(text: string, mode: WatchdogConfig['mode']): void {
    if (this.#told === text) return
    this.#told = text
    if (mode === 'required') this.#deps.log.error(text)
    else this.#deps.log.debug(text)
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => {})
    return done
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
