import { elapsedMs } from '../cluster/time.ts'
import { leaderMember } from '../cluster/view.ts'
import type { PeerAddress } from '../ports/peers.ts'
import { warnOfUnheard } from './left-out.ts'
import { askPeers, livingPrimary, mayRunWithoutStore } from './peer-limits.ts'
import { insideCycleMs } from './waiting.ts'
import { type Cycle, withBudget } from './world.ts'

/** How long a server may take to say what it is. */
const SERVER_ANSWER_MS = 3000

/**
 * A primary whose agent ended in pause runs on, without an agent and without a guard, and its key expires once the cluster
 * is resumed. Nobody but the server itself can say that it is still there.
 * @returns why this member waits; `null`: the leader was not left in pause, or its server is no primary any more
 */
export async function primaryLeftInPause(c: Cycle): Promise<string | null> {
  const { memory, world } = c
  const member = memory.store.lockedView && leaderMember(memory.store.lockedView)
  if (!member?.data.paused || member.name === world.name || member.data.connUrl === null) return null
  const server = await withBudget(c, insideCycleMs(c, SERVER_ANSWER_MS), c.signal, (budget) =>
    world.postgres.rewindSource({ kind: 'member', member }, budget.signal),
  )
  if (server.kind !== 'primary') return null
  world.log.warning(
    `Primary (${member.name}) is still alive without an agent: it was left in pause. Start its agent, or stop it`,
  )
  return `${member.name} still is a primary without an agent, left in pause; start its agent, or stop it`
}

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
  if (!seen || elapsedMs(seen.at, clock.now()) >= settings.ttlMs || (answer && !mayRunWithoutStore(answer))) {
    warnOfUnheard(c, answers)
    return null
  }
  log.warning(`Primary (${seen.name}) was alive less than ttl ago`)
  return `${seen.name} was a primary less than ttl ago, and may be one as long as its last lease runs`
}
