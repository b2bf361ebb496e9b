import type { Coverage } from './checks/coverage.ts'
import { illness } from './checks/health.ts'
import type { Violation } from './checks/violations.ts'
import { Rng } from './engine/random.ts'
import { putRight, sayWhichCopyCounts } from './faults/aftermath.ts'
import { CATALOGUE } from './faults/catalogue.ts'
import type { PlannedFault } from './faults/fault.ts'
import { planFaults, swarm, traitsOf } from './faults/swarm.ts'
import { World } from './world/world.ts'

export interface RunRequest {
  readonly seed: string
  readonly hours: number
  /** Faults by number that are left out. */
  readonly without: ReadonlySet<number>
  readonly traceLines: number
  /** Names of invariants that are not looked at. */
  readonly pardoned: ReadonlySet<string>
}

export interface RunResult {
  readonly seed: string
  readonly violation: Violation | null
  readonly simulatedMs: number
  readonly faults: readonly PlannedFault[]
  readonly promotions: number
  readonly rows: number
  /** How often it needed an operator who said which copy of the data counts. */
  readonly orders: number
  readonly longestOutageMs: number
  readonly trace: readonly string[]
  readonly configuration: string
  /** What kind of cluster it was, in words to be counted. */
  readonly traits: readonly string[]
  readonly coverage: Coverage
}

const STRETCH_MS = 600_000
const MEAN_MS = 50_000

/** How long after the last fault the cluster may take to be whole: the lease, some cycles, restarts and copies. */
export function healingBoundMs(ttlSeconds: number): number {
  return 3 * ttlSeconds * 1000 + 150_000
}

/** One history: faults for ten minutes, then everything heals and must become whole, and again. */
export async function runSeed(request: RunRequest): Promise<RunResult> {
  const rng = new Rng(`swarm/${request.seed}`)
  const { options, kinds } = swarm(rng, request.seed, request)
  const world = new World(options)
  const happened: PlannedFault[] = []
  const bound = healingBoundMs(Number(options.dynamicConfig['ttl']))
  for (const host of world.hosts.values()) world.startAgent(host)
  await mustHeal(world, bound)
  let orders = 0
  for (let stretch = 0; world.scheduler.now < request.hours * 3_600_000; stretch++) {
    if (world.violations.found.length > 0) break
    const faults = planFaults(new Rng(`plan/${request.seed}/${stretch}`), kinds, {
      fromMs: world.scheduler.now,
      lengthMs: STRETCH_MS,
      meanMs: MEAN_MS,
      firstIndex: stretch * 1000,
    }).filter((fault) => !request.without.has(fault.index))
    await endure(world, request.seed, faults, happened)
    orders += await mustHeal(world, bound)
  }
  const result: RunResult = {
    seed: request.seed,
    violation: world.violations.found[0] ?? null,
    simulatedMs: world.scheduler.now,
    faults: happened,
    promotions: world.timelines.promotions,
    rows: world.durability.rows,
    orders,
    longestOutageMs: world.writer.longestOutageMs,
    trace: world.trace.lines(),
    traits: traitsOf(options),
    coverage: world.coverage,
    configuration: `${options.members.join(',')} ${JSON.stringify(options.tags)} ${JSON.stringify(options.dynamicConfig)} ${JSON.stringify(options.store)}`,
  }
  world.close()
  return result
}

async function endure(
  world: World,
  seed: string,
  faults: readonly PlannedFault[],
  happened: PlannedFault[],
): Promise<void> {
  const active = new Set<() => void>()
  for (const fault of faults) {
    world.scheduler.at(fault.atMs, () => {
      happened.push(fault)
      const end = CATALOGUE[fault.kind]({ world, rng: new Rng(`fault/${seed}/${fault.index}`) })
      if (!end) return
      active.add(end)
      world.scheduler.after(fault.lastsMs, () => {
        if (active.delete(end)) end()
      })
    })
  }
  await world.run(STRETCH_MS)
  for (const end of active) end()
  active.clear()
  putRight(world)
}

/** @returns how often an operator had to say which copy of the data counts */
async function mustHeal(world: World, boundMs: number): Promise<number> {
  world.trace.add('world', '--- all faults are over')
  const isWhole = (): Promise<boolean> => world.until(() => illness(world) === null, boundMs, 250)
  let whole = await isWhole()
  const orders = !whole && sayWhichCopyCounts(world) ? 1 : 0
  if (orders > 0) whole = await isWhole()
  if (whole) world.wholeAgain()
  else if (world.violations.found.length === 0)
    world.violations.report('heals', `after ${boundMs / 1000} s: ${illness(world) ?? 'whole'}`)
  return orders
}
