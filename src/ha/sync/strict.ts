import { minimumSync } from '../../cluster/settings.ts'
import type { Cycle } from '../world.ts'
import { isQuorumMode } from './active.ts'
import { knownSync, votersOf } from './key.ts'
import { assignNames, setNames } from './names.ts'
import type { SyncPicture } from './observe.ts'

/**
 * Too few standbys for strict mode: commits go on waiting for those that were promised, who stay electable
 * (spec ha.md 16.4). @returns whether that ends the step
 */
export async function holdInStrictMode(c: Cycle, picture: SyncPicture): Promise<boolean> {
  const minimum = minimumSync(c.settings)
  const voters = votersOf(knownSync(c))
  if (picture.active.size >= minimum) {
    c.memory.sync.strictWarned = false
    const idle = picture.active.size === 0 && voters.size === 0
    if (minimum === 0 && idle && picture.liveText !== '') await setNames(c, null)
    return false
  }
  const quorumMode = isQuorumMode(c)
  const count = Math.max(minimum, voters.size - (quorumMode ? knownSync(c).quorum : 0))
  const kind = quorumMode ? 'quorum' : 'priority'
  const same = picture.liveNames.equals(voters) && picture.live.count === count && picture.live.kind === kind
  warnOnce(c, same && voters.size > 0 ? picture.liveText : null)
  if (!same) await assignNames(c, { kind, count, names: voters })
  return true
}

function warnOnce(c: Cycle, kept: string | null): void {
  if (c.memory.sync.strictWarned) return
  c.memory.sync.strictWarned = true
  const continued = kept === null ? '' : `Continue using old value of synchronous_standby_names="${kept}". `
  c.world.log.warning(
    `No active replication connections from Patroni members and synchronous_mode_strict is requested. ${continued}Commits will be delayed.`,
  )
}
