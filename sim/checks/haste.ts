import { isObject } from '../../src/cluster/json.ts'
import { textForm } from '../../src/cluster/values.ts'
import type { JournalEntry } from '../../src/ports/journal.ts'
import type { World } from '../world/world.ts'

const WINDOW_MS = 10_000
/** What fails is tried again after 1, 2, 4, 8 s; the rest is for what several faults at once may bring about. */
const USUAL = 8
/** Each cycle may try once, and sometimes something wakes it. */
const BEYOND_CYCLES = 4

/** Watches one agent: whatever an action comes to, it is not begun over and over without a pause. */
export class Haste {
  readonly #world: World
  readonly #host: string
  readonly #begun = new Map<string, number[]>()

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
    const now = this.#world.scheduler.now
    const times = (this.#begun.get(action) ?? []).filter((at) => at > now - WINDOW_MS)
    times.push(now)
    this.#begun.set(action, times)
    if (times.length > Math.max(USUAL, WINDOW_MS / this.#loopWaitMs + BEYOND_CYCLES))
      this.#world.violations.report('no haste', `${this.#host} began "${action}" ${times.length} times in 10 s`)
  }
}
