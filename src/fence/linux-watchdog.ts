import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Ioctl } from './ioctl.ts'
import { type OpenWatchdog, WatchdogFile } from './watchdog-device.ts'

/** Numbers of linux/watchdog.h; the same on every architecture we run on. */
const GET_SUPPORT = 0x80285700
const SET_TIMEOUT = 0xc0045706
const GET_TIMEOUT = 0x80045707
const KEEP_ALIVE = 0x80045705
/** `struct watchdog_info`: options and firmware version, 4 bytes each, then the name of the device. */
const INFO_BYTES = 40
const CAN_SET_TIMEOUT = 0x80
const CAN_BE_CLOSED = 0x100

/** `/dev/watchdog` is an old name of `/dev/watchdog0`, with numbers of its own. */
const OLD_NAME = { major: 10, minor: 130 }

/** A watchdog of the Linux kernel (Documentation/watchdog/watchdog-api.rst). */
export function linuxWatchdog(ioctl: Ioctl | null): OpenWatchdog {
  return ioctl ? (path) => openWithCalls(path, ioctl) : openWithWrites
}

async function openWithCalls(path: string, ioctl: Ioctl): ReturnType<OpenWatchdog> {
  const file = await WatchdogFile.open(path)
  try {
    const info = Buffer.alloc(INFO_BYTES)
    ioctl(file.descriptor, GET_SUPPORT, info)
    const options = info.readUInt32LE(0)
    const name = info.subarray(8).toString('latin1').split('\0')[0] ?? ''
    return {
      description: `Linux watchdog ${path} (${name})`,
      canBeDisabled: (options & CAN_BE_CLOSED) !== 0,
      setTimeout: async (seconds) => {
        const timeout = Buffer.alloc(4)
        if ((options & CAN_SET_TIMEOUT) !== 0) {
          timeout.writeInt32LE(seconds)
          ioctl(file.descriptor, SET_TIMEOUT, timeout)
        }
        ioctl(file.descriptor, GET_TIMEOUT, timeout)
        return timeout.readInt32LE(0)
      },
      keepAlive: async () => ioctl(file.descriptor, KEEP_ALIVE, Buffer.alloc(4)),
      close: () => file.close(),
    }
  } catch (error) {
    // What was opened ticks: without this the machine would end although nobody uses the watchdog.
    await file.close()
    throw error
  }
}

/**
 * Without system calls the device can be fed and closed, and the kernel shows its timeout, which stays as it is: to be
 * set by `timeout` of the kernel module or of the boot loader.
 */
async function openWithWrites(path: string): ReturnType<OpenWatchdog> {
  const folder = await sysfsFolder(path)
  const file = await WatchdogFile.open(path)
  const shown = (name: string): Promise<string | null> =>
    readFile(join(folder, name), 'latin1').then(
      (text) => text.trim(),
      () => null,
    )
  return {
    description: `Linux watchdog ${path} (${(await shown('identity')) ?? 'by writes only'})`,
    canBeDisabled: (await shown('nowayout')) !== '1',
    setTimeout: async () => {
      const seconds = Number.parseInt((await shown('timeout')) ?? '', 10)
      if (!(seconds > 0)) throw new Error(`without koffi the timeout is neither settable nor shown in ${folder}`)
      return seconds
    },
    keepAlive: () => file.keepAlive(),
    close: () => file.close(),
  }
}

async function sysfsFolder(path: string): Promise<string> {
  const { rdev } = await stat(path)
  // As glibc takes a device number apart.
  const major = (rdev >> 8) & 0xfff
  const minor = (rdev & 0xff) | ((rdev >> 12) & 0xfff00)
  if (major === OLD_NAME.major && minor === OLD_NAME.minor) return '/sys/class/watchdog/watchdog0'
  return `/sys/dev/char/${major}:${minor}`
}
