import { ZERO_LSN } from '../../cluster/lsn.ts'
import type { NameSet } from '../../cluster/name-set.ts'
import { observation, walPosition } from '../facts.ts'
import { insideCycleMs } from '../waiting.ts'
import type { Cycle } from '../world.ts'
import { confirmedLsn } from './observe.ts'

/** Usually the standbys confirm within a moment; else the key waits for a later cycle. */
const CONFIRM_MS = 1000
const LOOK_MS = 50

/**
 * Whether every commit from before the names last changed is with so many of these voters that `quorum` others who agree
 * include one that has it. Such a commit may have been confirmed by a standby that is no voter any more, and the ones that
 * are left may not have it, though all later commits wait for them (spec ha.md 17.4).
 */
export async function commitsAreWith(c: Cycle, voters: NameSet, quorum: number): Promise<boolean> {
  const { clock, postgres } = c.world
  const needed = voters.size - quorum
  const limit = clock.now() + insideCycleMs(c, CONFIRM_MS)
  for (;;) {
    const seen = await observation(c)
    if (!seen || seen.inRecovery) return false
    const upTo = c.memory.sync.changedAtLsn ?? walPosition(seen)
    const holders = voters
      .names()
      .filter((name) =>
        seen.walSenders.some(
          (sender) =>
            sender.applicationName.toLowerCase() === name.toLowerCase() &&
            (confirmedLsn(seen, sender) ?? ZERO_LSN) >= upTo,
        ),
      )
    if (holders.length >= needed) return true
    if (clock.now() >= limit || c.signal.aborted) return false
    await clock.sleep(LOOK_MS, c.signal)
    postgres.forgetObservation()
  }
}
