import type { JsonObject } from '../cluster/json.ts'
import { syncMode } from '../cluster/settings.ts'
import type { ManualAction } from '../cluster/switchover-check.ts'
import { isSyncMember } from '../cluster/sync-state.ts'
import { printTimestamp, type Timestamp } from '../cluster/timestamp.ts'
import { printNames } from '../cluster/values.ts'
import { lockOwner, memberNamed } from '../cluster/view.ts'
import { callMember } from './calls.ts'
import { CtlError, messageOf } from './errors.ts'
import { follow, isInService, isLeading } from './follow.ts'
import { readSnapshot, tryStore } from './reading.ts'
import type { MemberAnswer, Session } from './session.ts'
import { allTargets, type Group, loopWaitSeconds, promotionCandidates, type Snapshot } from './snapshot.ts'
import { memberTable } from './table/member-table.ts'
import { askInteger, askText, confirm } from './term/prompts.ts'
import { exampleTime, parseScheduled, printMoment } from './time-text.ts'

const FOLLOW_LIMIT_MS = 600_000

export interface ManualOptions {
  readonly action: ManualAction
  readonly cluster: string
  readonly group: number | null
  readonly leader: string | null
  readonly candidate: string | null
  readonly scheduled: string | null
  readonly force: boolean
  /** Not before every member follows the new leader is it over. */
  readonly wait: boolean
}

/** What will be asked of the cluster, after all questions. */
interface Order {
  readonly action: ManualAction
  readonly leader: string | null
  /** Empty when the operator was asked and named nobody. */
  readonly candidate: string | null
  readonly at: Timestamp | null
}

/** Moves the leadership by hand (spec ctl.md 8.13). */
export async function manualFailover(session: Session, options: ManualOptions): Promise<void> {
  const { terminal } = session
  const { action, cluster } = options
  if (options.wait && options.scheduled) throw new CtlError('--wait and --scheduled are mutually exclusive options')
  const shown = await readSnapshot(session, cluster, options.group)
  terminal.write(`Current cluster topology\n${await memberTable(shown)}`)
  const snapshot = await oneGroup(session, shown, options)
  const [group] = snapshot.groups
  const order = await settle(session, group, options)
  const answer = await send(session, group, order)
  if (answer.kind === 'not sent') {
    await fallBack(session, snapshot, order, answer.reason)
    return
  }
  if (answer.kind === 'answered' && (answer.status === 200 || answer.status === 202)) {
    const after = await showResult(session, snapshot, answer.body.trimEnd())
    if (options.wait && !order.at && after) await followNewLeader(session, after)
    return
  }
  const details = answer.kind === 'answered' ? `${answer.status}, ${answer.body.trimEnd()}` : answer.reason
  const isUnknown = answer.kind === 'unknown' || details.toLowerCase().includes('status unknown')
  terminal.write(`${title(action)} ${isUnknown ? 'result unknown' : 'failed'}, details: ${details}\n`)
  session.noteFailure()
}

/** A formation has a leader in each group: one must be chosen. */
async function oneGroup(session: Session, snapshot: Snapshot, { force, cluster }: ManualOptions): Promise<Snapshot> {
  if (snapshot.extent !== 'formation') return snapshot
  if (force) throw new CtlError('For Citus clusters the --group must me specified')
  return readSnapshot(session, cluster, await askInteger(session.terminal, 'Citus group'))
}

/** Settles who, whom and when, by the options and by questions; steps 3 to 10. */
async function settle(session: Session, group: Group, options: ManualOptions): Promise<Order> {
  const { action, force } = options
  const leader = lockOwner(group.view)
  if (action === 'switchover') await checkLeader(session, group, options)
  const candidate = await chooseCandidate(session, group, options)
  if (action === 'failover' && !force) await acceptAsynchronous(session, group, candidate ?? '')
  const at = action === 'switchover' ? await schedule(session, group, options) : null
  if (!force) await confirmOrder(session, { action, leader, candidate, at }, options.cluster)
  return { action, leader, candidate, at }
}

async function checkLeader(session: Session, group: Group, options: ManualOptions): Promise<void> {
  const leader = lockOwner(group.view)
  if (leader === null) throw new CtlError('This cluster has no leader')
  const question = group.settings.standbyCluster ? 'Standby Leader' : 'Primary'
  const named = options.leader ?? (options.force ? leader : await askText(session.terminal, question, leader))
  if (named !== leader) throw new CtlError(`Member ${named} is not the leader of cluster ${options.cluster}`)
}

async function chooseCandidate(session: Session, group: Group, options: ManualOptions): Promise<string | null> {
  const { action, cluster } = options
  const leader = lockOwner(group.view)
  const candidates = promotionCandidates(group)
  if (candidates.length === 0) {
    const forbidden = group.view.members.map(({ name }) => name).filter((name) => name !== leader)
    if (forbidden.length > 0) session.log.warning(`Tagged as nofailover: ${forbidden.join(', ')}`)
    throw new CtlError(`No candidates found to ${action} to`)
  }
  const question = `Candidate ${printNames(candidates)}`
  const named = options.candidate ?? (options.force ? null : await askText(session.terminal, question, ''))
  if (action === 'failover' && !named) throw new CtlError('Failover could be performed only to a specific candidate')
  if (!named || candidates.includes(named)) return named
  if (named === leader) throw new CtlError(`Member ${named} is already the leader of cluster ${cluster}`)
  throw new CtlError(`Member ${named} does not exist in cluster ${cluster} or is tagged as nofailover`)
}

/** An asynchronous node may lack transactions that clients were told are safe. */
async function acceptAsynchronous(session: Session, group: Group, candidate: string): Promise<void> {
  const { view, settings } = group
  if (syncMode(settings) === 'off' || view.sync.leader === null || isSyncMember(view.sync, candidate)) return
  const question = `Are you sure you want to failover to the asynchronous node ${candidate}?`
  if (!(await confirm(session.terminal, question))) throw new CtlError('Aborting failover')
}

async function schedule(
  session: Session,
  group: Group,
  { scheduled, force }: ManualOptions,
): Promise<Timestamp | null> {
  const wallMs = session.clock.wallMs()
  const question = `When should the switchover take place (e.g. ${exampleTime(wallMs)} ) `
  const text = scheduled ?? (force ? null : await askText(session.terminal, question, 'now'))
  const at = parseScheduled(text, wallMs)
  if (at && group.settings.paused) throw new CtlError("Can't schedule switchover in the paused state")
  return at
}

async function confirmOrder(session: Session, { action, leader, at }: Order, cluster: string): Promise<void> {
  const demoting = leader === null ? '' : `, demoting current leader ${leader}`
  const question = at
    ? `Are you sure you want to schedule ${action} of cluster ${cluster} at ${printTimestamp(at)}${demoting}?`
    : `Are you sure you want to ${action} cluster ${cluster}${demoting}?`
  if (!(await confirm(session.terminal, question))) throw new CtlError(`Aborting ${at ? 'scheduled ' : ''}${action}`)
}

/** Members before 2.0 know `/failover` only. */
async function send(session: Session, group: Group, order: Order): Promise<MemberAnswer> {
  const name = lockOwner(group.view) ?? order.candidate
  const member = memberNamed(group.view, name)
  if (name === null || !member) return { kind: 'not sent', reason: `member ${name} has no REST address` }
  // The server waits for the outcome for so long before it answers "status unknown".
  const limitMs = 2 * Math.max(10, loopWaitSeconds(group)) * 1000 + 10_000
  const body: JsonObject = {
    candidate: order.candidate,
    ...(order.action === 'switchover' ? { leader: order.leader } : {}),
    ...(order.at ? { scheduled_at: printTimestamp(order.at) } : {}),
  }
  const post = (endpoint: string): Promise<MemberAnswer> =>
    callMember(session, { name, member }, { method: 'POST', endpoint, body, limitMs })
  const answer = await post(order.action)
  const isOld =
    answer.kind === 'answered' &&
    answer.status === 501 &&
    answer.body.includes('Server does not support this operation')
  return order.action === 'switchover' && isOld ? post('failover') : answer
}

/** The server has accepted: a store that fails now changes nothing about that. @returns the cluster as it is now */
async function showResult(session: Session, snapshot: Snapshot, text: string): Promise<Snapshot | null> {
  const { terminal, clock, log } = session
  const [{ number }] = snapshot.groups
  const said = `${printMoment(clock.wallMs())} ${text}\n`
  try {
    const after = await readSnapshot(session, snapshot.cluster, number)
    terminal.write(said + (await memberTable(after)))
    return after
  } catch (error) {
    terminal.write(said)
    log.warning(messageOf(error))
    return null
  }
}

/** The old leader has to come back as a replica, perhaps by a rewind, and the others have to turn to the new one. */
async function followNewLeader(session: Session, after: Snapshot): Promise<void> {
  const [group] = after.groups
  const leader = lockOwner(group.view)
  await follow(session, allTargets(after), {
    announcement: 'Waiting for members to be in service again: ',
    finished: (name) => `Member ${name} is ${name === leader ? 'leading' : 'following'}`,
    isDone: (name, status) => isInService(status) && isLeading(status) === (name === leader),
    limitMs: FOLLOW_LIMIT_MS,
  })
  const { cluster } = after
  session.terminal.write(await memberTable(await readSnapshot(session, cluster, group.number)))
}

/**
 * The member could not be reached, so the wish goes into the store, where whoever leads sees it. Only if nobody else
 * has put one there meanwhile.
 */
async function fallBack(session: Session, snapshot: Snapshot, order: Order, reason: string): Promise<void> {
  const { terminal, clock, log, stores } = session
  const { action, leader, candidate, at } = order
  const [{ number, view }] = snapshot.groups
  log.warning(reason)
  log.warning('Failing over to DCS')
  terminal.write(`${printMoment(clock.wallMs())} Could not ${action} using Patroni api, falling back to DCS\n`)
  const request = {
    leader: action === 'switchover' ? leader : null,
    candidate: candidate === '' ? null : candidate,
    scheduledAt: at ? printTimestamp(at) : null,
  }
  const written = await tryStore(session, { cluster: snapshot.cluster, group: number }, (store, budget) =>
    store.writeFailover(request, view.failover?.version ?? null, budget),
  )
  if (written.kind !== 'done') log.error(`The request was not written to ${stores.description}: ${written.reason}`)
  if (written.kind !== 'done') session.noteFailure()
  terminal.write(await memberTable(snapshot))
}

function title(action: ManualAction): string {
  return action === 'switchover' ? 'Switchover' : 'Failover'
}
