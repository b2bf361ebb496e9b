import { parseArgs } from 'node:util'

export type Mode = 'run' | 'version' | 'help' | 'validate' | 'sample' | 'generate'

export interface Arguments {
  readonly mode: Mode
  readonly configPath: string | null
  readonly ignoreListenPort: boolean
  readonly print: boolean
}

export const USAGE = `usage: matriarch [-h] [--version] [--validate-config] [--ignore-listen-port | -i] [--print | -p] [configfile]

Keeps the PostgreSQL server beside it a member of a cluster with exactly one primary.

positional arguments:
  configfile            a file or a directory of files; settings in PATRONI_* variables are used as well

options:
  -h, --help            show this help message and exit
  --version             show the program's version and exit
  --validate-config     check the configuration and exit
  -i, --ignore-listen-port
                        with --validate-config: ports that are in use are not an error
  -p, --print           with --validate-config: print the configuration after merging
`

/** Reads the command line (spec configuration.md 11.1). @returns a text for stderr when it cannot be understood */
export function readArguments(argv: readonly string[]): Arguments | string {
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
