import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type TestContext, test } from 'node:test'
import { later } from '../cluster/time.ts'
import type { Log } from '../ports/log.ts'
import { systemClock } from '../system/clock.ts'
import { LeaseFile, parseLeaseRecord, printLeaseRecord } from './lease-file.ts'
import { LeaseGuard } from './lease-guard.ts'
import { type Strike, takeStrike } from './strike.ts'

const PROGRAM = resolve(`fence/guard-linux-${process.arch}`)
const skip = LeaseGuard.isAvailable(PROGRAM) ? false : `no lease guard for ${process.platform} ${process.arch}`
const quiet: Log = { debug() {}, info() {}, warning() {}, error() {}, critical() {} }

function startTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? []
  return Number(fields[19])
}

/** A "server": a shell with two busy children that a polite signal does not end. */
async function fakeServer(
  t: TestContext,
): Promise<{ readonly child: ChildProcess; readonly pid: number; readonly exited: Promise<string> }> {
  const script =
    'trap "" TERM INT; (trap "" TERM INT; while :; do :; done) & (trap "" TERM INT; sleep 60) & echo up; wait'
  const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'], detached: true })
  const pid = child.pid as number
  t.after(() => {
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {}
  })
  await new Promise((ready) => child.stdout.once('data', ready))
  const exited = new Promise<string>((done) => child.once('exit', (code, signal) => done(signal ?? String(code))))
  return { child, pid, exited }
}

function living(group: number): number {
  let count = 0
  for (const pid of listProc()) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? []
      if (Number(fields[2]) === group && fields[0] !== 'Z') count += 1
    } catch {}
  }
  return count
}

function listProc(): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
}

function setUp(t: TestContext, server: { pid: number }): { guard: LeaseGuard; file: string; deaths: () => number } {
  const directory = mkdtempSync(join(tmpdir(), 'guard-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'lease')
  let died = 0
  const guard = new LeaseGuard(
    { program: PROGRAM, file, safetyMarginMs: 0 },
    {
      clock: systemClock,
      log: quiet,
      postmaster: () => ({ pid: server.pid, startTicks: startTicks(server.pid) }),
      onDeath: () => {
        died += 1
      },
    },
  )
  t.after(() => guard.disable())
  return { guard, file, deaths: () => died }
}

test('a lease that is not renewed ends the server, busy children included, and no sooner', { skip }, async (t) => {
  const server = await fakeServer(t)
  const { guard, file } = setUp(t, server)
  const from = systemClock.now()
  const wall = systemClock.wallMs()
  await guard.activate(later(from, 700))
  assert.ok(guard.isRunning)
  assert.equal(await takeStrike(file), null)
  assert.equal(await server.exited, 'SIGKILL')
  const after = systemClock.now() - from
  assert.ok(after >= 680 && after < 3000, `ended after ${after} ms`)
  // The mark is left after all of them were killed; that they are gone takes the kernel another moment.
  const strike = await untilStruck(file)
  for (let i = 0; i < 100 && living(server.pid) > 0; i++) await systemClock.sleep(10, AbortSignal.timeout(5000))
  assert.equal(living(server.pid), 0)
  assert.equal(strike.pid, server.pid)
  assert.ok(Math.abs(strike.atMs - wall - after) < 1000, `${strike.atMs} for ${wall + after}`)
  assert.equal(await takeStrike(file), null, 'it is told once')
})

/** The mark is left after the deed. */
async function untilStruck(file: string): Promise<Strike> {
  for (;;) {
    const strike = await takeStrike(file)
    if (strike) return strike
    await systemClock.sleep(10, AbortSignal.timeout(5000))
  }
}

test('a lease that is renewed keeps the server', { skip }, async (t) => {
  const server = await fakeServer(t)
  const { guard } = setUp(t, server)
  await guard.activate(later(systemClock.now(), 2000))
  for (let i = 0; i < 12; i++) {
    await systemClock.sleep(250, new AbortController().signal)
    await guard.keepAlive(later(systemClock.now(), 2000))
  }
  assert.ok(living(server.pid) >= 3)
  assert.ok(guard.isRunning)
})

test('a guard that is switched off never strikes', { skip }, async (t) => {
  const server = await fakeServer(t)
  const { guard } = setUp(t, server)
  await guard.activate(later(systemClock.now(), 1000))
  await guard.disable()
  await systemClock.sleep(1500, new AbortController().signal)
  assert.ok(living(server.pid) >= 3)
})

test('a number that belongs to another process now is left alone', { skip }, async (t) => {
  const server = await fakeServer(t)
  const { guard, file } = setUp(t, server)
  await guard.activate(later(systemClock.now(), 2000))
  const lease = new LeaseFile(file)
  const record = await lease.read()
  assert.ok(record)
  await lease.write({ ...record, startTicks: record.startTicks + 1 })
  await lease.close()
  await systemClock.sleep(2500, new AbortController().signal)
  assert.ok(living(server.pid) >= 3)
})

test('a guard that dies is noticed at once', { skip }, async (t) => {
  const server = await fakeServer(t)
  const { guard, file, deaths } = setUp(t, server)
  await guard.activate(later(systemClock.now(), 5000))
  const [pid] = listProc().filter((one) => {
    try {
      return readFileSync(`/proc/${one}/cmdline`, 'latin1').includes(file)
    } catch {
      return false
    }
  })
  process.kill(Number(pid), 'SIGKILL')
  await systemClock.sleep(1000, new AbortController().signal)
  assert.equal(guard.isRunning, false)
  assert.equal(deaths(), 1)
})

test('a guard of a new agent replaces the one before', { skip }, async (t) => {
  const server = await fakeServer(t)
  const { guard, file } = setUp(t, server)
  await guard.activate(later(systemClock.now(), 2000))
  const second = new LeaseGuard(
    { program: PROGRAM, file, safetyMarginMs: 0 },
    {
      clock: systemClock,
      log: quiet,
      postmaster: () => ({ pid: server.pid, startTicks: startTicks(server.pid) }),
      onDeath: () => {},
    },
  )
  t.after(() => second.disable())
  await second.activate(later(systemClock.now(), 10_000))
  await systemClock.sleep(3000, new AbortController().signal)
  assert.ok(living(server.pid) >= 3)
  assert.equal(guard.isRunning, false, 'the old one retired at its deadline')
  assert.ok(second.isRunning)
})

test('the guard is small', { skip }, async (t) => {
  const server = await fakeServer(t)
  const { guard, file } = setUp(t, server)
  await guard.activate(later(systemClock.now(), 5000))
  const pid = listProc().find((one) => {
    try {
      return readFileSync(`/proc/${one}/cmdline`, 'latin1').includes(file)
    } catch {
      return false
    }
  })
  const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
  assert.ok(Number(rss) < 1024, `${rss} kB resident`)
})

test('a record reads back as it was written; a damaged one is none', () => {
  const record = {
    generation: 3,
    deadlineMs: 123456789,
    pid: 42,
    startTicks: 987654321,
    sequence: 7,
    writtenMs: 1_700_000_000_000,
  }
  const bytes = printLeaseRecord(record)
  assert.deepEqual(parseLeaseRecord(bytes), record)
  bytes[20] = 1
  assert.equal(parseLeaseRecord(bytes), null)
})
