import { callMember, isAnswer, QUICK_MS, reportFailure } from '../calls.ts'
import { defineCommand } from '../cli/command.ts'
import { choice, flag, integer, required, variadic, withDefault, word } from '../cli/options.ts'
import { readSnapshot, tryStore } from '../reading.ts'
import { leaderFirst, ROLE_FILTERS, type RoleFilter } from '../roles.ts'
import { confirmMembers, selectMembers } from '../selection.ts'
import type { Session } from '../session.ts'
import type { Snapshot } from '../snapshot.ts'
import { printMoment } from '../time-text.ts'

/** Spec ctl.md 8.14. */
export default defineCommand({
  description: 'Discard scheduled restarts, or the scheduled switchover.',
  arguments: {
    cluster: required('CLUSTER_NAME'),
    members: variadic('MEMBER_NAMES'),
    target: word(['restart', 'switchover']),
  },
  options: {
    group: integer('--group', 'Citus group'),
    role: withDefault(choice('--role, -r', ROLE_FILTERS, 'Flush only members with this role'), 'any'),
    force: flag('--force', 'Do not ask for confirmation at any point'),
  },
  async run(session, args, { group, role, force }) {
    const snapshot = await readSnapshot(session, args.cluster, group)
    if (args.target === 'switchover') await flushSwitchover(session, snapshot)
    else await flushRestarts(session, snapshot, { names: args.members, role, force })
  },
})

async function flushRestarts(
  session: Session,
  snapshot: Snapshot,
  options: { readonly names: readonly string[]; readonly role: RoleFilter; readonly force: boolean },
): Promise<void> {
  const { terminal } = session
  const selected = await selectMembers(session, snapshot, { action: 'flush', ...options })
  if (!options.force) await confirmMembers(session, 'flush', selected)
  for (const target of selected) {
    const { name } = target
    if (!target.member.data.scheduledRestart) {
      terminal.write(`No scheduled restart for member ${name}\n`)
      continue
    }
    const call = { method: 'DELETE', endpoint: 'restart', body: null, limitMs: QUICK_MS } as const
    const answer = await callMember(session, target, call)
    if (isAnswer(answer, 200)) terminal.write(`Success: flush scheduled restart for member ${name}\n`)
    else reportFailure(session, `flush scheduled restart for member ${name}`, answer)
  }
}

async function flushSwitchover(session: Session, snapshot: Snapshot): Promise<void> {
  const { terminal, log } = session
  const [main] = snapshot.groups
  if (!main.view.failover?.scheduledAt) {
    terminal.write('No pending scheduled switchover\n')
    return
  }
  for (const target of leaderFirst(main)) {
    const call = { method: 'DELETE', endpoint: 'switchover', body: null, limitMs: QUICK_MS } as const
    const answer = await callMember(session, target, call)
    if (answer.kind !== 'answered') {
      log.warning(answer.reason)
      log.warning(`Member ${target.name} is not accessible`)
      continue
    }
    const body = answer.body.trimEnd()
    if (answer.status === 200 || answer.status === 404) {
      terminal.write(`${answer.status === 200 ? 'Success' : 'Failed'}: ${body}\n`)
      if (answer.status !== 200) session.noteFailure()
      return
    }
    terminal.write(`Failed: member=${target.name}, status_code=${answer.status}, (${body})\n`)
  }
  await blankRequest(session, snapshot)
}

/** Nobody answers: the request is taken out of the store, if it still is the one that was shown. */
async function blankRequest(session: Session, snapshot: Snapshot): Promise<void> {
  const { terminal, clock, log, stores } = session
  const [{ number, view }] = snapshot.groups
  log.warning('Failing over to DCS')
  const cluster = snapshot.cluster
  terminal.write(`${printMoment(clock.wallMs())} Could not find any accessible member of cluster ${cluster}\n`)
  const nothing = { leader: null, candidate: null, scheduledAt: null }
  const written = await tryStore(session, { cluster: snapshot.cluster, group: number }, (store, budget) =>
    store.writeFailover(nothing, view.failover?.version ?? null, budget),
  )
  if (written.kind === 'done') return
  log.error(`The request was not removed from ${stores.description}: ${written.reason}`)
  session.noteFailure()
}
