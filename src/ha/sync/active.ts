import { syncMode } from '../../cluster/settings.ts'
import type { Cycle } from '../world.ts'

/** Synchronous mode is on and somebody maintains the `sync` key. */
export function isSyncActive(c: Cycle): boolean {
  return syncMode(c.settings) !== 'off' && c.view.sync.leader !== null
}

/** Votes are counted. Off in a standby cluster, whatever an old `sync` key says. */
export function isQuorumActive(c: Cycle): boolean {
  return isQuorumMode(c) && c.view.sync.leader !== null
}

export function isQuorumMode(c: Cycle): boolean {
  return syncMode(c.settings) === 'quorum'
}
