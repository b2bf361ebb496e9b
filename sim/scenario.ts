import type { JsonObject } from '../src/cluster/json.ts'
import type { Tags } from '../src/cluster/tags.ts'
import { KEYS } from '../src/cluster/view.ts'
import { illness } from './checks/health.ts'
import type { Violation } from './checks/violations.ts'
import { Rng } from './engine/random.ts'
import { type Fault, primaryOf, type Scene } from './faults/fault.ts'
import { USUAL_TEMPO } from './pg/surroundings.ts'
import { type Filters, NO_FILTERS } from './world/filters.ts'
import type { Host } from './world/host.ts'
import type { WorldOptions } from './world/options.ts'
import { World } from './world/world.ts'

/** One incident, told step by step, and the guard without which it ends badly. */
export interface Scenario {
  /** A sentence: what happens. */
  readonly name: string
  readonly members?: readonly string[]
  readonly tags?: Readonly<Record<string, Tags>>
  readonly config?: JsonObject
  readonly options?: Partial<WorldOptions>
  /** What always is between the code and its ports in this story. */
  readonly filters?: Partial<Filters>
  /** What keeps this from going wrong, in words, and how it is taken out. */
  readonly guard: {
    readonly name: string
    readonly out: { readonly options?: Partial<WorldOptions>; readonly filters?: Partial<Filters> }
  }
  play(stage: Stage): Promise<void>
}

export const FAST: JsonObject = { ttl: 20, loop_wait: 5, retry_timeout: 5 }

/** What a scenario works with: the world, and shorter words for it. */
export class Stage {
  readonly world: World
  readonly scene: Scene

  constructor(world: World) {
    this.world = world
    this.scene = { world, rng: new Rng('scene') }
  }

  host(name: string): Host {
    return this.world.host(name)
  }

  /** Who takes writes now. */
  get primary(): Host | null {
    return primaryOf(this.world)
  }

  /** Whom the leader key names. */
  get holder(): string | undefined {
    return this.world.store.tree.keys.get(KEYS.leader)?.text
  }

  get leader(): Host {
    const host = this.primary
    if (!host) throw new Error('there is no primary now')
    return host
  }

  /** Everybody but the primary. */
  get standbys(): Host[] {
    const { leader } = this
    return [...this.world.hosts.values()].filter((host) => host !== leader)
  }

  run(ms: number): Promise<void> {
    return this.world.run(ms)
  }

  /** Waits for something that has to come. */
  async until(what: string, condition: () => boolean, limitMs = 60_000): Promise<void> {
    if (!(await this.world.until(condition, limitMs, 1)))
      this.expect(false, `within ${limitMs / 1000} s ${what}; instead ${illness(this.world) ?? 'all is well'}`)
  }

  /** Whole: one primary with the lock, everybody streams. */
  settled(limitMs = 180_000): Promise<void> {
    return this.until('the cluster is whole', () => illness(this.world) === null, limitMs)
  }

  expect(condition: boolean, text: string): void {
    if (!condition) this.world.violations.report('as told', text)
  }

  fault(fault: Fault): () => void {
    return fault(this.scene) ?? (() => {})
  }
}

export async function perform(
  scenario: Scenario,
  options: { readonly guarded: boolean; readonly seed?: string; readonly traceLines?: number },
): Promise<{ readonly violations: readonly Violation[]; readonly trace: readonly string[] }> {
  const out = options.guarded ? {} : scenario.guard.out
  const world = new World(
    {
      seed: options.seed ?? scenario.name,
      members: scenario.members ?? ['a', 'b', 'c'],
      tags: scenario.tags ?? {},
      dynamicConfig: { ...FAST, ...scenario.config },
      store: { sessions: 'shared', tellsAll: false, watchDelayMs: 5 },
      tempo: USUAL_TEMPO,
      fence: true,
      writeEveryMs: 100,
      rowBytes: 200,
      traceLines: options.traceLines ?? 0,
      pardoned: new Set(),
      ...scenario.options,
      ...out.options,
    },
    { ...NO_FILTERS, ...scenario.filters, ...out.filters },
  )
  const stage = new Stage(world)
  for (const host of world.hosts.values()) world.startAgent(host)
  await stage.settled()
  if (world.violations.found.length === 0) await scenario.play(stage)
  world.close()
  return { violations: world.violations.found, trace: world.trace.lines() }
}
