import { isObject, type Json } from '../../cluster/json.ts'
import { DEFAULT_TIMING } from '../../cluster/settings.ts'
import type { Instant } from '../../cluster/time.ts'
import type { CycleRecording } from '../../ports/journal.ts'
import { runCycle } from '../cycle.ts'
import { type Begun, LongActions } from '../long-action.ts'
import { type Memory, newMemory } from '../memory.ts'
import type { CycleResult } from '../messages.ts'
import { Mutex } from '../mutex.ts'
import type { Ha, World } from '../world.ts'
import { decode } from './codec.ts'
import { NOT_RECORDED } from './recorder.ts'

export interface Replay {
  readonly result: CycleResult
  /** The decision was the same as when it was recorded. */
  readonly same: boolean
  /** Questions that the decision asks now and did not ask then. */
  readonly unanswered: readonly string[]
}

/** Runs a recorded cycle through the decision code again, with the answers that the world gave then. */
export async function replayCycle(recording: CycleRecording): Promise<Replay> {
  const answers = new Answers(recording['answers'])
  const world = replayedWorld(recording, answers)
  const ha: Ha = {
    world,
    memory: { ...newMemory({}, DEFAULT_TIMING), ...(decode(recording['memory'] ?? {}) as Memory) },
    actions: new ReplayedActions(world, answers),
    mutex: new Mutex(),
    wake: () => {},
  }
  const result = await runCycle(ha, new AbortController().signal)
  const then = isObject(recording['result']) ? recording['result'] : {}
  const same = result.rule === then['rule'] && result.text === then['text']
  return { result, same, unanswered: [...answers.unanswered] }
}

/** The answers by question, in the order in which they were given; the last one is given again when they run out. */
class Answers {
  readonly unanswered = new Set<string>()
  readonly #queues = new Map<string, { readonly kind: string; readonly values: unknown[]; last: unknown }>()

  constructor(recorded: Json | undefined) {
    for (const entry of Array.isArray(recorded) ? (recorded as readonly Json[]) : []) {
      if (!Array.isArray(entry)) continue
      const [name, kind, answer] = entry as readonly Json[]
      if (typeof name !== 'string' || typeof kind !== 'string') continue
      const queue = this.#queues.get(name) ?? { kind, values: [], last: undefined }
      queue.values.push(decode(answer ?? null))
      this.#queues.set(name, queue)
    }
  }

  kindOf(name: string): string | null {
    return this.#queues.get(name)?.kind ?? null
  }

  next(name: string): unknown {
    const queue = this.#queues.get(name)
    if (!queue) {
      this.unanswered.add(name)
      return undefined
    }
    if (queue.values.length > 0) queue.last = queue.values.shift()
    return queue.last
  }

  /** Beyond what was recorded time goes on with the waits, or a wait that is longer today would never end. */
  slept(ms: number): void {
    const now = this.#queues.get('clock.now')
    if (now && now.values.length === 0 && typeof now.last === 'number') now.last += ms
  }
}

const NEVER = new AbortController().signal
const WAITS = {
  'clock.deadline': () => ({ signal: NEVER, done: () => {} }),
  'dcs.onChange': () => () => {},
  'postgres.onEvent': () => () => {},
}

function replayedWorld(recording: CycleRecording, answers: Answers): World {
  const waits: Readonly<Record<string, unknown>> = { ...WAITS, 'clock.sleep': async (ms: number) => answers.slept(ms) }
  const port = (name: string): unknown =>
    new Proxy(
      {},
      {
        get: (_, key) => {
          const question = `${name}.${String(key)}`
          if (NOT_RECORDED.includes(question)) return waits[question]
          const kind = answers.kindOf(question)
          if (kind === 'value') return answers.next(question)
          if (kind === 'sync') return () => answers.next(question)
          return async () => answers.next(question)
        },
      },
    )
  const silent = (): void => {}
  const log = { debug: silent, info: silent, warning: silent, error: silent, critical: silent }
  const ports = { clock: port('clock'), random: port('random'), dcs: port('dcs'), postgres: port('postgres') }
  return {
    ...ports,
    peers: port('peers'),
    fence: port('fence'),
    name: typeof recording['name'] === 'string' ? recording['name'] : '',
    log,
    journal: { record: silent, endCycle: silent },
    identity: () => answers.next('world.identity'),
    minimumTiming: decode(recording['minimumTiming'] ?? null),
  } as unknown as World
}

/** A long action is only noted to have begun: what it does beside the cycle is no part of the decision. */
class ReplayedActions extends LongActions {
  readonly #answers: Answers

  constructor(world: World, answers: Answers) {
    super(
      world.clock,
      () => {},
      () => {},
    )
    this.#answers = answers
  }

  override get name(): string | null {
    return this.#answers.next('actions.name') as string | null
  }

  override get since(): Instant | null {
    return this.#answers.next('actions.since') as Instant | null
  }

  override begin<T>(): Begun<T | undefined> {
    const running = this.name
    return running === null ? { kind: 'begun', ended: Promise.resolve(undefined) } : { kind: 'busy', running }
  }

  override abort(): void {}

  override async cancel(): Promise<void> {}
}
