import { elapsedMs } from '../cluster/time.ts'
import type { PeerAddress } from '../ports/peers.ts'
import { askPeers, livingPrimary, mayRunWithoutStore } from './peer-limits.ts'
import type { Cycle } from './world.ts'

/**
 * Not even an order makes a second primary, where there is a sign of the first one. It has lost its lock and may go on
 * without the store, on the consent of others: also for the rest of its last lease when its agent has just been lost.
 * @returns why this member waits; `null`: no sign
 */
export async function signOfPrimary(c: Cycle, others: readonly PeerAddress[]): Promise<string | null> {
  const { memory, world, settings } = c
  const { log, clock } = world
  const answers = await askPeers(c, others)
  const alive = livingPrimary(c, answers)
  if (alive !== null) {
    memory.race.primarySeen = { name: alive, at: clock.now() }
    return `${alive} still is a primary, without the lock; stop it, or wait until it has the lock again`
  }
  const consenting = answers.find((peer) => peer.kind === 'reachable' && peer.failsafeActive === true)
  if (consenting) {
    log.warning(`${consenting.name} has consented that a primary goes on without the store`)
    return `${consenting.name} has consented that a primary goes on without the store; that ends within ttl`
  }
  const seen = memory.race.primarySeen
  const answer = answers.find(({ name }) => name === seen?.name)
  if (!seen || elapsedMs(seen.at, clock.now()) >= settings.ttlMs || (answer && !mayRunWithoutStore(answer))) return null
  log.warning(`Primary (${seen.name}) was alive less than ttl ago`)
  return `${seen.name} was a primary less than ttl ago, and may be one as long as its last lease runs`
}
