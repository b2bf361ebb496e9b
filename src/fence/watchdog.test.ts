import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Instant } from '../cluster/time.ts'
import type { Fence } from '../ports/fence.ts'
import type { Log } from '../ports/log.ts'
import { type Ioctl, systemIoctl } from './ioctl.ts'
import { FenceLayers } from './layers.ts'
import { linuxWatchdog } from './linux-watchdog.ts'
import { Watchdog, type WatchdogSettings, watchdogTiming } from './watchdog.ts'
import { type OpenWatchdog, openTestingWatchdog } from './watchdog-device.ts'

const SETTINGS: WatchdogSettings = {
  mode: 'automatic',
  device: '/dev/watchdog',
  safetyMargin: 5,
  driver: 'default',
  ttl: 30,
  loopWait: 10,
}

function recorded(): Log & { readonly lines: string[] } {
  const lines: string[] = []
  const at = (level: string) => (text: string) => void lines.push(`${level} ${text}`)
  return {
    lines,
    debug: at('DEBUG'),
    info: at('INFO'),
    warning: at('WARNING'),
    error: at('ERROR'),
    critical: at('CRITICAL'),
  }
}

/** A device that writes down what it is told. */
function fakeDevice(changes: { timeout?: (wanted: number) => number; canBeDisabled?: boolean; busy?: boolean } = {}): {
  readonly open: OpenWatchdog
  readonly told: string[]
} {
  const told: string[] = []
  const open: OpenWatchdog = async (path) => {
    if (changes.busy) throw new Error(`EBUSY: resource busy, open '${path}'`)
    told.push(`open ${path}`)
    return {
      description: `Watchdog ${path}`,
      canBeDisabled: changes.canBeDisabled ?? true,
      setTimeout: async (seconds) => {
        told.push(`timeout ${seconds}`)
        return changes.timeout?.(seconds) ?? seconds
      },
      keepAlive: async () => void told.push('alive'),
      close: async () => void told.push('close'),
    }
  }
  return { open, told }
}

function setUp(
  changes: Partial<WatchdogSettings> = {},
  device = fakeDevice(),
): {
  readonly watchdog: Watchdog
  readonly told: string[]
  readonly log: ReturnType<typeof recorded>
  readonly change: (more: Partial<WatchdogSettings>) => void
} {
  let settings = { ...SETTINGS, ...changes }
  const log = recorded()
  const watchdog = new Watchdog({
    settings: () => settings,
    driver: () => device.open,
    log,
    isWritable: (path) => path === '/dev/watchdog',
  })
  return { watchdog, told: device.told, log, change: (more) => (settings = { ...settings, ...more }) }
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'watchdog-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

test('19 timeout is ttl less the safety margin, or half the ttl for -1; slack is what loop_wait leaves', () => {
  const cases: readonly (readonly [ttl: number, margin: number, loopWait: number, timeout: number, slack: number])[] = [
    [30, 5, 10, 25, 15],
    [30, -1, 10, 15, 5],
    [31, -1, 10, 15, 5],
    [20, 15, 10, 5, -5],
    [30, 0, 10, 30, 20],
  ]
  for (const [ttl, safetyMargin, loopWait, timeout, slack] of cases)
    assert.deepEqual(watchdogTiming({ ...SETTINGS, ttl, safetyMargin, loopWait }), { timeout, slack })
})

test('19 a watchdog is opened, told its timeout, fed at each renewal, and closed', async () => {
  const { watchdog, told, log } = setUp()
  assert.equal(await watchdog.activate(), true)
  assert.equal(watchdog.isRunning, true)
  await watchdog.keepAlive()
  await watchdog.disable()
  assert.equal(watchdog.isRunning, false)
  await watchdog.keepAlive()
  assert.deepEqual(told, ['open /dev/watchdog', 'timeout 25', 'alive', 'close'])
  assert.deepEqual(log.lines, ['INFO Watchdog /dev/watchdog activated with 25 second timeout, timing slack 15 seconds'])
})

test('19 what keeps a watchdog from being used counts only where it is required', async () => {
  const cases: readonly (readonly [Partial<WatchdogSettings>, Parameters<typeof fakeDevice>[0], RegExp])[] = [
    [{ ttl: 20, safetyMargin: 15 }, {}, /its timeout of 5 seconds .* is less than loop_wait 10/],
    [{}, { busy: true }, /EBUSY/],
    [{}, { timeout: () => 60 }, /its timeout is 60 seconds and cannot be set to 25/],
    [{}, { timeout: () => 5 }, /its timeout of 5 seconds is less than loop_wait 10/],
  ]
  for (const mode of ['automatic', 'required'] as const) {
    for (const [settings, device, reason] of cases) {
      const { watchdog, log, told } = setUp({ ...settings, mode }, fakeDevice(device))
      assert.equal(await watchdog.activate(), mode === 'automatic', String(reason))
      assert.equal(watchdog.isRunning, false)
      await watchdog.activate()
      const [line, ...more] = log.lines
      assert.match(line ?? '', reason)
      assert.deepEqual(more, [], 'said once')
      assert.equal(line?.startsWith(mode === 'required' ? 'ERROR' : 'DEBUG'), true)
      const opened = told.filter((word) => word.startsWith('open')).length
      assert.equal(told.filter((word) => word === 'close').length, opened, 'nothing is left counting down')
    }
  }
})

test('19 off: no device is touched', async () => {
  const { watchdog, told } = setUp({ mode: 'off' })
  assert.equal(await watchdog.activate(), true)
  assert.equal(watchdog.isRunning, false)
  assert.deepEqual(told, [])
})

test('19 another ttl, device or driver is applied at the next sign of life; off at once', async () => {
  const { watchdog, told, change, log } = setUp()
  await watchdog.activate()
  change({ ttl: 40 })
  await watchdog.reconfigured()
  assert.deepEqual(told.splice(0), ['open /dev/watchdog', 'timeout 25'])
  await watchdog.keepAlive()
  assert.deepEqual(told.splice(0), ['alive', 'timeout 35'])
  assert.match(log.lines.at(-1) ?? '', /updated with 35 second timeout, timing slack 25 seconds/)
  change({ device: '/dev/watchdog1' })
  await watchdog.keepAlive()
  assert.deepEqual(told.splice(0), ['alive', 'close', 'open /dev/watchdog1', 'timeout 35'])
  change({ mode: 'off' })
  await watchdog.reconfigured()
  assert.deepEqual(told, ['close'])
  assert.equal(watchdog.isRunning, false)
})

test('19 a sign of life never follows the farewell, whatever the order in which both are asked for', async () => {
  const { watchdog, told } = setUp()
  await watchdog.activate()
  await Promise.all([watchdog.keepAlive(), watchdog.disable(), watchdog.keepAlive()])
  assert.deepEqual(told.slice(-2), ['alive', 'close'])
})

test('19 when a device is left that cannot be switched off, a warning says what follows', async () => {
  const { watchdog, log } = setUp({}, fakeDevice({ canBeDisabled: false }))
  await watchdog.activate()
  await watchdog.disable()
  assert.equal(log.lines.filter((line) => line.startsWith('WARNING')).length, 1)
})

test('19 health: always good unless required; then slack must not be negative and the device writable', () => {
  const healthy = (changes: Partial<WatchdogSettings>): boolean => setUp(changes).watchdog.isHealthy
  assert.equal(healthy({ device: '/nowhere' }), true)
  assert.equal(healthy({ mode: 'required' }), true)
  assert.equal(healthy({ mode: 'required', device: '/nowhere' }), false)
  assert.equal(healthy({ mode: 'required', safetyMargin: 25 }), false)
  assert.equal(healthy({ mode: 'off', device: '/nowhere' }), true)
})

test('19 where there are no watchdogs, required is never healthy and automatic does without', async () => {
  const log = recorded()
  const on = (mode: WatchdogSettings['mode']): Watchdog =>
    new Watchdog({ settings: () => ({ ...SETTINGS, mode }), driver: () => null, log, isWritable: () => true })
  assert.equal(on('required').isSupported, false)
  assert.equal(on('required').isHealthy, false)
  assert.equal(await on('required').activate(), false)
  assert.equal(await on('automatic').activate(), true)
})

test('the testing driver writes timeouts, signs of life and the farewell to a FIFO, and needs its reader', async (t) => {
  const fifo = join(folder(t), 'fifo')
  execFileSync('mkfifo', [fifo])
  await assert.rejects(openTestingWatchdog(fifo), /ENXIO/)
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK)
  t.after(() => closeSync(reader))
  const device = await openTestingWatchdog(fifo)
  assert.equal(await device.setTimeout(15), 15)
  await device.keepAlive()
  await device.keepAlive()
  await device.close()
  const read = Buffer.alloc(100)
  assert.equal(read.toString('latin1', 0, readSync(reader, read)), 'Ctimeout=15\n11V')
})

test('a Linux device is asked for what it can, given its timeout and fed by system calls', async (t) => {
  const path = join(folder(t), 'device')
  writeFileSync(path, '')
  const calls: string[] = []
  const ioctl: Ioctl = (_descriptor, request, argument) => {
    calls.push(request.toString(16))
    if (request === 0x80285700) {
      argument.writeUInt32LE(0x8180, 0)
      argument.write('Software Watchdog\0', 8, 'latin1')
    }
    if (request === 0xc0045706) argument.writeInt32LE(argument.readInt32LE(0) - 1)
    if (request === 0x80045707) argument.writeInt32LE(24)
  }
  const device = await linuxWatchdog(ioctl)(path)
  assert.equal(device.description, `Linux watchdog ${path} (Software Watchdog)`)
  assert.equal(device.canBeDisabled, true)
  assert.equal(await device.setTimeout(25), 24)
  await device.keepAlive()
  await device.close()
  assert.deepEqual(calls, ['80285700', 'c0045706', '80045707', '80045705'])
  assert.equal(readFileSync(path, 'latin1'), 'V')
})

test('a Linux device that refuses a call is closed again with its farewell', async (t) => {
  const path = join(folder(t), 'device')
  writeFileSync(path, '')
  const refuses: Ioctl = () => {
    throw new Error('ioctl 0x80285700: ENOTTY')
  }
  await assert.rejects(linuxWatchdog(refuses)(path), /ENOTTY/)
  assert.equal(readFileSync(path, 'latin1'), 'V')
})

test('without system calls a device whose timeout the kernel does not show is not used, and is closed', async (t) => {
  const path = join(folder(t), 'device')
  writeFileSync(path, '')
  const log = recorded()
  const watchdog = new Watchdog({
    settings: () => ({ ...SETTINGS, mode: 'required', device: path }),
    driver: () => linuxWatchdog(null),
    log,
  })
  assert.equal(await watchdog.activate(), false)
  assert.match(log.lines[0] ?? '', /without koffi the timeout is neither settable nor shown/)
  assert.equal(readFileSync(path, 'latin1'), 'V')
})

test('the system call reaches the kernel: it fills what it is given, and errors have names', async (t) => {
  const ioctl = await systemIoctl()
  if (!ioctl) return t.skip(`koffi is not installed for ${process.platform} ${process.arch}`)
  const fifo = join(folder(t), 'fifo')
  execFileSync('mkfifo', [fifo])
  const both = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)
  t.after(() => closeSync(both))
  writeFileSync(both, 'hello')
  const FIONREAD = 0x541b
  const unread = Buffer.alloc(4)
  ioctl(both, FIONREAD, unread)
  assert.equal(unread.readInt32LE(0), 5)
  assert.throws(() => ioctl(both, 0xc0045706, Buffer.alloc(4)), /ENOTTY/)
})

function fakeGuard(): { readonly guard: Fence; readonly told: string[] } {
  const told: string[] = []
  let running = false
  return {
    told,
    guard: {
      get isRunning() {
        return running
      },
      isHealthy: true,
      activate: async () => {
        told.push('activate')
        running = true
        return true
      },
      keepAlive: async () => void told.push('alive'),
      disable: async () => {
        told.push('disable')
        running = false
      },
    },
  }
}

const LEASE_END = 0 as Instant

test('19 the lease guard stands aside while a watchdog runs, and takes over when it does not', async () => {
  const { guard, told } = fakeGuard()
  const { watchdog, change } = setUp()
  const fence = new FenceLayers(watchdog, guard)
  await fence.activate(LEASE_END)
  await fence.keepAlive(LEASE_END)
  assert.deepEqual(told.splice(0), ['disable'])
  change({ ttl: 10, safetyMargin: 5 })
  await fence.keepAlive(LEASE_END)
  assert.equal(watchdog.isRunning, false, 'its timeout is too short now')
  assert.deepEqual(told.splice(0), ['activate'])
  await fence.keepAlive(LEASE_END)
  assert.deepEqual(told.splice(0), ['alive'])
  await fence.disable()
  assert.equal(fence.isRunning, false)
})

test('19 nothing takes the place of a watchdog that is required', async () => {
  const { guard, told } = fakeGuard()
  const { watchdog, change } = setUp({ mode: 'required' })
  const fence = new FenceLayers(watchdog, guard)
  assert.equal(await fence.activate(LEASE_END), true)
  change({ ttl: 10, safetyMargin: 5 })
  await fence.keepAlive(LEASE_END)
  assert.deepEqual(told, ['disable'])
  assert.equal(fence.isRunning, false, 'so the next cycle tries, and gives up')
  assert.equal(await fence.activate(LEASE_END), false)
})
