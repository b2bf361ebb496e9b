import type { ConfigFiles } from '../config/files.ts'
import type { Log } from '../ports/log.ts'
import { commandHelp, programHelp, usageLine } from './cli/help.ts'
import { flag, text } from './cli/options.ts'
import { parseOptions, readArguments } from './cli/parse.ts'
import { COMMANDS } from './commands.ts'
import { type CtlConfiguration, loadConfiguration } from './configuration.ts'
import { ctlLog, logLevel } from './ctl-log.ts'
import { Aborted, CtlError, messageOf, UsageError } from './errors.ts'
import type { MemberApi, RaftGroup, Session, Stores } from './session.ts'

/** What the tool runs in: a session without its configuration. */
export interface World
  extends Pick<Session, 'program' | 'version' | 'terminal' | 'tools' | 'clock' | 'random' | 'signal' | 'sql'> {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly platform: NodeJS.Platform
  readonly home: string
  /** In place of the real file system. */
  readonly files?: ConfigFiles
  stores(config: CtlConfiguration, log: Log): Stores
  members(config: CtlConfiguration): MemberApi
  raft(config: CtlConfiguration, log: Log): RaftGroup
}

const GLOBAL_OPTIONS = {
  configFile: text('--config-file, -c', 'Configuration file or directory [env: PATRONICTL_CONFIG_FILE]'),
  dcsUrl: text('--dcs-url, --dcs, -d', 'The DCS connect url, in place of the configured one [env: DCS_URL]'),
  insecure: flag('-k, --insecure', 'Allow connections to SSL sites without certs'),
  strict: flag('--strict', 'Exit with 3 when a server refused or the outcome is unknown [env: MATRIARCHCTL_STRICT]'),
} as const

const DESCRIPTION = 'Shows and operates PostgreSQL clusters led by Matriarch or Patroni.'
/** Only where the operator asked for it: by default a refusal of a server is no failure of the tool. */
const REFUSED = 3

/** Runs one command line; every error ends here (spec ctl.md 1.2). @returns the exit code */
export async function runProgram(world: World, argv: readonly string[]): Promise<number> {
  const { terminal, program } = world
  // What a usage error is about: the program until the command is known.
  let place = { usage: usageLine(program, null, {}), help: `${program} --help` }
  try {
    const global = parseOptions(GLOBAL_OPTIONS, argv, true)
    const [name, ...rest] = global.operands
    if (global.help || name === undefined) {
      const rows = Object.entries(COMMANDS).map(([command, { summary }]) => [command, summary] as const)
      terminal.write(programHelp(place.usage, DESCRIPTION, GLOBAL_OPTIONS, rows))
      return 0
    }
    const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
    if (!entry) throw new UsageError(`No such command '${name}'.`)
    const options = withEnvironment(global.options, world.env)
    const config = await loadConfiguration({ ...options, ...world })
    const { default: command } = await entry.load()
    const usage = usageLine(program, name, command.arguments)
    place = { usage, help: `${program} ${name} --help` }
    const given = parseOptions(command.options, rest, false)
    if (given.help) {
      terminal.write(commandHelp(usage, command.description, command.options))
      return 0
    }
    let failed = false
    const session = openSession(world, config, () => {
      failed = true
    })
    await command.runWith(session, readArguments(command.arguments, given.operands), given.options)
    return failed && options.strict ? REFUSED : 0
  } catch (error) {
    return reportError(world, place, error)
  }
}

interface GlobalOptions {
  readonly configFile: string | null
  readonly dcsUrl: string | null
  readonly insecure: boolean
  readonly strict: boolean
}

/** A value on the command line wins; an empty variable is as good as none. */
function withEnvironment(given: Readonly<Record<string, unknown>>, env: World['env']): GlobalOptions {
  const options = given as unknown as GlobalOptions
  return {
    configFile: options.configFile ?? (env['PATRONICTL_CONFIG_FILE'] || null),
    dcsUrl: options.dcsUrl ?? (env['DCS_URL'] || null),
    insecure: options.insecure,
    strict: options.strict || ['1', 'on', 'true', 'yes'].includes((env['MATRIARCHCTL_STRICT'] ?? '').toLowerCase()),
  }
}

function openSession(world: World, config: CtlConfiguration, noteFailure: () => void): Session {
  const { terminal, clock } = world
  const log = ctlLog(
    logLevel(world.env),
    () => clock.wallMs(),
    (line) => terminal.writeError(line),
  )
  let stores: Stores | null = null
  let members: MemberApi | null = null
  let raft: RaftGroup | null = null
  return {
    ...world,
    config,
    log,
    noteFailure,
    // Opened by the first who needs them: `version` runs without any store.
    get stores() {
      if (!stores) log.debug(`The store is ${config.store.kind ?? 'not configured'}, named by ${config.storeOrigin}`)
      stores ??= world.stores(config, log)
      return stores
    },
    get members() {
      members ??= world.members(config)
      return members
    },
    get raft() {
      raft ??= world.raft(config, log)
      return raft
    },
  }
}

function reportError(world: World, place: { readonly usage: string; readonly help: string }, error: unknown): number {
  const { terminal } = world
  if (error instanceof UsageError) {
    terminal.writeError(`${place.usage}\nTry '${place.help}' for help.\n\nError: ${error.message}\n`)
    return 2
  }
  if (error instanceof Aborted) terminal.writeError('Aborted!\n')
  else terminal.writeError(`Error: ${error instanceof CtlError ? error.message : messageOf(error)}\n`)
  return 1
}
