import { defineCommand } from '../cli/command.ts'
import { flag, integer, optional, text } from '../cli/options.ts'
import { changeClusterRole } from '../cluster-role.ts'
import { CtlError } from '../errors.ts'
import { clusterName } from '../reading.ts'

/** Spec ctl.md 8.15. */
export default defineCommand({
  description: 'Demote the cluster to a standby cluster.',
  arguments: { cluster: optional('CLUSTER_NAME') },
  options: {
    host: text('--host', 'Address of the remote node'),
    port: integer('--port', 'Port of the remote node'),
    restoreCommand: text('--restore-command', 'Command to restore WAL records from the remote primary'),
    primarySlotName: text('--primary-slot-name', 'Name of the slot on the remote node to use for replication'),
    force: flag('--force', 'Do not ask for confirmation at any point'),
  },
  async run(session, args, { host, port, restoreCommand, primarySlotName, force }) {
    if (!host && !port && !restoreCommand)
      throw new CtlError('At least --host, --port or --restore-command should be specified')
    const given = { host, port, primary_slot_name: primarySlotName, restore_command: restoreCommand }
    const standbyCluster = Object.fromEntries(
      Object.entries(given).filter(([, value]) => value !== null && value !== ''),
    )
    const cluster = clusterName(session, args.cluster)
    await changeClusterRole(session, { action: 'demote', cluster, standbyCluster, force })
  },
})
