import { NameSet } from '../../cluster/name-set.ts'
import type { Cycle } from '../world.ts'
import { pictureOf } from './observe.ts'

const LOOK_MS = 100

/**
 * Waits until commits are certain to wait for `enough` of these standbys, at most `limitMs`: who has just been listed
 * usually catches up within a moment, and until `sync` names it, it may not take over.
 * @returns those for which they do
 */
export async function waitForConfirmation(
  c: Cycle,
  active: NameSet,
  enough: number,
  limitMs: number,
): Promise<NameSet> {
  const { clock, postgres } = c.world
  const limit = clock.now() + limitMs
  let confirmed = new NameSet()
  do {
    await clock.sleep(LOOK_MS, c.signal)
    postgres.forgetObservation()
    confirmed = (await pictureOf(c))?.confirmed.and(active) ?? confirmed
  } while (confirmed.size < enough && clock.now() < limit && !c.signal.aborted)
  return confirmed
}
