import { type Log } from '../../ports/log.ts'
import type { SlotFact } from '../../ports/postgres.ts'

/** What the primary says about the slots that matter for this node's copies; `null`: it has no such slot. */
export interface PrimaryHorizons {
  /** catalog_xmin of the physical slot through which our catalogue rows are held. */
  readonly physical: { readonly catalogXmin: string | null } | null
  readonly logical: ReadonlyMap<string, string | null>
}

/**
 * Copies of logical slots that must not be used yet: they may point to catalogue rows that the primary has already
 * vacuumed away (spec postgres.md 7.7). Value: the primary's logical catalog_xmin when first seen.
 */
export interface Readiness {
  readonly unsafe: readonly string[]
  /** Slots whose horizon on the primary is not known yet. */
  readonly unasked: readonly string[]
  add(names: Iterable<string>): void
  clear(): void
  judge(physicalName: string, horizons: PrimaryHorizons, local: readonly SlotFact[], feedback: boolean): void
}

export function createReadiness(log: Log): Readiness {
  const queue = new Map<string, string | null>()
  let complained = ''

  /** Once for each cause: the question is asked every cycle. */
  function complain(text: string): void {
    if (text !== complained) log.error(text)
    complained = text
  }

  return {
    get unsafe() {
      return [...queue.keys()]
    },
    get unasked() {
      return [...queue].filter(([, xmin]) => xmin === null).map(([name]) => name)
    },
    add(names) {
      for (const name of names) queue.set(name, null)
    },
    clear() {
      queue.clear()
    },
    judge(physicalName, horizons, local, feedback) {
      const { physical } = horizons
      if (!physical) return complain(`Physical slot ${physicalName} does not exist on the primary`)
      if (physical.catalogXmin === null) {
        if (!feedback)
          complain('Logical slot failover requires "hot_standby_feedback". Please check postgresql.auto.conf')
        return
      }
      complained = ''
      for (const [name, known] of queue) {
        const horizon = known ?? horizons.logical.get(name) ?? null
        queue.set(name, horizon)
        const slot = local.find((one) => one.name === name)
        if (slot && !isSafe(horizon, physical.catalogXmin, slot.catalogXmin)) continue
        queue.delete(name)
        if (slot) log.info(`Logical slot ${name} is safe to be used after a failover`)
      }
    },
  }
}

function isSafe(onPrimary: string | null, held: string, local: string | null): boolean {
  return onPrimary !== null && local !== null && Number(onPrimary) <= Number(held) && Number(held) <= Number(local)
}
