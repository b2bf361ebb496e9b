import { isLocked, leaderMember } from '../cluster/view.ts'
import type { RequestAnswer } from '../ports/control.ts'
import { chooseCloneSource } from './clone.ts'
import { reinitializeFrom } from './rewind.ts'
import { freshCycle } from './view-loading.ts'
import { type Ha, holdsLock } from './world.ts'

export interface ReinitializeRequest {
  /** End whatever long action runs. */
  readonly force: boolean
  readonly fromLeader: boolean
}

/** Throws this member's data away and copies it anew, on the operator's order (spec ha.md 13.3). */
export async function reinitialize(ha: Ha, request: ReinitializeRequest, signal: AbortSignal): Promise<RequestAnswer> {
  if (request.force) await ha.actions.cancel()
  return ha.mutex.run(async () => {
    const c = await freshCycle(ha, signal)
    if (!c || !isLocked(c.view)) return refusal('Cluster has no leader, can not reinitialize')
    if (holdsLock(c)) return refusal('I am the leader, can not reinitialize')
    const leader = leaderMember(c.view)
    const fromLeader = leader && { kind: 'member' as const, member: leader }
    const source = request.fromLeader ? fromLeader : (chooseCloneSource(c)?.source ?? null)
    if (!source) return refusal('Cluster has no leader, can not reinitialize')
    const begun = ha.actions.begin('reinitialize', (running) =>
      reinitializeFrom(ha, source, running, request.fromLeader),
    )
    if (begun.kind === 'busy') return refusal(`${begun.running} already in progress`)
    return { ok: true, text: 'reinitialize started' }
  })
}

function refusal(text: string): RequestAnswer {
  return { ok: false, text }
}
