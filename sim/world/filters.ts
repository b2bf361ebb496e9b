import type { ClusterView } from '../../src/cluster/view.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Dcs } from '../../src/ports/dcs.ts'
import type { PeerStatus, Peers } from '../../src/ports/peers.ts'
import type { Postgres } from '../../src/ports/postgres.ts'
import type { Host } from './host.ts'

/**
 * Between the code under test and its ports: scenarios take a guard out by blinding it, and spoil answers at a chosen
 * moment, without a second version of the code.
 */
export interface Filters {
  clock(clock: Clock, host: Host): Clock
  dcs(dcs: Dcs, host: Host): Dcs
  postgres(postgres: Postgres, host: Host): Postgres
  peers(peers: Peers, host: Host): Peers
}

export const NO_FILTERS: Filters = {
  clock: (clock) => clock,
  dcs: (dcs) => dcs,
  postgres: (postgres) => postgres,
  peers: (peers) => peers,
}

/** A store whose members read something else than it has. */
export function misreading(change: (view: ClusterView, host: Host) => ClusterView): Partial<Filters> {
  return {
    dcs: (dcs, host) =>
      overriding(dcs, {
        load: async (budget) => {
          const outcome = await dcs.load(budget)
          return outcome.kind === 'done' ? { ...outcome, value: change(outcome.value, host) } : outcome
        },
      }),
  }
}

/** Members that hear something else than others answer. */
export function mishearing(change: (answer: PeerStatus, host: Host) => PeerStatus): Partial<Filters> {
  return {
    peers: (peers, host) =>
      overriding(peers, {
        statuses: async (members, budget) =>
          (await peers.statuses(members, budget)).map((answer) => change(answer, host)),
      }),
  }
}

/** A port whose named methods are replaced; everything else goes through. */
export function overriding<T extends object>(port: T, changed: Partial<T>): T {
  return new Proxy(port, {
    get: (target, key) => {
      if (key in changed) return changed[key as keyof T]
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
