import type { Member, Timing } from '../lab/member.ts'
import { until } from '../lab/wait.ts'
import { Rng } from '../sim/engine/random.ts'
import type { Mode } from './checker.ts'
import { Clients } from './clients.ts'
import { acknowledgedWrites, type Moment } from './history.ts'
import type { Machine } from './machine.ts'
import { dualWrites, reignsOf } from './reigns.ts'
import { createTables } from './tables.ts'
import { World } from './world.ts'

/** What is done to the agent of the primary, again and again. */
export type Blow = 'kill' | 'freeze'

export interface CampaignOptions {
  readonly blows: readonly Blow[]
  readonly mode: Mode
  readonly timing: Timing
  readonly machine: Machine
  readonly say: (text: string) => void
  readonly signal: AbortSignal
}

export interface BlowResult {
  readonly blow: Blow
  /** The longest time without an acknowledged write after it. */
  readonly gapMs: number
  /** For how long the old and the new primary both accepted writes. */
  readonly dualMs: number
}

/** On a saturated machine with a lease of 5 s a cluster changes its primary a few times before it comes to rest. */
const LIMIT_MS = 600_000

/**
 * Kills or freezes the agent of the primary while clients write, waits until another member takes the writes, and gives
 * the agent back.
 */
export async function runCampaign(options: CampaignOptions): Promise<readonly BlowResult[]> {
  // Each promotion leaves WAL behind until the next checkpoints: dozens of them fill a small disk.
  const machine: Machine = { ...options.machine, disk: 'nobody fills it here' }
  const world = await World.create({ ...options, machine })
  const results: BlowResult[] = []
  let keep = true
  try {
    options.say(`everything is below ${world.cluster.folder}`)
    await world.cluster.bootstrap(LIMIT_MS)
    await createTables(await world.cluster.writable(LIMIT_MS))
    const clients = Clients.start(world.cluster.members, options.mode, new Rng('campaign'))
    for (const [i, blow] of options.blows.entries()) {
      if (options.signal.aborted) break
      const from = clients.now()
      const result = { blow, ...(await strike(world, clients, blow)) }
      results.push(result)
      const { gapMs, dualMs } = result
      options.say(
        `${i + 1} ${blow}: ${(gapMs / 1000).toFixed(2)} s without writes, ${(dualMs / 1000).toFixed(3)} s with two writers, ` +
          `healthy after ${((clients.now() - from) / 1000).toFixed(1)} s`,
      )
    }
    await clients.stop()
    keep = results.some(({ dualMs }) => dualMs > 0)
  } finally {
    await world.close({ keep })
  }
  return results
}

async function strike(world: World, clients: Clients, blow: Blow): Promise<Omit<BlowResult, 'blow'>> {
  const old = await world.cluster.healthy(LIMIT_MS)
  await until('the clients write to it', LIMIT_MS, () => clients.lastWriter === old.name)
  const from = clients.now()
  old.signalAgent(blow === 'kill' ? 'SIGKILL' : 'SIGSTOP')
  await until('another member takes writes', LIMIT_MS, () => clients.lastWriter !== old.name)
  // Long enough to see the old one go on, if it did.
  const seenAt = clients.now()
  await until('a second has passed', LIMIT_MS, () => clients.now() - seenAt > 1000)
  await giveBack(old, blow)
  await world.cluster.healthy(LIMIT_MS)
  return figures(clients, from)
}

async function giveBack(member: Member, blow: Blow): Promise<void> {
  if (blow === 'freeze') member.signalAgent('SIGCONT')
  else await member.start()
}

function figures(clients: Clients, from: Moment): Omit<BlowResult, 'blow'> {
  const writes = acknowledgedWrites(clients)
  const last = writes.findLastIndex(({ at }) => at <= from)
  const since = writes.slice(Math.max(0, last))
  const gaps = since.map(({ at }, i) => at - (since[i - 1]?.at ?? at))
  const dual = dualWrites(reignsOf(since)).reduce((sum, { ms }) => sum + ms, 0)
  return { gapMs: Math.max(0, ...gaps), dualMs: dual }
}
