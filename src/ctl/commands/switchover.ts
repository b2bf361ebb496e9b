import { defineCommand } from '../cli/command.ts'
import { flag, integer, optional, text } from '../cli/options.ts'
import { manualFailover } from '../manual-failover.ts'
import { clusterName } from '../reading.ts'

/** Spec ctl.md 8.13. */
export default defineCommand({
  description: 'Hand the leadership over to a replica, now or at a time.',
  arguments: { cluster: optional('CLUSTER_NAME') },
  options: {
    group: integer('--group', 'Citus group'),
    leader: text('--leader, --primary', 'The name of the current leader'),
    candidate: text('--candidate', 'The name of the candidate'),
    scheduled: text('--scheduled', 'Timestamp of a scheduled switchover in unambiguous format (e.g. ISO 8601)'),
    wait: flag('--wait', 'Wait until every member follows the new leader'),
    force: flag('--force', 'Do not ask for confirmation at any point'),
  },
  async run(session, args, options) {
    await manualFailover(session, { action: 'switchover', cluster: clusterName(session, args.cluster), ...options })
  },
})
