import type { JsonObject } from '../../cluster/json.ts'
import { callMember, QUICK_MS, reportFailure } from '../calls.ts'
import { defineCommand } from '../cli/command.ts'
import { flag, integer, required, variadic, withDefault } from '../cli/options.ts'
import { follow, type Work } from '../follow.ts'
import { readSnapshot } from '../reading.ts'
import { confirmMembers, selectMembers } from '../selection.ts'
import type { MemberAnswer, Session } from '../session.ts'
import type { Target } from '../snapshot.ts'
import { confirm } from '../term/prompts.ts'

/** A copy takes as long as the database is large: a day, unless the operator says something else. */
const COPYING_LIMIT_S = 86_400
const COPYING: Omit<Work, 'limitMs'> = {
  announcement: 'Waiting for reinitialize to complete on: ',
  finished: (name) => `Reinitialize is completed on: ${name}`,
  isDone: (_name, status) => status['state'] !== 'creating replica',
}

/** Spec ctl.md 8.12. */
export default defineCommand({
  description: 'Build replicas anew from a copy of the database.',
  arguments: { cluster: required('CLUSTER_NAME'), members: variadic('MEMBER_NAMES') },
  options: {
    group: integer('--group', 'Citus group'),
    force: flag('--force', 'Do not ask for confirmation at any point'),
    fromLeader: flag('--from-leader', 'Get basebackup from the leader'),
    wait: flag('--wait', 'Wait until reinitialization completes'),
    waitLimit: withDefault(
      integer('--wait-limit', `With --wait: for so many seconds at most (default ${COPYING_LIMIT_S})`),
      COPYING_LIMIT_S,
    ),
  },
  async run(session, args, { group, force, fromLeader, wait, waitLimit }) {
    const snapshot = await readSnapshot(session, args.cluster, group)
    const request = { action: 'reinitialize', names: args.members, role: 'replica', force } as const
    const selected = await selectMembers(session, snapshot, request)
    if (!force) await confirmMembers(session, 'reinitialize', selected)
    const started: Target[] = []
    for (const target of selected) if (await reinitialize(session, target, { force, fromLeader })) started.push(target)
    if (wait) await follow(session, started, { ...COPYING, limitMs: waitLimit * 1000 })
  },
})

async function reinitialize(
  session: Session,
  target: Target,
  { force, fromLeader }: { readonly force: boolean; readonly fromLeader: boolean },
): Promise<boolean> {
  const { terminal } = session
  const request = (forced: boolean): Promise<MemberAnswer> => {
    const body: JsonObject = { force: forced, from_leader: fromLeader }
    return callMember(session, target, { method: 'POST', endpoint: 'reinitialize', body, limitMs: QUICK_MS })
  }
  let answer = await request(force)
  if (!force && isBusy(answer)) {
    reportFailure(session, `reinitialize for member ${target.name}`, answer)
    if (!(await confirm(terminal, 'Do you want to cancel it and reinitialize anyway?'))) return false
    answer = await request(true)
  }
  if (answer.kind === 'answered' && answer.status < 400) {
    terminal.write(`Success: reinitialize for member ${target.name}\n`)
    return true
  }
  reportFailure(session, `reinitialize for member ${target.name}`, answer)
  return false
}

function isBusy(answer: MemberAnswer): boolean {
  return answer.kind === 'answered' && answer.status >= 400 && answer.body.trimEnd().endsWith(' already in progress')
}
