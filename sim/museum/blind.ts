import type { Peers } from '../../src/ports/peers.ts'
import type { Filters } from '../world/filters.ts'
import { overriding } from '../world/filters.ts'

/** Nobody ever learns how the others are: what rests on asking them is gone. */
export const DEAF_PEERS: Partial<Filters> = {
  peers: (peers): Peers =>
    overriding(peers, {
      statuses: (members) => Promise.resolve(members.map(({ name }) => ({ kind: 'unreachable', name }) as const)),
    }),
}
