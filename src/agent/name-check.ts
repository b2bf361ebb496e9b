import { later } from '../cluster/time.ts'
import { type ClusterView, memberNamed } from '../cluster/view.ts'
import type { Clock } from '../ports/clock.ts'
import type { Peers } from '../ports/peers.ts'

const ANSWER_MS = 3000

/**
 * Whether another agent runs under our name: its member key is there and its REST server answers, whatever it says
 * (spec ha.md 2.1 step 3). A key that an agent left behind when it died does not answer.
 */
export async function isNameTaken(view: ClusterView, name: string, peers: Peers, clock: Clock): Promise<boolean> {
  const apiUrl = memberNamed(view, name)?.data.apiUrl
  if (!apiUrl) return false
  const deadline = later(clock.now(), ANSWER_MS)
  const { signal, done } = clock.deadline(deadline)
  try {
    return await peers.isAlive(apiUrl, { deadline, signal })
  } finally {
    done()
  }
}
