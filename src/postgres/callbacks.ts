import { type ChildProcess, spawn } from 'node:child_process'
import type { Role } from '../cluster/instance.ts'
import type { Log } from '../ports/log.ts'
import type { CallbackName } from '../ports/postgres.ts'
import { childEnvironment } from './environment.ts'
import { errorText } from './files.ts'
import type { ConfigSource } from './parts.ts'
import { killTree, type ProcessIdentity, type ProcessTable, signalProcess } from './process-table.ts'
import { splitShellWords } from './shell-words.ts'

/** Runs the operator's callbacks beside the agent; nobody waits for them (spec postgres.md 9). */
export interface Callbacks {
  /** Whether one was tried since the agent started, configured or not. on_reload does not count. */
  readonly attempted: boolean
  fire(name: CallbackName, role: Role): void
}

export function callbacks(config: ConfigSource, table: ProcessTable, log: Log): Callbacks {
  let attempted = false
  const reloads = callbackSlot(table, log, { politely: true })
  const others = callbackSlot(table, log, { politely: false })
  return {
    get attempted() {
      return attempted
    },
    fire(name, role) {
      if (name !== 'on_reload') attempted = true
      const { postgresql, scope } = config()
      const command = postgresql.callbacks[name]
      if (!command) return
      const split = splitShellWords(command)
      if (split.kind === 'malformed') {
        log.error(`callback ${name}: ${split.problem}: ${command}`)
        return
      }
      const slot = name === 'on_reload' ? reloads : others
      slot.run([...split.words, name, role === 'promoted' ? 'primary' : role, scope])
    },
  }
}

interface Running {
  readonly argv: readonly string[]
  readonly child: ChildProcess
  readonly identity: ProcessIdentity | null
}

/** One command at a time. A new one ends the running one; of those that wait only the latest is kept (spec 9.2). */
function callbackSlot(
  table: ProcessTable,
  log: Log,
  options: { readonly politely: boolean },
): { run(argv: readonly string[]): void } {
  let running: Running | null = null
  let next: readonly string[] | null = null

  function begin(): void {
    const argv = next
    next = null
    const [program, ...args] = argv ?? []
    if (!argv || !program) return
    const failed = (error: unknown): void =>
      log.error(`Failed to start the callback ${argv.join(' ')}: ${errorText(error)}`)
    let child: ChildProcess
    try {
      child = spawn(program, args, { env: childEnvironment(process.env), stdio: ['ignore', 'inherit', 'inherit'] })
    } catch (error) {
      failed(error)
      return
    }
    running = { argv, child, identity: child.pid === undefined ? null : table.stat(child.pid) }
    const over = (): void => {
      if (running?.child !== child) return
      running = null
      begin()
    }
    child.once('exit', over)
    child.once('error', (error) => {
      failed(error)
      over()
    })
  }

  return {
    run(argv) {
      next = argv
      if (!running) {
        begin()
        return
      }
      if (!running.identity) return
      if (options.politely) signalProcess(running.identity.pid, 'SIGTERM')
      killTree(table, running.identity)
      log.warning(`Killed ${running.argv.join(' ')} because it was still running`)
    },
  }
}
