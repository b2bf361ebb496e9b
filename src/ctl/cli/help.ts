import type { Arguments, Options } from './command.ts'
import type { Option } from './options.ts'

const WIDTH = 80
const HELP_OPTION: Option<unknown> = {
  names: ['--help'],
  metavar: null,
  help: 'Show this message and exit.',
  read: () => undefined,
}

/** `Usage: matriarchctl list [OPTIONS] [CLUSTER_NAMES]...` */
export function usageLine(program: string, command: string | null, declared: Arguments): string {
  if (command === null) return `Usage: ${program} [OPTIONS] COMMAND [ARGS]...`
  const shown = Object.values(declared).map(({ metavar, kind }) => {
    if (kind === 'required') return metavar
    return kind === 'optional' ? `[${metavar}]` : `[${metavar}]...`
  })
  return ['Usage:', program, command, '[OPTIONS]', ...shown].join(' ')
}

export function commandHelp(usage: string, description: string, options: Options): string {
  return `${usage}\n\n${wrapped(description, 2)}\n\n${optionList(options)}`
}

export function programHelp(
  usage: string,
  description: string,
  options: Options,
  commands: readonly (readonly [string, string])[],
): string {
  return `${commandHelp(usage, description, options)}\nCommands:\n${columns(commands)}`
}

function optionList(options: Options): string {
  const rows = [...Object.values(options), HELP_OPTION].map((option): [string, string] => {
    const names = [...option.names].sort((a, b) => dashes(a) - dashes(b)).join(', ')
    return [option.metavar === null ? names : `${names} ${option.metavar}`, option.help]
  })
  return `Options:\n${columns(rows)}`
}

function dashes(name: string): number {
  return name.startsWith('--') ? 2 : 1
}

/** Two columns; a left cell that is too long gets a line of its own. */
function columns(rows: readonly (readonly [string, string])[]): string {
  const left = Math.min(32, Math.max(...rows.map(([name]) => name.length)) + 4)
  return rows
    .map(([name, help]) => {
      const text = wrapped(help, left)
      return name.length + 4 > left ? `  ${name}\n${text}\n` : `  ${name}`.padEnd(left) + text.slice(left) + '\n'
    })
    .join('')
}

function wrapped(text: string, indent: number): string {
  const lines: string[] = []
  let line = ''
  for (const part of text.split(/\s+/)) {
    if (line !== '' && indent + line.length + 1 + part.length > WIDTH) {
      lines.push(line)
      line = part
    } else line = line === '' ? part : `${line} ${part}`
  }
  return [...lines, line].map((one) => ' '.repeat(indent) + one).join('\n')
}
