import type { Rng } from '../sim/engine/random.ts'
import type { Machine } from './machine.ts'

/** What part of the machine a fault needs; see Machine. */
export type Need = 'filter' | 'delay' | 'throttle' | 'disk' | 'clock' | 'nothing'

interface FaultKind {
  readonly needs: Need
  /** `member`: the primary or a replica; `store`: one of the etcd servers; `stores`: two of them. */
  readonly target: 'member' | 'store' | 'stores'
  /** Seconds that it lasts, from and to. */
  readonly lasts: readonly [number, number]
  /** How often it is chosen, beside the others. */
  readonly weight: number
}

/** Everything that can be done to a cluster. */
export const FAULTS = {
  'cut-off': { needs: 'filter', target: 'member', lasts: [5, 30], weight: 2 },
  'cut-off-sending': { needs: 'filter', target: 'member', lasts: [5, 30], weight: 1 },
  'cut-off-receiving': { needs: 'filter', target: 'member', lasts: [5, 30], weight: 1 },
  'cut-from-store': { needs: 'filter', target: 'member', lasts: [5, 30], weight: 2 },
  'cut-from-store-one-way': { needs: 'filter', target: 'member', lasts: [5, 30], weight: 1 },
  'cut-from-members': { needs: 'filter', target: 'member', lasts: [5, 30], weight: 1 },
  'store-cut-off': { needs: 'filter', target: 'store', lasts: [5, 30], weight: 1 },
  loss: { needs: 'filter', target: 'member', lasts: [5, 30], weight: 1 },
  'store-loss': { needs: 'filter', target: 'store', lasts: [5, 30], weight: 1 },
  delay: { needs: 'delay', target: 'member', lasts: [5, 30], weight: 1 },
  'store-delay': { needs: 'delay', target: 'store', lasts: [5, 30], weight: 1 },
  throttle: { needs: 'throttle', target: 'member', lasts: [5, 20], weight: 1 },
  'kill-agent': { needs: 'nothing', target: 'member', lasts: [1, 25], weight: 2 },
  'kill-postmaster': { needs: 'nothing', target: 'member', lasts: [1, 1], weight: 2 },
  'kill-host': { needs: 'nothing', target: 'member', lasts: [2, 25], weight: 2 },
  'kill-store': { needs: 'nothing', target: 'store', lasts: [2, 20], weight: 1 },
  'freeze-agent': { needs: 'nothing', target: 'member', lasts: [2, 25], weight: 2 },
  'freeze-postmaster': { needs: 'nothing', target: 'member', lasts: [2, 25], weight: 1 },
  'freeze-host': { needs: 'nothing', target: 'member', lasts: [2, 25], weight: 2 },
  'freeze-store': { needs: 'nothing', target: 'store', lasts: [2, 20], weight: 1 },
  'freeze-store-majority': { needs: 'nothing', target: 'stores', lasts: [3, 25], weight: 1 },
  'clock-step': { needs: 'clock', target: 'member', lasts: [5, 30], weight: 1 },
  'full-disk': { needs: 'disk', target: 'member', lasts: [5, 25], weight: 1 },
  switchover: { needs: 'nothing', target: 'member', lasts: [3, 3], weight: 2 },
} as const satisfies Readonly<Record<string, FaultKind>>

export type FaultName = keyof typeof FAULTS

export const FAULT_NAMES = Object.keys(FAULTS) as readonly FaultName[]

/** A fault that is going to be. Who is primary then is not known yet. */
export interface PlannedFault {
  readonly number: number
  readonly kind: FaultName
  /** From the beginning of the run. */
  readonly atMs: number
  readonly forMs: number
  readonly on: 'primary' | 'replica'
  /** Which of several replicas or store servers: 0, 1 or 2. */
  readonly index: number
  /** How strong, from 0 to 1. */
  readonly strength: number
}

/** Mean time between the end of a fault and the beginning of the next one. */
const MEAN_PAUSE_MS = 6000
/** So often a fault begins while another one is going on. */
const OVERLAP = 0.25
/** So often there is time for everything to get well again. */
const REST = 0.1
const REST_MS = 20_000

/** The same seed, length and kinds make the same plan. The last fault ends before the run does. */
export function planFaults(rng: Rng, lengthMs: number, kinds: readonly FaultName[]): readonly PlannedFault[] {
  const plan: PlannedFault[] = []
  const weighted = kinds.flatMap((kind) => Array.from({ length: FAULTS[kind].weight }, () => kind))
  let atMs = rng.between(2000, 6000)
  let clearMs = 0
  let isSecond = false
  while (weighted.length > 0) {
    const kind = rng.pick(weighted)
    const [least, most] = FAULTS[kind].lasts
    const forMs = Math.round(rng.between(least, most) * 1000)
    const on = rng.chance(0.6) ? 'primary' : 'replica'
    const planned = { kind, forMs, on, index: rng.int(0, 2), strength: rng.next() } as const
    atMs = Math.round(atMs)
    if (atMs + forMs > lengthMs) break
    plan.push({ number: plan.length + 1, atMs, ...planned })
    clearMs = Math.max(clearMs, atMs + forMs)
    // Two at once, but never three: nobody could say what a cluster owes then.
    isSecond = !isSecond && rng.chance(OVERLAP)
    if (isSecond) atMs = rng.between(atMs, atMs + forMs)
    else atMs = clearMs + 1000 + rng.exponential(MEAN_PAUSE_MS) + (rng.chance(REST) ? REST_MS : 0)
  }
  return plan
}

/** Which faults this machine permits, and why not the others. */
export function permittedFaults(
  machine: Machine,
  wanted: readonly FaultName[],
): {
  readonly kinds: readonly FaultName[]
  readonly leftOut: readonly { readonly kind: FaultName; readonly why: string }[]
} {
  const judged = wanted.map((kind) => {
    const { needs } = FAULTS[kind]
    return { kind, why: needs === 'nothing' ? true : machine[needs] }
  })
  return {
    kinds: judged.filter(({ why }) => why === true).map(({ kind }) => kind),
    leftOut: judged.flatMap(({ kind, why }) => (why === true ? [] : [{ kind, why }])),
  }
}
