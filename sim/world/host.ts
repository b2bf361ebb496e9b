import type { JsonObject } from '../../src/cluster/json.ts'
import type { Tags } from '../../src/cluster/tags.ts'
import { HostClock } from '../engine/clock.ts'
import type { Rng } from '../engine/random.ts'
import { PgServer } from '../pg/server.ts'
import type { PgSurroundings } from '../pg/surroundings.ts'
import type { Agent } from './agent.ts'
import { LeaseGuard } from './guard.ts'

/** Clocks of good machines differ by some tens of millionths; this is generous. */
const DRIFT_PPM = 200

/** A machine: clocks, a disk with PostgreSQL on it, a lease guard, and mostly an agent. */
export class Host {
  readonly name: string
  readonly clock: HostClock
  readonly server: PgServer
  readonly guard: LeaseGuard
  tags: Tags
  isUp = true
  agent: Agent | null = null
  /** The last dynamic configuration that an agent here knew: it is kept in a file. */
  dynamicConfig: JsonObject | null = null
  /** Agents started here so far. */
  incarnations = 0

  constructor(name: string, around: PgSurroundings, rng: Rng, tags: Tags) {
    this.name = name
    this.tags = tags
    this.clock = new HostClock(around.scheduler, rng.between(-DRIFT_PPM, DRIFT_PPM), -rng.between(1e4, 1e8))
    this.server = new PgServer(name, around)
    this.guard = new LeaseGuard(around.scheduler, this.clock, this.server)
  }
}

export function apiUrlOf(member: string): string {
  return `http://${member}:8008/patroni`
}

export function connUrlOf(member: string): string {
  return `postgres://${member}:5432/postgres`
}
