import { parseArgs } from 'node:util'

export type Mode =
  | 'run'
  | 'version'
  | 'help'
  | 'validate'
  | 'sample'
  | 'generate'
  | 'raft-controller'
  | 'explain'
  | 'schema'

export interface Arguments {
  readonly mode: Mode
  readonly configPath: string | null
  readonly ignoreListenPort: boolean
  readonly print: boolean
  /** Of the running server, for `--generate-config`. */
  readonly dsn: string | null
}

export const USAGE = `usage: matriarch [-h] [--version] [--validate-config] [--generate-sample-config] [--generate-config] [--dsn DSN] [--ignore-listen-port | -i] [--print | -p] [configfile]
       matriarch config explain [configfile]
       matriarch config schema
       matriarch raft-controller [--version] [configfile]

Keeps the PostgreSQL server beside it a member of a cluster with exactly one primary.

positional arguments:
  configfile            a file or a directory of files; settings in PATRONI_* variables are used as well;
                        where a configuration is generated: the file to write, standard output without it

options:
  -h, --help            show this help message and exit
  --version             show the program's version and exit
  --validate-config     check the configuration and exit
  --generate-sample-config
                        write a sample configuration and exit
  --generate-config     write a configuration for a running server and exit
  --dsn DSN             with --generate-config: how to connect to that server
  -i, --ignore-listen-port
                        with --validate-config: ports that are in use are not an error
  -p, --print           with --validate-config: print the configuration after merging

commands:
  config explain        show each setting in force, where it comes from, and what a change would restart
  config schema         print the JSON Schema of the configuration file, for editors
  raft-controller       be a voter of an embedded Raft group without a PostgreSQL server, for a third place
`

/** A program of its own in the reference (spec dcs.md 3.8). A file of this name can still be given as `./raft-controller`. */
const CONTROLLER = 'raft-controller'

/** Reads the command line (spec configuration.md 11.1). @returns a text for stderr when it cannot be understood */
export function readArguments(argv: readonly string[]): Arguments | string {
  if (argv[0] === CONTROLLER) {
    const read = readArguments(argv.slice(1))
    return typeof read !== 'string' && read.mode === 'run' ? { ...read, mode: CONTROLLER } : read
  }
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean' },
        'validate-config': { type: 'boolean' },
        'generate-sample-config': { type: 'boolean' },
        'generate-config': { type: 'boolean' },
        dsn: { type: 'string' },
        'ignore-listen-port': { type: 'boolean', short: 'i' },
        print: { type: 'boolean', short: 'p' },
      },
    })
    const [word, subject, ...rest] = positionals
    if (word === 'config' && (subject === 'explain' || subject === 'schema')) {
      if (rest.length > 1) return `unrecognized arguments: ${rest.slice(1).join(' ')}`
      const none = { ignoreListenPort: false, print: false, dsn: null }
      return { mode: values.help ? 'help' : subject, configPath: rest[0] ?? null, ...none }
    }
    if (positionals.length > 1) return `unrecognized arguments: ${positionals.slice(1).join(' ')}`
    const modes = (['validate-config', 'generate-sample-config', 'generate-config'] as const).filter(
      (mode) => values[mode],
    )
    if (modes.length > 1) return `argument --${modes[1]}: not allowed with argument --${modes[0]}`
    return {
      mode: values.help ? 'help' : values.version ? 'version' : modeOf(modes[0]),
      configPath: positionals[0] ?? null,
      ignoreListenPort: values['ignore-listen-port'] ?? false,
      print: values.print ?? false,
      dsn: values.dsn ?? null,
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function modeOf(option: 'validate-config' | 'generate-sample-config' | 'generate-config' | undefined): Mode {
  switch (option) {
    case 'validate-config':
      return 'validate'
    case 'generate-sample-config':
      return 'sample'
    case 'generate-config':
      return 'generate'
    case undefined:
      return 'run'
  }
}
