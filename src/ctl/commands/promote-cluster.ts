import { defineCommand } from '../cli/command.ts'
import { flag, optional } from '../cli/options.ts'
import { changeClusterRole } from '../cluster-role.ts'
import { clusterName } from '../reading.ts'

/** Spec ctl.md 8.15. */
export default defineCommand({
  description: 'Promote a standby cluster: make it run standalone.',
  arguments: { cluster: optional('CLUSTER_NAME') },
  options: { force: flag('--force', 'Do not ask for confirmation at any point') },
  async run(session, args, { force }) {
    const cluster = clusterName(session, args.cluster)
    await changeClusterRole(session, { action: 'promote', cluster, standbyCluster: null, force })
  },
})
