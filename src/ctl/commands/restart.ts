import type { JsonObject } from '../../cluster/json.ts'
import { printTimestamp, type Timestamp } from '../../cluster/timestamp.ts'
import { parseInteger } from '../../cluster/values.ts'
import { callMember, isAnswer, QUICK_MS, reportFailure } from '../calls.ts'
import { defineCommand } from '../cli/command.ts'
import { choice, flag, integer, required, text, variadic, withDefault } from '../cli/options.ts'
import { CtlError } from '../errors.ts'
import { follow, isInService, type Work } from '../follow.ts'
import { readSnapshot } from '../reading.ts'
import { ROLE_FILTERS } from '../roles.ts'
import { nameList, selectMembers } from '../selection.ts'
import { checkVersionText } from '../server-version.ts'
import type { Session } from '../session.ts'
import type { Snapshot, Target } from '../snapshot.ts'
import { askText, confirm } from '../term/prompts.ts'
import { exampleTime, parseScheduled } from '../time-text.ts'

/** A server may have to write a long checkpoint before it stops, and to replay much before it starts. */
const STOP_AND_START_MS = 1_200_000

const COMING_BACK: Work = {
  announcement: 'Waiting for members to be in service again: ',
  finished: (name) => `Member ${name} is in service again`,
  isDone: (_name, status) => isInService(status),
  limitMs: 600_000,
}

/** Spec ctl.md 8.11. */
export default defineCommand({
  description: 'Restart the PostgreSQL servers of members.',
  arguments: { cluster: required('CLUSTER_NAME'), members: variadic('MEMBER_NAMES') },
  options: {
    group: integer('--group', 'Citus group'),
    role: withDefault(choice('--role, -r', ROLE_FILTERS, 'Restart only members with this role'), 'any'),
    any: flag('--any', 'Restart a single member only'),
    scheduled: text('--scheduled', 'Timestamp of a scheduled restart in unambiguous format (e.g. ISO 8601)'),
    pgVersion: text('--pg-version', 'Restart if the PostgreSQL version is less than provided (e.g. 9.5.2)'),
    pending: flag('--pending', 'Restart if pending'),
    timeout: text('--timeout', 'Return error and fail over if necessary when restarting takes longer than this.'),
    wait: flag('--wait', 'Wait until the members are in service again'),
    force: flag('--force', 'Do not ask for confirmation at any point'),
  },
  async run(session, args, options) {
    const { clock } = session
    const { group, role, force, wait } = options
    if (wait && options.scheduled) throw new CtlError('--wait and --scheduled are mutually exclusive options')
    const snapshot = await readSnapshot(session, args.cluster, group)
    const selected = await selectMembers(session, snapshot, { action: 'restart', names: args.members, role, force })
    const at = parseScheduled(await scheduleText(session, options), clock.wallMs())
    const pending = options.pending && !at ? selected.filter(({ member }) => member.data.pendingRestart) : selected
    const members = options.any ? oneOf(pending, session.random.next()) : pending
    if (!force) await confirmRestart(session, members, at, options.pending)
    const body: JsonObject = {
      ...(options.pending ? { restart_pending: true } : {}),
      ...(await versionCondition(session, options)),
      ...(at ? { schedule: printTimestamp(at) } : {}),
      ...(options.timeout === null ? {} : { timeout: options.timeout }),
    }
    if (at && isPaused(snapshot)) throw new CtlError("Can't schedule restart in the paused state")
    const limitMs = STOP_AND_START_MS + (parseInteger(options.timeout ?? '0', 's') ?? 0) * 1000
    const restarted: Target[] = []
    for (const target of members) {
      if (at && force && target.member.data.scheduledRestart) await dropSchedule(session, target)
      if (await restart(session, target, body, limitMs)) restarted.push(target)
    }
    if (wait && !at) await follow(session, restarted, COMING_BACK)
  },
})

async function scheduleText(
  session: Session,
  { scheduled, force }: { readonly scheduled: string | null; readonly force: boolean },
): Promise<string | null> {
  if (scheduled !== null || force) return scheduled
  const example = exampleTime(session.clock.wallMs())
  return askText(session.terminal, `When should the restart take place (e.g. ${example}) `, 'now')
}

function oneOf(members: readonly Target[], chance: number): Target[] {
  const one = members[Math.floor(chance * members.length)]
  return one ? [one] : []
}

async function confirmRestart(
  session: Session,
  members: readonly Target[],
  at: Timestamp | null,
  pending: boolean,
): Promise<void> {
  const question = !at
    ? `Are you sure you want to restart members ${nameList(members)}?`
    : pending
      ? 'The nodes needing a restart will be identified at the scheduled time, and might be different from the ones showing pending restart right now. Is this fine?'
      : `Are you sure you want to schedule restart of members ${nameList(members)} at ${printTimestamp(at, ' ')}?`
  if (!(await confirm(session.terminal, question))) throw new CtlError(`Aborted ${at ? 'scheduled ' : ''}restart`)
}

async function versionCondition(
  session: Session,
  { pgVersion, force }: { readonly pgVersion: string | null; readonly force: boolean },
): Promise<JsonObject> {
  const question = 'Restart if the PostgreSQL version is less than provided (e.g. 9.5.2) '
  const version = pgVersion ?? (force ? '' : await askText(session.terminal, question, ''))
  if (version === '') return {}
  checkVersionText(version)
  return { postgres_version: version }
}

function isPaused({ groups: [main] }: Snapshot): boolean {
  return main.settings.paused
}

async function dropSchedule(session: Session, target: Target): Promise<void> {
  const call = { method: 'DELETE', endpoint: 'restart', body: null, limitMs: QUICK_MS } as const
  const answer = await callMember(session, target, call)
  if (!isAnswer(answer, 200)) reportFailure(session, `flush scheduled restart for member ${target.name}`, answer)
}

async function restart(session: Session, target: Target, body: JsonObject, limitMs: number): Promise<boolean> {
  const { terminal } = session
  const { name } = target
  const answer = await callMember(session, target, { method: 'POST', endpoint: 'restart', body, limitMs })
  if (isAnswer(answer, 200)) terminal.write(`Success: restart on member ${name}\n`)
  else if (isAnswer(answer, 202)) terminal.write(`Success: restart scheduled on member ${name}\n`)
  else if (isAnswer(answer, 409)) {
    terminal.write(`Failed: another restart is already scheduled on member ${name}\n`)
    session.noteFailure()
  } else reportFailure(session, `restart for member ${name}`, answer)
  return isAnswer(answer, 200)
}
