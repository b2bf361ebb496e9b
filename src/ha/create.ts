import type { JsonObject } from '../cluster/json.ts'
import type { Timing } from '../cluster/settings.ts'
import { type ActionStep, LongActions } from './long-action.ts'
import { newMemory } from './memory.ts'
import { Mutex } from './mutex.ts'
import type { Ha, World } from './world.ts'

/**
 * Puts one agent's decision maker together.
 * @param dynamicConfig what is in force until the store says something else: the cached copy, or `bootstrap.dcs`
 * @param wake runs the next cycle at once
 */
export function createHa(world: World, dynamicConfig: JsonObject, timing: Timing, wake: () => void): Ha {
  const onError = (name: string, error: unknown): void => world.log.error(`Unexpected exception in ${name}`, error)
  const onStep = ({ step, name, tookMs }: ActionStep): void =>
    world.journal.record({
      kind: 'did',
      what: step === 'begun' ? 'begin action' : 'end action',
      detail: { action: name, ...(tookMs === undefined ? {} : { tookMs: Math.round(tookMs) }) },
    })
  return {
    world,
    memory: newMemory(dynamicConfig, timing, world.clock.now()),
    actions: new LongActions(world.clock, wake, onError, onStep),
    mutex: new Mutex(),
    wake,
  }
}
