import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

/** An open watchdog: from now on it ends the machine unless it is fed. */
export interface WatchdogDevice {
  /** For the log, as in `Linux watchdog /dev/watchdog (iTCO_wdt)`. */
  readonly description: string
  /** Whether closing it switches it off. Some devices and kernels (`nowayout`) never stop. */
  readonly canBeDisabled: boolean
  /**
   * Asks for a timeout in seconds. @returns the one in force now, which a device may round or refuse to change
   * @throws when the device does not say which timeout is in force
   */
  setTimeout(seconds: number): Promise<number>
  /** The timeout begins anew. @throws what the system says */
  keepAlive(): Promise<void>
  /** Switches it off where that is possible. */
  close(): Promise<void>
}

/** @throws with a reason in words: no such device, no permission, in use by somebody else */
export type OpenWatchdog = (path: string) => Promise<WatchdogDevice>

/** Anything written counts as a sign of life, except this character just before the end: then the watchdog stops. */
const MAGIC_CLOSE = 'V'
const SIGN_OF_LIFE = '1'

/** What all drivers have in common: a file that is written to. */
export class WatchdogFile {
  readonly #handle: FileHandle
  readonly path: string

  private constructor(handle: FileHandle, path: string) {
    this.#handle = handle
    this.path = path
  }

  /** Never waits, not for a reader of a FIFO either. */
  static async open(path: string): Promise<WatchdogFile> {
    const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_APPEND
    return new WatchdogFile(await open(path, flags), path)
  }

  get descriptor(): number {
    return this.#handle.fd
  }

  async keepAlive(): Promise<void> {
    await this.write(SIGN_OF_LIFE)
  }

  async write(text: string): Promise<void> {
    await this.#handle.write(text)
  }

  async close(): Promise<void> {
    try {
      await this.write(MAGIC_CLOSE)
    } finally {
      await this.#handle.close()
    }
  }
}

/**
 * The driver for tests: everything a watchdog would be told is written to a file or a FIFO, timeouts as
 * `Ctimeout=<seconds>` lines (spec configuration.md 3.10).
 */
export const openTestingWatchdog: OpenWatchdog = async (path) => {
  const file = await WatchdogFile.open(path)
  return {
    description: `Testing watchdog ${path}`,
    canBeDisabled: true,
    setTimeout: async (seconds) => {
      await file.write(`Ctimeout=${seconds}\n`)
      return seconds
    },
    keepAlive: () => file.keepAlive(),
    close: () => file.close(),
  }
}
