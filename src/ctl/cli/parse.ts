import { CommanderError, Command as Parser, Option as ParserOption } from 'commander'
import { UsageError } from '../errors.ts'
import type { Arguments, Options } from './command.ts'
import type { Argument } from './options.ts'

export interface Parsed {
  /** By declared name. */
  readonly options: Readonly<Record<string, unknown>>
  readonly operands: readonly string[]
  readonly help: boolean
}

/**
 * Splits a command line into options and operands (spec ctl.md 1.1) and reads the options.
 * @param stopAtOperand everything from the first operand on belongs to somebody else
 * @throws {UsageError}
 */
export function parseOptions(declared: Options, argv: readonly string[], stopAtOperand: boolean): Parsed {
  const texts = new Map<string, string[]>()
  let help = false
  const parser = new Parser()
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .passThroughOptions(stopAtOperand)
  const listen = (name: string, metavar: string | null, seen: (value: string) => void): void => {
    const option = new ParserOption(metavar === null ? name : `${name} <value>`)
    parser.addOption(option)
    parser.on(`option:${option.name()}`, (value: string | undefined) => seen(value ?? ''))
  }
  listen('--help', null, () => {
    help = true
  })
  for (const [key, option] of Object.entries(declared)) {
    const given: string[] = []
    texts.set(key, given)
    for (const name of option.names) listen(name, option.metavar, (value) => given.push(value))
  }
  const { operands, unknown } = splitArguments(parser, argv)
  const stranger = unknown[0]
  if (stranger !== undefined) throw strangerError(stranger, declared)
  const options: Record<string, unknown> = {}
  if (!help) for (const [key, option] of Object.entries(declared)) options[key] = option.read(texts.get(key) ?? [])
  return { options, operands, help }
}

function splitArguments(parser: Parser, argv: readonly string[]): ReturnType<Parser['parseOptions']> {
  try {
    return parser.parseOptions([...argv])
  } catch (error) {
    // The only option that can lack its value is the last word.
    if (error instanceof CommanderError && error.code === 'commander.optionMissingArgument')
      throw new UsageError(`Option '${argv.at(-1)}' requires an argument.`)
    throw error
  }
}

function strangerError(given: string, declared: Options): UsageError {
  const [name = given] = given.split('=', 1)
  const known = Object.values(declared).some((option) => option.metavar === null && option.names.includes(name))
  return new UsageError(known ? `Option '${name}' does not take a value.` : `No such option: ${name}`)
}

/**
 * Hands the operands to the declared arguments; a variadic one takes what the others leave.
 * @throws {UsageError}
 */
export function readArguments(declared: Arguments, operands: readonly string[]): Record<string, unknown> {
  const entries = Object.entries(declared)
  const variadicAt = entries.findIndex(([, argument]) => argument.kind === 'variadic')
  const behind = variadicAt < 0 ? 0 : entries.length - variadicAt - 1
  const ahead = variadicAt < 0 ? entries.length : variadicAt
  const surplus = operands.length - ahead - behind
  const taken = (index: number): readonly string[] => {
    if (index < ahead) return operands.slice(index, index + 1)
    if (index === variadicAt) return operands.slice(ahead, ahead + Math.max(0, surplus))
    const position = ahead + Math.max(0, surplus) + (index - variadicAt - 1)
    return operands.slice(position, position + 1)
  }
  const read: Record<string, unknown> = {}
  for (const [index, [key, argument]] of entries.entries()) {
    const given = taken(index)
    if (argument.kind === 'required' && given.length === 0) throw missing(argument)
    read[key] = argument.read(given)
  }
  if (variadicAt < 0 && surplus > 0) {
    const extra = operands.slice(ahead)
    throw new UsageError(`Got unexpected extra argument${extra.length > 1 ? 's' : ''} (${extra.join(' ')})`)
  }
  return read
}

function missing(argument: Argument<unknown>): UsageError {
  return new UsageError(`Missing argument '${argument.metavar}'.`)
}
