import { actionName, bareAction, type FailoverRequest } from '../cluster/failover-request.ts'
import { syncMode } from '../cluster/settings.ts'
import { isVoter } from '../cluster/sync-state.ts'
import type { ClusterView } from '../cluster/view.ts'
import { askPeers, limitation } from './peer-limits.ts'
import { addressOf } from './successors.ts'
import { newCycle } from './view-loading.ts'
import type { Ha } from './world.ts'

/** Why nobody could take over by this request, asking those who would (spec ha.md 12.1 rows 10 to 14). `null`: somebody could. */
export async function switchoverObstacle(
  ha: Ha,
  view: ClusterView,
  request: Omit<FailoverRequest, 'version'>,
  signal: AbortSignal,
): Promise<string | null> {
  const c = newCycle(ha, view, signal)
  const action = bareAction(actionName({ ...request, version: null }))
  const mustBeVoter = syncMode(c.settings) === 'on'
  const { candidate } = request
  if (candidate !== null && action === 'switchover' && mustBeVoter && !isVoter(view.sync, candidate))
    return 'candidate name does not match with sync_standby'
  const named = view.members.filter((member) =>
    candidate === null ? member.name !== request.leader : member.name === candidate,
  )
  if (candidate !== null && named.length === 0) return 'candidate does not exists'
  const members = candidate === null && mustBeVoter ? named.filter((one) => isVoter(view.sync, one.name)) : named
  if (members.length === 0) {
    return mustBeVoter
      ? `${action} is not possible: can not find sync_standby`
      : `${action} is not possible: cluster does not have members except leader`
  }
  const own = members.some((member) => member.name === ha.world.name)
  const answers = await askPeers(c, members.filter((member) => member.name !== ha.world.name).flatMap(addressOf))
  if (own || answers.some((peer) => limitation(peer) === null)) return null
  return `${action} is not possible: no good candidates have been found`
}
