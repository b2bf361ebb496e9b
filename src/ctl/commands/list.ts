import { defineCommand } from '../cli/command.ts'
import { choice, flag, integer, variadic, withDefault } from '../cli/options.ts'
import { readSnapshot } from '../reading.ts'
import { FORMATS } from '../table/format.ts'
import { memberTable } from '../table/member-table.ts'
import { printSeconds } from '../time-text.ts'
import { WATCH_OPTIONS, watched } from '../watch.ts'

/** Spec ctl.md 8.1. */
export default defineCommand({
  description: 'List the members of one cluster or several.',
  arguments: { clusters: variadic('CLUSTER_NAMES') },
  options: {
    group: integer('--group', 'Citus group'),
    extended: flag('-e, --extended', 'Show some extra information'),
    timestamp: flag('-t, --timestamp', 'Print timestamp'),
    format: withDefault(choice('-f, --format', FORMATS, 'Output format'), 'pretty'),
    ...WATCH_OPTIONS,
  },
  async run(session, args, options) {
    const { config, log, clock } = session
    const names = args.clusters.length > 0 ? args.clusters : config.scope ? [config.scope] : []
    if (names.length === 0) {
      log.warning('Listing members: No cluster names were provided')
      return
    }
    const render = async (): Promise<string> => {
      let text = options.timestamp ? `${printSeconds(clock.wallMs())}\n` : ''
      for (const name of names)
        text += await memberTable(await readSnapshot(session, name, options.group), {
          ...options,
          width: session.terminal.width,
        })
      return text
    }
    await watched(session, options, render, { clears: true })
  },
})
