import { isObject } from '../../src/cluster/json.ts'
import { textForm } from '../../src/cluster/values.ts'
import { KEYS } from '../../src/cluster/view.ts'
import type { JournalEntry } from '../../src/ports/journal.ts'
import type { Scheduler } from '../engine/scheduler.ts'
import type { StoreTree } from '../store/tree.ts'
import type { World } from '../world/world.ts'

const WINDOW_MS = 10_000
/** What fails is tried again after 1, 2, 4, 8 s; the rest is for what several faults at once may bring about. */
const USUAL = 8
/** Each cycle may try once, and sometimes something wakes it; each change of a key that wakes everybody does. */
const BEYOND_CYCLES = 4

/** Watches one agent: whatever an action comes to, it is not begun over and over without a pause. */
export class Haste {
  readonly #world: World
  readonly #host: string
  readonly #begun = new Map<string, readonly number[]>()

  constructor(world: World, host: string) {
    this.#world = world
    this.#host = host
  }

  get #loopWaitMs(): number {
    return Number(this.#world.options.dynamicConfig['loop_wait']) * 1000
  }

  step({ what, detail }: JournalEntry): void {
    if (what !== 'begin action') return
    const action = textForm(isObject(detail) ? detail['action'] : detail)
    const { now } = this.#world.scheduler
    const times = [...recent(this.#begun.get(action) ?? [], now), now]
    this.#begun.set(action, times)
    const looks = WINDOW_MS / this.#loopWaitMs + this.#world.wakingChanges.recently + BEYOND_CYCLES
    if (times.length > Math.max(USUAL, looks))
      this.#world.violations.report('no haste', `${this.#host} began "${action}" ${times.length} times in 10 s`)
  }
}

/** A change of one of these wakes every member (src/ha/loop.ts). */
const WAKING: readonly string[] = [KEYS.leader, KEYS.config, KEYS.failover, KEYS.sync, KEYS.initialize]

/** When a key changed that everybody looks at at once. */
export class WakingChanges {
  readonly #scheduler: Scheduler
  #times: readonly number[] = []

  constructor(tree: StoreTree, scheduler: Scheduler) {
    this.#scheduler = scheduler
    tree.onChange((key) => {
      if (WAKING.includes(key)) this.#times = [...recent(this.#times, scheduler.now), scheduler.now]
    })
  }

  get recently(): number {
    return recent(this.#times, this.#scheduler.now).length
  }
}

function recent(times: readonly number[], now: number): readonly number[] {
  return times.filter((at) => at > now - WINDOW_MS)
}
