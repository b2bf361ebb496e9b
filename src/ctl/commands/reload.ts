import { callMember, isAnswer, QUICK_MS, reportFailure } from '../calls.ts'
import { defineCommand } from '../cli/command.ts'
import { choice, flag, integer, required, variadic, withDefault } from '../cli/options.ts'
import { readSnapshot } from '../reading.ts'
import { ROLE_FILTERS } from '../roles.ts'
import { confirmMembers, selectMembers } from '../selection.ts'
import { loopWaitSeconds } from '../snapshot.ts'

/** Spec ctl.md 8.10. */
export default defineCommand({
  description: 'Make members read their configuration again.',
  arguments: { cluster: required('CLUSTER_NAME'), members: variadic('MEMBER_NAMES') },
  options: {
    group: integer('--group', 'Citus group'),
    role: withDefault(choice('--role, -r', ROLE_FILTERS, 'Reload only members with this role'), 'any'),
    force: flag('--force', 'Do not ask for confirmation at any point'),
  },
  async run(session, args, { group, role, force }) {
    const { terminal } = session
    const snapshot = await readSnapshot(session, args.cluster, group)
    const selected = await selectMembers(session, snapshot, { action: 'reload', names: args.members, role, force })
    if (!force) await confirmMembers(session, 'reload', selected)
    for (const target of selected) {
      const { name } = target
      const call = { method: 'POST', endpoint: 'reload', body: null, limitMs: QUICK_MS } as const
      const answer = await callMember(session, target, call)
      if (isAnswer(answer, 200)) terminal.write(`No changes to apply on member ${name}\n`)
      else if (isAnswer(answer, 202)) {
        const seconds = loopWaitSeconds(target.group)
        terminal.write(`Reload request received for member ${name} and will be processed within ${seconds} seconds\n`)
      } else reportFailure(session, `reload for member ${name}`, answer)
    }
  },
})
