import { isNofailover } from '../cluster/tags.ts'
import type { PeerAddress, PeerStatus } from '../ports/peers.ts'
import { type Cycle, withBudget } from './world.ts'

/**
 * How long a member may take to say how far it is; not longer than an answer may take at all. With a short lease the
 * agent of a frozen leader would else hold up the race for a good part of the outage.
 */
const STATUS_MS = 2000

/** Why a member cannot take over, in the words of the log; `null`: it can (spec ha.md 6.4). First match. */
export type Limitation = 'not reachable' | 'not allowed to promote' | 'not watchdog capable'

export function limitation(peer: PeerStatus): Limitation | null {
  if (peer.kind === 'unreachable') return 'not reachable'
  if (isNofailover(peer.tags)) return 'not allowed to promote'
  if (peer.watchdogFailed) return 'not watchdog capable'
  return null
}

/** Whether this may be a primary that goes on without a store, or knows one. A promotion under way is still in recovery. */
export function mayRunWithoutStore(peer: PeerStatus): boolean {
  return peer.kind === 'unreachable' ? peer.stopped !== true : !peer.inRecovery || peer.failsafeActive === true
}

/** Who of those that answered says that it is a primary; the log says so too. `null`: nobody. */
export function livingPrimary(c: Cycle, answers: readonly PeerStatus[]): string | null {
  const alive = answers.find((peer) => peer.kind === 'reachable' && !peer.inRecovery)
  if (!alive) return null
  c.world.log.warning(`Primary (${alive.name}) is still alive`)
  return alive.name
}

/** A limitation for the journal. */
export function verdictOf(limit: Limitation | null): string {
  switch (limit) {
    case null:
      return 'fit'
    case 'not reachable':
      return 'unreachable'
    case 'not allowed to promote':
      return 'not-allowed'
    case 'not watchdog capable':
      return 'watchdog-failed'
  }
}

/**
 * The leader before is waited for less long where its lock is gone: mostly its host is lost or cut off and says nothing at
 * all, and everybody waits for the race. Longer would not help a connection whose first packet was lost: TCP sends it again
 * after one second.
 */
const FORMER_LEADER_MS = 700

/** As `askPeers`, for a race. */
export async function askInRace(
  c: Cycle,
  members: readonly PeerAddress[],
  formerLeader: string | null,
): Promise<readonly PeerStatus[]> {
  const former = members.filter(({ name }) => name === formerLeader)
  const others = members.filter(({ name }) => name !== formerLeader)
  const answers = await Promise.all([askPeers(c, others), askPeers(c, former, FORMER_LEADER_MS)])
  return answers.flat()
}

/** Asks members how far they are, all at once. */
export async function askPeers(
  c: Cycle,
  members: readonly PeerAddress[],
  limitMs = STATUS_MS,
): Promise<readonly PeerStatus[]> {
  if (members.length === 0) return []
  const answers = await withBudget(c, Math.min(limitMs, c.settings.retryTimeoutMs), c.signal, (budget) =>
    c.world.peers.statuses(members, budget),
  )
  for (const answer of answers) {
    c.world.journal.record({
      kind: 'asked',
      what: `status of ${answer.name}`,
      detail:
        answer.kind === 'unreachable'
          ? { answer: 'unreachable' }
          : { lsn: answer.lsn, inRecovery: answer.inRecovery, timeline: answer.timeline },
    })
  }
  return answers
}
