import type { Peers } from '../../src/ports/peers.ts'
import type { Scenario } from '../scenario.ts'
import type { Filters } from '../world/filters.ts'
import { overriding } from '../world/filters.ts'

/** Whoever has these never learns how the others are. */
export function deaf(peers: Peers): Peers {
  return overriding(peers, {
    statuses: (members) => Promise.resolve(members.map(({ name }) => ({ kind: 'unreachable', name }) as const)),
  })
}

/** Nobody ever learns how the others are: what rests on asking them is gone. */
export const DEAF_PEERS: Partial<Filters> = { peers: deaf }

/** An old copy of the store may decide an election. */
export const ELECTION_AS_READ: Scenario['guard'] = {
  name: 'the lock is taken only while the store has what decided the election',
  out: { filters: { dcs: (dcs) => overriding(dcs, { acquire: (budget) => dcs.acquire(budget) }) } },
}
