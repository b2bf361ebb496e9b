import type { Json, JsonObject } from '../../cluster/json.ts'
import type { CycleRecording } from '../../ports/journal.ts'
import type { Ha, World } from '../world.ts'
import { encode } from './codec.ts'

/** Ports whose answers a decision depends on. */
const RECORDED = ['clock', 'random', 'dcs', 'postgres', 'peers', 'fence'] as const
/** What only waits or subscribes: a replay has its own. */
export const NOT_RECORDED: readonly string[] = [
  'clock.sleep',
  'clock.deadline',
  'dcs.onChange',
  'postgres.onEvent',
  'actions.begin',
  'actions.abort',
  'actions.cancel',
]

type Answer = readonly [name: string, kind: 'value' | 'sync' | 'async', answer: unknown]

/**
 * Writes down what the world answers during one cycle, so that its decision can be run again. The calls themselves go
 * through unchanged; once the cycle has ended nothing is written down any more, though work that it began goes on.
 */
export class CycleRecorder {
  readonly ha: Ha
  readonly #start: object
  #answers: Answer[] | null = []

  constructor(ha: Ha) {
    const { world, memory } = ha
    this.#start = { name: world.name, minimumTiming: world.minimumTiming, memory: copied(memory, SECTIONS) }
    const ports = Object.fromEntries(RECORDED.map((port) => [port, this.#recorded(port, world[port])]))
    const identity: World['identity'] = () => {
      const answer = world.identity()
      this.#note('world.identity', 'sync', answer)
      return answer
    }
    const actions = this.#recorded('actions', ha.actions)
    this.ha = { ...ha, actions, world: { ...world, ...(ports as Partial<World>), identity } }
  }

  /** @param result how the cycle ended, for comparison */
  recording(result: { readonly rule: string; readonly text: string }): CycleRecording {
    const answers = (this.#answers ?? []).map(([name, kind, answer]): Json => [name, kind, encode(answer)])
    return { ...(encode(this.#start) as JsonObject), result: { rule: result.rule, text: result.text }, answers }
  }

  end(): void {
    this.#answers = null
  }

  #note(...answer: Answer): void {
    this.#answers?.push(answer)
  }

  #recorded<T extends object>(port: string, target: T): T {
    return new Proxy(target, {
      get: (_, key) => {
        const value: unknown = Reflect.get(target, key, target)
        const name = `${port}.${String(key)}`
        if (typeof value !== 'function') {
          if (typeof key === 'string') this.#note(name, 'value', value)
          return value
        }
        return (...args: readonly unknown[]): unknown => {
          if (name === 'actions.begin') this.#note('actions.name', 'value', Reflect.get(target, 'name', target))
          const answer: unknown = Reflect.apply(value, target, args)
          if (NOT_RECORDED.includes(name)) return answer
          if (!(answer instanceof Promise)) {
            this.#note(name, 'sync', answer)
            return answer
          }
          return answer.then((settled: unknown) => {
            this.#note(name, 'async', settled)
            return settled
          })
        }
      },
    })
  }
}

/** The memory is made of sections; what their fields name is replaced, not changed, but for maps and sets. */
const SECTIONS = 2

/** Of nearly all cycles nothing is kept: this much cheaper than their text. */
function copied(value: unknown, depth: number): unknown {
  if (value instanceof Map) return new Map(value)
  if (value instanceof Set) return new Set(value)
  if (depth === 0 || typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, copied(one, depth - 1)]))
}
