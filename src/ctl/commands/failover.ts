import { defineCommand } from '../cli/command.ts'
import { flag, integer, optional, text } from '../cli/options.ts'
import { manualFailover } from '../manual-failover.ts'
import { clusterName } from '../reading.ts'

/** Spec ctl.md 8.13. */
export default defineCommand({
  description: 'Make a replica the leader, whether or not there is one.',
  arguments: { cluster: optional('CLUSTER_NAME') },
  options: {
    group: integer('--group', 'Citus group'),
    candidate: text('--candidate', 'The name of the candidate'),
    wait: flag('--wait', 'Wait until every member follows the new leader'),
    force: flag('--force', 'Do not ask for confirmation at any point'),
  },
  async run(session, args, options) {
    const cluster = clusterName(session, args.cluster)
    await manualFailover(session, { action: 'failover', cluster, leader: null, scheduled: null, ...options })
  },
})
