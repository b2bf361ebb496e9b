import { homedir } from 'node:os'
import { basename } from 'node:path'
import { VERSION } from '../cluster/version.ts'
import type { Log } from '../ports/log.ts'
import { systemClock } from '../system/clock.ts'
import { systemRandom } from '../system/random.ts'
import type { CtlConfiguration } from './configuration.ts'
import { httpMemberApi } from './member-api.ts'
import { runProgram } from './program.ts'
import { openRaftGroup } from './raft-group.ts'
import type { Keywords } from './sql/client.ts'
import { openStores } from './stores.ts'
import { processTerminal } from './term/process-terminal.ts'
import { processTools } from './term/process-tools.ts'

/** Called as patronictl (a link, for scripts that know that name) the tool speaks of itself so. */
function calledAs(): string {
  const name = process.env['MATRIARCHCTL_NAME'] || basename(process.argv[1] ?? '')
  return name.startsWith('patronictl') ? 'patronictl' : 'matriarchctl'
}

function main(): void {
  const { stdin, stdout, stderr } = process
  const interrupted = new AbortController()
  const tools = processTools(process.env)
  const onInterrupt = (): void => {
    // An editor or a pager has the terminal; Ctrl-C is theirs.
    if (tools.isTerminalLent()) return
    tools.cleanUp()
    stderr.write('\nAborted!\n')
    process.exit(1)
  }
  process.on('SIGINT', onInterrupt)
  process.on('SIGTERM', () => {
    tools.cleanUp()
    process.exit(143)
  })
  // Whoever reads us may stop reading (`| head`): nobody is left to tell.
  for (const stream of [stdout, stderr]) stream.on('error', () => process.exit(1))
  const terminal = processTerminal({ input: stdin, output: stdout, error: stderr }, onInterrupt)
  const world = {
    program: calledAs(),
    version: VERSION,
    env: process.env,
    platform: process.platform,
    home: homedir(),
    terminal,
    tools,
    clock: systemClock,
    random: systemRandom,
    signal: interrupted.signal,
    sql: {
      // The driver is loaded by the one command that needs it.
      connect: async (keywords: Keywords) => {
        const { pgClient } = await import('./sql/pg-client.ts')
        return pgClient(process.env, systemClock).connect(keywords)
      },
    },
    stores: (config: CtlConfiguration, log: Log) =>
      openStores(config, log, { clock: systemClock, random: systemRandom, version: VERSION }),
    members: ({ rest }: CtlConfiguration) => httpMemberApi(rest, systemClock, VERSION, interrupted.signal),
    raft: (config: CtlConfiguration, log: Log) =>
      openRaftGroup(config, log, { clock: systemClock, random: systemRandom }),
  }
  // Kept connections and an open standard input must not keep the tool alive.
  void runProgram(world, process.argv.slice(2)).then((code) => process.exit(code))
}

main()
