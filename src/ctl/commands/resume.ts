import { defineCommand } from '../cli/command.ts'
import { flag, integer, optional } from '../cli/options.ts'
import { setPause } from '../pause.ts'
import { clusterName } from '../reading.ts'

/** Spec ctl.md 8.9. */
export default defineCommand({
  description: 'Resume automatic failover.',
  arguments: { cluster: optional('CLUSTER_NAME') },
  options: {
    group: integer('--group', 'Citus group'),
    wait: flag('--wait', 'Wait until it is recognized by all members'),
  },
  run: (session, args, options) =>
    setPause(session, false, { ...options, cluster: clusterName(session, args.cluster) }),
})
