import type { InstanceState, Role } from '../cluster/instance.ts'
import type { Clock } from '../ports/clock.ts'
import type { InstanceMemory } from './parts.ts'

/** An agent knows nothing of its server when it begins: it has none, and that one is stopped (spec postgres.md 1.2). */
export function instanceMemory(clock: Clock): InstanceMemory {
  let role: Role = 'uninitialized'
  let state: InstanceState = 'stopped'
  let stateSince = clock.now()
  return {
    get role() {
      return role
    },
    get state() {
      return state
    },
    get stateSince() {
      return stateSince
    },
    setRole(next) {
      role = next
    },
    setState(next) {
      if (next === state) return
      state = next
      stateSince = clock.now()
    },
  }
}
