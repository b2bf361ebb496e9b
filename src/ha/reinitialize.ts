import { isLocked, leaderMember } from '../cluster/view.ts'
import type { RequestAnswer } from '../ports/control.ts'
import type { Upstream } from '../ports/postgres.ts'
import { chooseCloneSource, obstacleToCopy } from './clone.ts'
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
  if (request.force) {
    const plan = await ha.mutex.run(() => planCopy(ha, request, signal))
    if (plan.kind === 'refused') return plan.answer
    // Not under the mutex: what is to end may be waiting for it.
    await ha.actions.cancel()
  }
  return ha.mutex.run(async () => {
    const plan = await planCopy(ha, request, signal)
    if (plan.kind === 'refused') return plan.answer
    const begun = ha.actions.begin('reinitialize', (running) =>
      reinitializeFrom(ha, plan.source, running, request.fromLeader),
    )
    if (begun.kind === 'busy') return refusal(`${begun.running} already in progress`)
    return { ok: true, text: 'reinitialize started' }
  })
}

type CopyPlan =
  | { readonly kind: 'copy'; readonly source: Upstream }
  | { readonly kind: 'refused'; readonly answer: RequestAnswer }

async function planCopy(ha: Ha, { fromLeader }: ReinitializeRequest, signal: AbortSignal): Promise<CopyPlan> {
  const refused = (text: string): CopyPlan => ({ kind: 'refused', answer: refusal(text) })
  const c = await freshCycle(ha, signal)
  if (!c || !isLocked(c.view)) return refused('Cluster has no leader, can not reinitialize')
  if (holdsLock(c)) return refused('I am the leader, can not reinitialize')
  const leader = leaderMember(c.view)
  const source = fromLeader ? leader && { kind: 'member' as const, member: leader } : chooseCloneSource(c)?.source
  if (!source) return refused('Cluster has no leader, can not reinitialize')
  const obstacle = await obstacleToCopy(ha, source, { basebackupOnly: fromLeader }, signal)
  return obstacle === null ? { kind: 'copy', source } : refused(`Can not reinitialize: ${obstacle}`)
}

function refusal(text: string): RequestAnswer {
  return { ok: false, text }
}
