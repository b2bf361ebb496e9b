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
 * is resumed. Nobody but the server itself can say that it is still there. A busy server may be late with that: silence
 * means its end only when it lasts for a whole `ttl`. A host that answers "nobody listens here" has said it at once.
 * @returns why this member waits; `null`: the leader was not left in pause, or its server is no primary any more
 */
export async function primaryLeftInPause(c: Cycle): Promise<string | null> {
  const { memory, world, settings } = c
  const member = memory.store.lockedView && leaderMember(memory.store.lockedView)
  if (!member?.data.paused || member.name === world.name || member.data.connUrl === null) return null
  const { name } = member
  const role = await withBudget(c, insideCycleMs(c, SERVER_ANSWER_MS), c.signal, (budget) =>
    world.postgres.roleOf({ kind: 'member', member }, budget.signal),
  )
  const now = world.clock.now()
  switch (role) {
    case 'standby':
    case 'not-running':
      return null
    case 'primary':
      memory.race.leftInPauseAt = now
      world.log.warning(
        `Primary (${name}) is still alive without an agent: it was left in pause. Start its agent, or stop it`,
      )
      return `${name} still is a primary without an agent, left in pause; start its agent, or stop it`
    case 'unknown': {
      memory.race.leftInPauseAt ??= now
      const silentMs = elapsedMs(memory.race.leftInPauseAt, now)
      if (silentMs >= settings.ttlMs) return null
      world.log.warning(
        `Primary (${name}) was left in pause without an agent and does not answer now: waiting for it, at most ttl`,
      )
      return `${name} was left in pause as a primary, and has not answered for less than ttl`
    }
  }
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
