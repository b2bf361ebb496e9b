import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config/types.ts'
import { type Ioctl, systemIoctl } from '../fence/ioctl.ts'
import { LeaseGuard, type LeaseGuardDeps } from '../fence/lease-guard.ts'
import { linuxWatchdog } from '../fence/linux-watchdog.ts'
import { noFence } from '../fence/none.ts'
import { type Strike, takeStrike } from '../fence/strike.ts'
import { Watchdog } from '../fence/watchdog.ts'
import { type OpenWatchdog, openTestingWatchdog } from '../fence/watchdog-device.ts'
import type { Fence } from '../ports/fence.ts'
import type { Log } from '../ports/log.ts'

/** Whether a lease guard will watch over this member's server. */
export function hasGuard(config: Config): boolean {
  return config.fence.mode === 'on' && LeaseGuard.isAvailable(guardProgram())
}

/** The lease guard, where the configuration wants it and this machine has it. */
export function guardFor(config: Config, deps: LeaseGuardDeps): Fence {
  const { mode, safetyMarginMs } = config.fence
  if (mode === 'off') return noFence
  const program = guardProgram()
  if (!LeaseGuard.isAvailable(program)) {
    deps.log.warning(
      `There is no lease guard for ${process.platform} on ${process.arch}; the agent alone ends a primary`,
    )
    return noFence
  }
  return new LeaseGuard({ program, file: leaseFilePath(config.postgresql.dataDir), safetyMarginMs }, deps)
}

/** Once for each server of this member that the guard has killed; `null`: nothing new. */
export function newStrike(config: Config): Promise<Strike | null> {
  return takeStrike(leaseFilePath(config.postgresql.dataDir))
}

/** Beside the bundle: `dist/` and `fence/` are neighbours. */
function guardProgram(): string {
  return join(import.meta.dirname, '..', 'fence', `guard-linux-${process.arch}`)
}

/** In memory, so that a disk that hangs delays neither the renewal nor the guard; one file for each data directory. */
function leaseFilePath(dataDir: string): string {
  const name = `matriarch-${process.getuid?.() ?? 0}-${createHash('sha256').update(dataDir).digest('hex').slice(0, 16)}.lease`
  return join(existsSync('/dev/shm') ? '/dev/shm' : '/tmp', name)
}

/** The watchdog as configured from now on. */
export function watchdogFor(config: () => Config, log: Log): Watchdog {
  return new Watchdog({
    settings: () => {
      const { watchdog, timing } = config()
      return { ...watchdog, ttl: timing.ttl, loopWait: timing.loopWait }
    },
    driver: (name) => {
      if (name === 'testing') return openTestingWatchdog
      return process.platform === 'linux' ? openLinuxWatchdog : null
    },
    log,
  })
}

let ioctl: Promise<Ioctl | null> | null = null

/** What makes system calls is loaded where there is a device to make them on. */
const openLinuxWatchdog: OpenWatchdog = async (path) => {
  await access(path)
  ioctl ??= systemIoctl()
  return linuxWatchdog(await ioctl)(path)
}
