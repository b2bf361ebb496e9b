import type { JsonObject } from '../../src/cluster/json.ts'
import type { Tags } from '../../src/cluster/tags.ts'
import { textForm } from '../../src/cluster/values.ts'
import type { Rng } from '../engine/random.ts'
import { USUAL_TEMPO } from '../pg/surroundings.ts'
import type { WorldOptions } from '../world/options.ts'
import { REMOTE } from '../world/remote.ts'
import { FAULTS, type FaultKind, type PlannedFault } from './fault.ts'

/** What one seed is about: a cluster, the kinds of faults it meets, and when. */
export interface Swarm {
  readonly options: WorldOptions
  readonly kinds: readonly FaultKind[]
}

const TIMINGS = [
  { ttl: 30, loop_wait: 10, retry_timeout: 10 },
  { ttl: 20, loop_wait: 5, retry_timeout: 5 },
  { ttl: 10, loop_wait: 2, retry_timeout: 3 },
  { ttl: 5, loop_wait: 1, retry_timeout: 1 },
] as const

const NAMES = ['a', 'b', 'c', 'd', 'e'] as const

/** Rare by nature, or so strong that little else would be seen beside them. */
const SELDOM: ReadonlySet<FaultKind> = new Set([
  'store wiped',
  'store restored',
  'manual failover',
  'standby cluster promoted',
  'becomes a standby cluster',
  'system identifier overwritten',
  'data lost',
  'guard broken',
])

/** Each seed turns some kinds of faults off altogether: many bugs show only where others do not hide them. */
export function swarm(rng: Rng, seed: string, given: Pick<WorldOptions, 'traceLines' | 'pardoned'>): Swarm {
  const kinds = FAULTS.filter((kind) => rng.chance(kind === 'paused' ? 0.25 : SELDOM.has(kind) ? 0.12 : 0.5))
  const members = NAMES.slice(0, rng.pick([2, 3, 3, 3, 4, 5]))
  const standby = rng.chance(0.1)
  return {
    kinds: kinds.length > 0 ? kinds : ['agent killed'],
    options: {
      seed,
      members,
      tags: memberTags(rng, members),
      dynamicConfig: standby ? standbyConfiguration(rng) : configuration(rng),
      standby,
      store: {
        sessions: rng.chance(0.7) ? 'shared' : 'per-key',
        tellsAll: rng.chance(0.5),
        watchDelayMs: rng.pick([1, 5, 50, 500]),
        usualDelayMs: rng.pick([0, 0, 0, 0, 20, 200]),
      },
      rewind: rng.chance(0.85),
      tempo: USUAL_TEMPO,
      fence: true,
      writeEveryMs: rng.between(200, 2000),
      rowBytes: rng.pick([100, 300, 5000]),
      ...given,
    },
  }
}

function configuration(rng: Rng): JsonObject {
  const mode = rng.pick([false, false, true, true, 'quorum', 'quorum'] as const)
  return {
    ...rng.pick(TIMINGS),
    maximum_lag_on_failover: rng.pick([0, 10_000, 1_048_576]),
    ...(mode === false ? {} : { synchronous_mode: mode }),
    ...(mode !== false && rng.chance(0.3) ? { synchronous_mode_strict: true } : {}),
    ...(mode !== false && rng.chance(0.3) ? { synchronous_node_count: 2 } : {}),
    ...(rng.chance(0.4) ? { failsafe_mode: true } : {}),
    ...(rng.chance(0.5) ? { check_timeline: true } : {}),
    ...(rng.chance(0.5) ? { primary_start_timeout: rng.pick([0, 5, 60]) } : {}),
    ...(rng.chance(0.3) ? { primary_stop_timeout: rng.pick([2, 10]) } : {}),
    ...(rng.chance(0.15) ? { primary_race_backoff: 5 } : {}),
    ...(rng.chance(0.2) ? { maximum_lag_on_syncnode: 100_000 } : {}),
  }
}

function standbyConfiguration(rng: Rng): JsonObject {
  const { synchronous_mode: _, synchronous_mode_strict: __, ...rest } = configuration(rng)
  return { ...rest, standby_cluster: { host: REMOTE, port: 5432 } }
}

/** Never so many that nobody could be promoted. */
function memberTags(rng: Rng, members: readonly string[]): Record<string, Tags> {
  const last = members.at(-1)
  if (last === undefined || members.length < 3 || !rng.chance(0.35)) return {}
  return {
    [last]: rng.pick([
      { nofailover: true },
      { failover_priority: 5 },
      { nosync: true },
      { failover_priority: '0' },
      { replicatefrom: 'b' },
      { clonefrom: true },
      { sync_priority: 3 },
    ]),
  }
}

/** Faults of one stretch of `lengthMs`, on average one every `meanMs`. */
export function planFaults(
  rng: Rng,
  kinds: readonly FaultKind[],
  stretch: { readonly fromMs: number; readonly lengthMs: number; readonly meanMs: number; readonly firstIndex: number },
): PlannedFault[] {
  const faults: PlannedFault[] = []
  let atMs = stretch.fromMs + rng.exponential(stretch.meanMs)
  while (atMs < stretch.fromMs + stretch.lengthMs) {
    faults.push({
      index: stretch.firstIndex + faults.length,
      kind: rng.pick(kinds),
      atMs,
      lastsMs: rng.chance(0.5) ? rng.exponential(8000) : rng.exponential(60_000),
    })
    // Troubles come together as often as alone.
    atMs += rng.chance(0.4) ? rng.exponential(stretch.meanMs / 10) : rng.exponential(stretch.meanMs * 1.6)
  }
  return faults
}

/** What the seed drew, in words: so that it can be seen what was run how often. */
export function traitsOf({ members, dynamicConfig, rewind, standby, store, tags }: WorldOptions): string[] {
  const mode = dynamicConfig['synchronous_mode'] ?? false
  const replication = mode === false ? 'asynchronous' : mode === 'quorum' ? 'quorum' : 'synchronous'
  return [
    `mode: ${standby ? 'standby cluster' : replication}`,
    ...(dynamicConfig['synchronous_mode_strict'] ? [`mode: ${replication}, strict`] : []),
    ...(dynamicConfig['synchronous_node_count'] && !standby ? [`mode: ${replication}, two standbys`] : []),
    `ttl: ${textForm(dynamicConfig['ttl'])}`,
    `members: ${members.length}`,
    ...(dynamicConfig['failsafe_mode'] ? ['failsafe mode'] : []),
    ...(dynamicConfig['check_timeline'] ? ['check_timeline'] : []),
    ...(dynamicConfig['primary_race_backoff'] ? ['primary_race_backoff'] : []),
    ...(dynamicConfig['primary_start_timeout'] === 0 ? ['primary_start_timeout 0'] : []),
    ...(rewind === false ? ['no pg_rewind'] : []),
    ...(store.usualDelayMs ? [`store: ${store.usualDelayMs} ms for every answer`] : []),
    `store: sessions ${store.sessions}`,
    ...Object.values(tags).flatMap((one) => Object.keys(one).map((tag) => `tag: ${tag}`)),
  ]
}
