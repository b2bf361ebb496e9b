import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Timing } from '../lab/member.ts'
import { sleep } from '../lab/wait.ts'
import { Rng } from '../sim/engine/random.ts'
import type { Mode } from './checker.ts'
import { Clients } from './clients.ts'
import { acknowledgedWrites, type Moment } from './history.ts'
import { delayAnswers } from './late-answers.ts'
import type { Machine } from './machine.ts'
import { reignsOf } from './reigns.ts'
import { createTables } from './tables.ts'
import { World } from './world.ts'

export interface StressOptions {
  readonly lengthMs: number
  readonly mode: Mode
  readonly timing: Timing
  readonly machine: Machine
  readonly say: (text: string) => void
  readonly signal: AbortSignal
}

export interface StressResult {
  /** Who took writes and from when on, in order: one entry when nothing failed over. */
  readonly reigns: readonly { readonly node: string; readonly timeline: number; readonly from: Moment }[]
  readonly writes: number
  /** The longest time without an acknowledged write. */
  readonly gapMs: number
}

const START_LIMIT_MS = 120_000
const TELL_EVERY_MS = 60_000
/** Every answer of a store server comes so much later. */
const STORE_DELAY_MS = 200
/** One for each core and one more. */
const BURNERS = 3
/** What the others on this machine are left. */
const LEFT_MB = 3000

/**
 * A busy machine instead of faults: both cores saturated, little memory free, a disk that is made to write all the time,
 * a store whose answers are late. Nothing in that is a reason to fail over.
 */
export async function runStress(options: StressOptions): Promise<StressResult> {
  // Data on the real disk: the one that is made slow.
  const world = await World.create({ ...options, machine: { ...options.machine, disk: 'slow on purpose' } })
  const load: ChildProcess[] = []
  try {
    for (const server of world.cluster.stores) load.push(await delayAnswers(server, STORE_DELAY_MS))
    await world.cluster.bootstrap(START_LIMIT_MS)
    await createTables(await world.cluster.writable(START_LIMIT_MS))
    load.push(...startLoad(world.cluster.folder))
    const clients = Clients.start(world.cluster.members, options.mode, new Rng('stress'))
    while (clients.now() < options.lengthMs && !options.signal.aborted) {
      await sleep(Math.min(TELL_EVERY_MS, options.lengthMs))
      const { reigns, writes, gapMs } = resultOf(clients)
      const minutes = Math.round(clients.now() / 60_000)
      options.say(
        `${minutes} min: ${writes} writes, longest pause ${(gapMs / 1000).toFixed(1)} s, ${reigns.length - 1} failovers`,
      )
    }
    const result = resultOf(clients)
    await clients.stop()
    return result
  } finally {
    for (const { pid } of load) if (pid !== undefined) process.kill(-pid, 'SIGKILL')
    await world.close({ keep: options.signal.aborted })
  }
}

function resultOf(clients: Clients): StressResult {
  const writes = acknowledgedWrites(clients)
  const gaps = writes.map(({ at }, i) => at - (writes[i - 1]?.at ?? 0))
  const reigns = [...reignsOf(writes)].sort((a, b) => a.from - b.from)
  return {
    reigns: reigns.map(({ node, timeline, from }) => ({ node, timeline, from })),
    writes: writes.length,
    gapMs: gaps.reduce((longest, gap) => Math.max(longest, gap), 0),
  }
}

function startLoad(folder: string): readonly ChildProcess[] {
  // In groups of their own, so that what they start ends with them.
  const run = (program: string, ...args: string[]): ChildProcess =>
    spawn(program, args, { stdio: 'ignore', detached: true })
  const file = join(folder, 'ballast')
  const write = `while :; do dd if=/dev/zero of='${file}' bs=64k count=2000 oflag=dsync status=none; done`
  return [
    ...Array.from({ length: BURNERS }, () => run(process.execPath, '-e', 'for (;;);')),
    run(process.execPath, '-e', holdMemory(Math.max(0, availableMb() - LEFT_MB))),
    run('sh', '-c', write),
  ]
}

/** Fills memory with pages that are really there, and uses them from time to time. */
function holdMemory(mb: number): string {
  return `const held = Array.from({ length: ${Math.floor(mb / 64)} }, () => Buffer.alloc(64 * 2 ** 20, 1));
setInterval(() => held.forEach((page) => page.fill(Date.now() & 255, 0, 2 ** 20)), 5000)`
}

function availableMb(): number {
  return Number(/MemAvailable:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0) / 1024
}
