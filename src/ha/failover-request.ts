import { actionName, bareAction, pending } from '../cluster/failover-request.ts'
import { demote } from './demotion.ts'
import { isPrimary } from './facts.ts'
import { cleanRequest } from './failover-race.ts'
import { type CycleResult, result } from './messages.ts'
import { beginOrBusy } from './rewind.ts'
import { whenDue } from './schedule.ts'
import { isFailoverPossible } from './successors.ts'
import { titleCase } from './text.ts'
import { type Cycle, did } from './world.ts'

/** The lock owner looks whether it is asked to go (spec ha.md 12.2). `null`: no, or not now. */
export async function handleRequestAsLeader(c: Cycle): Promise<CycleResult | null> {
  const { view, settings, world } = c
  const { log, name } = world
  const request = pending(view.failover)
  if (!request || (settings.paused && !(await isPrimary(c)))) return null
  const action = actionName(request)
  if (request.scheduledAt !== null) {
    if (settings.paused) return null
    const due = whenDue(c, request.scheduledAt, bareAction(action))
    if (due === 'not-yet') return null
    if (due !== 'now') return dismiss(c, null)
  }
  if (request.leader !== null && request.leader !== name)
    return dismiss(c, `${action}: leader name does not match: ${request.leader} != ${name}`)
  if (request.candidate === name)
    return dismiss(c, `${action}: I am already the leader, no need to ${bareAction(action)}`)
  if (request.candidate === null && settings.paused)
    return dismiss(c, `${titleCase(action)} is possible only to a specific candidate in a paused state`)
  if (!(await isFailoverPossible(c)))
    return dismiss(c, `${action}: no healthy members found, ${bareAction(action)} is not possible`)
  log.debug(`${action} accepted`)
  did(c, 'accept request', { action, candidate: request.candidate })
  return beginOrBusy(c, `${action}: demote`, result('demoting-for-request', action), (signal) =>
    demote(c, 'graceful', signal),
  )
}

async function dismiss(c: Cycle, why: string | null): Promise<null> {
  if (why !== null) c.world.log.warning(why)
  c.world.log.info('Cleaning up failover key')
  did(c, 'dismiss request', { because: why })
  await cleanRequest(c)
  return null
}
