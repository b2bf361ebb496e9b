import { defineCommand } from '../cli/command.ts'
import { integer, variadic } from '../cli/options.ts'
import { readSnapshot } from '../reading.ts'
import { memberTable } from '../table/member-table.ts'
import { WATCH_OPTIONS, watched } from '../watch.ts'

/** Spec ctl.md 8.2. */
export default defineCommand({
  description: 'Show the members of one cluster or several as a tree: who replicates from whom.',
  arguments: { clusters: variadic('CLUSTER_NAMES') },
  options: { group: integer('--group', 'Citus group'), ...WATCH_OPTIONS },
  async run(session, args, options) {
    const { config, log } = session
    const names = args.clusters.length > 0 ? args.clusters : config.scope ? [config.scope] : []
    if (names.length === 0) log.warning('Listing members: No cluster names were provided')
    if (names.length === 0) return
    const render = async (): Promise<string> => {
      let text = ''
      for (const name of names)
        text += await memberTable(await readSnapshot(session, name, options.group), {
          tree: true,
          width: session.terminal.width,
        })
      return text
    }
    await watched(session, options, render, { clears: true })
  },
})
