import type { Peers } from '../../src/ports/peers.ts'
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
