import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Callbacks } from './callbacks.ts'
import type { LiveConnector } from './connection.ts'
import type { Connections } from './connections.ts'
import type { Binaries, CommandRunner, ConfigSource, InstanceMemory, ServerFiles } from './parts.ts'
import type { PostmasterWatch } from './postmaster.ts'
import type { ProcessTable } from './process-table.ts'
import { splitShellWords } from './shell-words.ts'

/** Everything that the procedures on one server share. Each part has one owner; the procedures keep nothing themselves. */
export interface Machine {
  readonly config: ConfigSource
  readonly clock: Clock
  readonly log: Log
  readonly notify: (state: string) => void
  readonly table: ProcessTable
  readonly runner: CommandRunner
  readonly binaries: Binaries
  readonly memory: InstanceMemory
  readonly postmaster: PostmasterWatch
  readonly callbacks: Callbacks
  readonly connector: LiveConnector
  readonly connections: Connections
  readonly files: ServerFiles
}

/**
 * Runs one of the operator's hooks (spec postgres.md 9.4): its words, nothing added.
 * @returns its exit code; `null`: it could not be started, or was cancelled
 */
export async function runHook(machine: Machine, command: string, signal: AbortSignal): Promise<number | null> {
  const split = splitShellWords(command)
  if (split.kind === 'malformed') {
    machine.log.error(`\`${command}\` cannot be run: ${split.problem}`)
    return null
  }
  const { code, failure, stderr } = await machine.runner.run(split.words, { inheritOutput: true, signal })
  if (failure === 'not-started') machine.log.error(`\`${command}\` cannot be run: ${stderr}`)
  return code
}
