import type { Rng } from '../engine/random.ts'
import type { Scheduler } from '../engine/scheduler.ts'
import type { Network } from '../net/network.ts'
import type { PgServer } from './server.ts'
import type { Branch } from './wal.ts'

/** How long PostgreSQL takes for things, as ranges in milliseconds on a healthy disk. */
export interface PgTempo {
  readonly start: readonly [number, number]
  readonly crashRecovery: readonly [number, number]
  readonly promotion: readonly [number, number]
  readonly checkpoint: readonly [number, number]
  readonly baseBackup: readonly [number, number]
  readonly rewind: readonly [number, number]
  readonly initdb: readonly [number, number]
}

export const USUAL_TEMPO: PgTempo = {
  start: [80, 400],
  crashRecovery: [200, 3000],
  promotion: [30, 300],
  checkpoint: [10, 400],
  baseBackup: [2000, 12_000],
  rewind: [800, 5000],
  initdb: [600, 1500],
}

/** What happens inside the servers, for those who check invariants. */
export interface PgObserver {
  /** A server began or ceased to take writes of clients. */
  writableChanged(server: PgServer): void
  branchCreated(branch: Branch, how: 'bootstrap' | 'promotion' | 'restart beside its timeline'): void
  /** A standby was given WAL that does not continue its own, because the timeline number agreed. */
  historiesMixed(standby: PgServer, upstream: PgServer): void
}

export interface PgSurroundings {
  readonly scheduler: Scheduler
  readonly network: Network
  readonly rng: Rng
  readonly tempo: PgTempo
  readonly observer: PgObserver
  /** By host. */
  readonly servers: Map<string, PgServer>
}

export function duration(around: PgSurroundings, range: readonly [number, number]): number {
  return around.rng.between(range[0], range[1])
}
