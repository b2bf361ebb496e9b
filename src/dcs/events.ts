import { KEYS } from '../cluster/view.ts'
import type { StoreEvent } from '../ports/dcs.ts'

/**
 * Whether a change is worth waking somebody up (spec dcs.md 1.8). One that keeps the value is not: a renewed binding to
 * a lease, a member that writes the same again. Nor is the creation or the end of the dynamic configuration.
 * @param key relative to the prefix
 * @param change the texts before and after; `null`: no such key
 */
export function eventOf(
  key: string,
  { before, after }: { readonly before: string | null; readonly after: string | null },
): StoreEvent | null {
  if (before === after) return null
  if (key.startsWith(KEYS.members)) return 'members'
  switch (key) {
    case KEYS.leader:
      return 'leader'
    case KEYS.config:
      return before !== null && after !== null ? 'config' : null
    case KEYS.status:
    case KEYS.legacyOptime:
      return 'status'
    case KEYS.failover:
      return 'failover'
    case KEYS.sync:
      return 'sync'
    case KEYS.initialize:
      return 'initialize'
    default:
      return null
  }
}
