import { NameSet } from '../../cluster/name-set.ts'
import type { SyncState } from '../../cluster/sync-state.ts'
import type { SyncWrite } from '../../ports/dcs.ts'
import { type Cycle, did, inStore } from '../world.ts'

/** The `sync` key as it is now: as read, or as we have written it since. */
export function knownSync(c: Cycle): SyncState {
  return c.memory.sync.known ?? c.view.sync
}

export function votersOf(sync: SyncState): NameSet {
  return new NameSet(sync.voters)
}

/** Writes the key if it is still the one that is known. */
export async function writeSync(c: Cycle, leader: string, voters: NameSet, quorum: number): Promise<'done' | 'failed'> {
  const state: SyncWrite = { leader, voters: voters.names(), quorum }
  const outcome = await inStore(c, (budget) => c.world.dcs.writeSync(state, knownSync(c).version, budget))
  did(c, 'write sync key', { leader, voters: state.voters, quorum, outcome: outcome.kind })
  if (outcome.kind !== 'done') return 'failed'
  c.memory.sync.known = { version: outcome.value, ...state }
  return 'done'
}

export async function deleteSync(c: Cycle): Promise<'done' | 'failed'> {
  const outcome = await inStore(c, (budget) => c.world.dcs.deleteSync(knownSync(c).version, budget))
  if (outcome.kind !== 'done') return 'failed'
  c.memory.sync.known = { version: null, leader: null, voters: [], quorum: 0 }
  return 'done'
}
