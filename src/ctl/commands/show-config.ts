import { defineCommand } from '../cli/command.ts'
import { integer, optional } from '../cli/options.ts'
import { clusterName, groupOrConfigured, readSnapshot } from '../reading.ts'
import { yamlText } from '../table/format.ts'

/** Spec ctl.md 8.7. */
export default defineCommand({
  description: 'Show the configuration of a cluster as the store has it.',
  arguments: { cluster: optional('CLUSTER_NAME') },
  options: { group: integer('--group', 'Citus group') },
  async run(session, args, options) {
    const group = groupOrConfigured(session, options.group)
    const { groups } = await readSnapshot(session, clusterName(session, args.cluster), group)
    const { config } = groups[0].view
    if (config) session.terminal.write(`${await yamlText(config.document)}\n`)
  },
})
