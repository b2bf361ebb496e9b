import { actionName, bareAction, type FailoverRequest } from '../cluster/failover-request.ts'
import { checkPossibility, noGoodCandidates } from '../cluster/switchover-check.ts'
import type { ClusterView } from '../cluster/view.ts'
import { askPeers, limitation, verdictOf } from './peer-limits.ts'
import { addressOf } from './successors.ts'
import { newCycle } from './view-loading.ts'
import { considered, type Ha } from './world.ts'

/** Why nobody could take over by this request, asking those who would (spec ha.md 12.1 rows 10 to 14). `null`: somebody could. */
export async function switchoverObstacle(
  ha: Ha,
  view: ClusterView,
  request: Omit<FailoverRequest, 'version'>,
  signal: AbortSignal,
): Promise<string | null> {
  const c = newCycle(ha, view, signal)
  const action = bareAction(actionName({ ...request, version: null }))
  const possible = checkPossibility(view, c.settings, { ...request, action })
  if (possible.kind === 'refused') return possible.text
  const { name } = ha.world
  const others = possible.members.filter((member) => member.name !== name)
  if (others.length < possible.members.length) return null
  const answers = await askPeers(c, others.flatMap(addressOf))
  for (const peer of answers) considered(ha, peer.name, verdictOf(limitation(peer)))
  return answers.some((peer) => limitation(peer) === null) ? null : noGoodCandidates(action).text
}
