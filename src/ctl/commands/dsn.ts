import { memberAddress } from '../../cluster/member-rows.ts'
import { defineCommand } from '../cli/command.ts'
import { choice, integer, optional, text } from '../cli/options.ts'
import { CtlError } from '../errors.ts'
import { clusterName, readSnapshot } from '../reading.ts'
import { membersOfRole, ROLE_FILTERS } from '../roles.ts'
import { allTargets } from '../snapshot.ts'

/** Spec ctl.md 8.3. */
export default defineCommand({
  description: 'Print a connection string for the first member that fits.',
  arguments: { cluster: optional('CLUSTER_NAME') },
  options: {
    group: integer('--group', 'Citus group'),
    role: choice('--role, -r', ROLE_FILTERS, 'Give a dsn of any member with this role'),
    member: text('--member, -m', 'Generate a dsn for this member'),
  },
  async run(session, args, { group, role, member }) {
    if (role !== null && member !== null) throw new CtlError('--role and --member are mutually exclusive options')
    const snapshot = await readSnapshot(session, clusterName(session, args.cluster), group)
    const found =
      member === null
        ? membersOfRole(snapshot, role ?? 'leader')
        : allTargets(snapshot).filter(({ name }) => name === member)
    const [first] = found
    if (!first) throw new CtlError('Can not find a suitable member')
    const { host, port } = memberAddress(first.member)
    if (host === null) throw new CtlError(`Member ${first.name} does not publish its address`)
    session.terminal.write(`host=${host} port=${port}\n`)
  },
})
