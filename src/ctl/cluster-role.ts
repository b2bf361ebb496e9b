import type { JsonObject } from '../cluster/json.ts'
import { textForm } from '../cluster/values.ts'
import { leaderMember, lockOwner, memberNamed } from '../cluster/view.ts'
import { callMember, QUICK_MS } from './calls.ts'
import { CtlError } from './errors.ts'
import { readSnapshot } from './reading.ts'
import type { Session } from './session.ts'
import type { Group, Snapshot } from './snapshot.ts'
import { memberTable } from './table/member-table.ts'
import { confirm } from './term/prompts.ts'
import { printSeconds } from './time-text.ts'

export interface RoleChange {
  readonly action: 'demote' | 'promote'
  readonly cluster: string
  /** For the section `standby_cluster`; `null` removes it. */
  readonly standbyCluster: JsonObject | null
  readonly force: boolean
}

const POLL_MS = 1000
/** A demotion has to stop and to start PostgreSQL, perhaps with a long checkpoint and a rewind between. */
const LIMIT_MS = 3_600_000

/** Turns a cluster into a standby cluster or back (spec ctl.md 8.15). */
export async function changeClusterRole(session: Session, change: RoleChange): Promise<void> {
  const { terminal } = session
  const { action, cluster, force } = change
  const noun = action === 'demote' ? 'demotion' : 'promotion'
  const before = await coordinator(session, cluster)
  const [group] = before.groups
  const leader = lockOwner(group.view)
  if (leader === null) throw new CtlError(`Cluster has no leader, ${noun} is not possible`)
  const target = action === 'demote' ? 'standby_leader' : 'primary'
  if (leaderMember(group.view)?.data.role === target) throw new CtlError('Cluster is already in the required state')
  terminal.write(`Current cluster topology\n${await memberTable(before)}`)
  if (!force && !(await confirm(terminal, `Are you sure you want to ${action} ${cluster} cluster?`)))
    throw new CtlError(`Aborted cluster ${noun}`)
  await patch(session, group, leader, change)
  await follow(session, { ...change, target, leader })
}

/** Without a group these commands work on the coordinator. */
function coordinator(session: Session, cluster: string): Promise<Snapshot> {
  return readSnapshot(session, cluster, session.config.citus === null ? null : 0)
}

async function patch(
  session: Session,
  group: Group,
  leader: string,
  { action, cluster, standbyCluster }: RoleChange,
): Promise<void> {
  const failed = `Failed to ${action} ${cluster} cluster`
  const member = memberNamed(group.view, leader)
  if (!member) throw new CtlError(`${failed}: the leader ${leader} has no member key`)
  const body = { standby_cluster: standbyCluster }
  const call = { method: 'PATCH', endpoint: 'config', body, limitMs: QUICK_MS } as const
  const answer = await callMember(session, { name: leader, member }, call)
  if (answer.kind !== 'answered') throw new CtlError(`${failed}: ${answer.reason}`)
  if (answer.status !== 200) {
    const details = `status code=${answer.status}, (${answer.body.trimEnd()})`
    throw new CtlError(`${failed}: ${failed}: /config PATCH ${details}`)
  }
}

async function follow(
  session: Session,
  { action, cluster, target, leader }: RoleChange & { readonly target: string; readonly leader: string },
): Promise<void> {
  const { terminal, clock } = session
  const deadline = clock.now() + LIMIT_MS
  while (clock.now() < deadline) {
    await clock.sleep(POLL_MS, session.signal)
    session.signal.throwIfAborted()
    const snapshot = await coordinator(session, cluster)
    const { view } = snapshot.groups[0]
    const now = leaderMember(view)
    const former = memberNamed(view, leader)
    const settled = action === 'promote' || former?.data.state === 'running'
    const at = printSeconds(clock.wallMs())
    if (now?.data.role === target && now.data.state === 'running' && settled) {
      terminal.write(`${at} cluster is successfully ${action}d\n${await memberTable(snapshot)}`)
      return
    }
    const unlocked = lockOwner(view) === null
    const moved = action === 'demote' && !unlocked && lockOwner(view) !== leader
    const formerState = moved && former?.data.state ? `, previous leader state: '${former.data.state}'` : ''
    const states = `leader role: ${now?.data.role ?? 'None'}, leader state: ${now?.data.state ?? 'None'}`
    terminal.write(`${at} cluster is unlocked: ${textForm(unlocked)}, ${states}${formerState}\n`)
  }
  throw new CtlError(`The cluster is not ${action}d after ${LIMIT_MS / 60_000} minutes; it goes on by itself`)
}
