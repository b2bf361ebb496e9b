import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Timing } from '../lab/member.ts'
import { until } from '../lab/wait.ts'
import { Rng } from '../sim/engine/random.ts'
import { check, type Mode, type Verdict, type Violation } from './checker.ts'
import { Clients } from './clients.ts'
import type { FaultRecord, History } from './history.ts'
import type { Machine } from './machine.ts'
import { Nemesis } from './nemesis.ts'
import { type FaultName, planFaults } from './plan.ts'
import { ACCOUNTS, createTables, fingerprint, OPENING_BALANCE, readFinalState } from './tables.ts'
import { MAXIMUM_LAG, World } from './world.ts'

export interface RunOptions {
  readonly seed: string
  readonly lengthMs: number
  readonly mode: Mode
  readonly timing: Timing
  readonly kinds: readonly FaultName[]
  readonly machine: Machine
  readonly say: (text: string) => void
  readonly signal: AbortSignal
}

export interface RunResult {
  readonly verdict: Verdict
  readonly faults: readonly FaultRecord[]
  readonly lengthMs: number
  /** From the end of the last fault until all three streamed; `null`: they did not within the limit. */
  readonly healedMs: number | null
  readonly unexpectedEnds: readonly string[]
  /** Where logs and journals are; `null`: nothing was wrong and they are gone. */
  readonly folder: string | null
}

const BOOTSTRAP_LIMIT_MS = 120_000
/** For a primary, and for replicas that may have to be rewound or copied anew. */
const HEAL_LIMIT_MS = 120_000
const CATCH_UP_LIMIT_MS = 30_000

/** One run of the clients against faults, and what came of it. */
export async function runChaos(options: RunOptions): Promise<RunResult> {
  const { mode, timing, machine, lengthMs, say, signal } = options
  const world = await World.create({ mode, timing, machine, lengthMs })
  let keep = true
  try {
    say(`everything is below ${world.cluster.folder}`)
    await world.cluster.bootstrap(BOOTSTRAP_LIMIT_MS)
    await createTables(await world.cluster.writable(BOOTSTRAP_LIMIT_MS))
    const result = await attack(world, options)
    keep = result.verdict.violations.length > 0 || signal.aborted
    return { ...result, folder: keep ? world.cluster.folder : null }
  } finally {
    await world.close({ keep })
  }
}

async function attack(world: World, options: RunOptions): Promise<Omit<RunResult, 'folder'>> {
  const { seed, lengthMs, mode, kinds, say, signal } = options
  const rng = new Rng(seed)
  const clients = Clients.start(world.cluster.members, mode, rng.fork('clients'))
  const nemesis = new Nemesis(world, clients, (text) =>
    say(`${(clients.now() / 1000).toFixed(1).padStart(7)} s  ${text}`),
  )
  const unhealed: Violation[] = []
  try {
    await nemesis.run(planFaults(rng.fork('faults'), lengthMs, kinds), signal)
  } catch (error) {
    // What was seen until then is judged all the same.
    const reason = error instanceof Error ? error.message : String(error)
    unhealed.push({ rule: 'nemesis', text: `the faults could not be carried out to the end: ${reason}` })
    await world.network.restore()
  }
  const from = clients.now()
  let healedMs: number | null = null
  try {
    await world.cluster.healthy(HEAL_LIMIT_MS)
    healedMs = clients.now() - from
  } catch (error) {
    unhealed.push({ rule: 'healing', text: error instanceof Error ? error.message : String(error) })
  }
  await clients.stop()
  const ranMs = clients.now()
  try {
    const verdict = await judge(world, clients, nemesis.records, options, unhealed)
    if (verdict.violations.length > 0) saveEvidence(world, clients, nemesis.records, verdict)
    return { verdict, faults: nemesis.records, lengthMs: ranMs, healedMs, unexpectedEnds: nemesis.unexpectedEnds }
  } catch (error) {
    saveEvidence(world, clients, nemesis.records, null)
    throw error
  }
}

async function judge(
  world: World,
  history: History,
  faults: readonly FaultRecord[],
  { mode, timing }: RunOptions,
  unhealed: readonly Violation[],
): Promise<Verdict> {
  const final = await readFinalState(await world.cluster.writable(HEAL_LIMIT_MS))
  const differences = unhealed.length > 0 ? [] : await compareMembers(world)
  const verdict = check(history, final, faults, {
    mode,
    ttlMs: timing.ttl * 1000,
    loopWaitMs: timing.loopWait * 1000,
    maximumLag: MAXIMUM_LAG,
    accounts: ACCOUNTS,
    openingBalance: OPENING_BALANCE,
  })
  return { ...verdict, violations: [...verdict.violations, ...unhealed, ...differences] }
}

/** All members hold the same, once the replicas have caught up. */
async function compareMembers(world: World): Promise<readonly Violation[]> {
  const primary = await world.cluster.writable(CATCH_UP_LIMIT_MS)
  const expected = await fingerprint(primary)
  const found: Violation[] = []
  for (const member of world.cluster.members) {
    try {
      await until(`${member.name} holds what the primary holds`, CATCH_UP_LIMIT_MS, async () => {
        return (await fingerprint(member)) === expected
      })
    } catch (error) {
      found.push({ rule: 'healing', text: error instanceof Error ? error.message : String(error) })
    }
  }
  return found
}

/** @param verdict `null`: none was reached */
function saveEvidence(world: World, history: History, faults: readonly FaultRecord[], verdict: Verdict | null): void {
  const folder = join(world.cluster.folder, 'evidence')
  mkdirSync(folder, { recursive: true })
  const { rows, transfers, appends, totals, streams } = history
  writeFileSync(join(folder, 'history.json'), JSON.stringify({ rows, transfers, appends, totals, streams }))
  writeFileSync(join(folder, 'faults.json'), JSON.stringify(faults, null, 1))
  if (!verdict) return
  const { violations, outages } = verdict
  writeFileSync(join(folder, 'verdict.json'), JSON.stringify({ violations, outages }, null, 1))
}
