import { UsageError } from '../errors.ts'

/** An option of a command and how its texts become a value. */
export interface Option<T> {
  /** Every spelling, in the order in which messages name them. */
  readonly names: readonly string[]
  /** How help shows the value; `null`: a flag without a value. */
  readonly metavar: string | null
  readonly help: string
  /** @param texts the values given, in order; empty when the option is absent */
  read(texts: readonly string[]): T
}

/** A positional argument. */
export interface Argument<T> {
  readonly metavar: string
  readonly kind: 'required' | 'optional' | 'variadic'
  read(texts: readonly string[]): T
}

const spellings = (names: string): string[] => names.split(', ')

/** `'--role' / '-r'`, as error messages name an option. */
export function hint(option: Pick<Option<unknown>, 'names'>): string {
  return option.names.map((name) => `'${name}'`).join(' / ')
}

export function flag(names: string, help: string): Option<boolean> {
  return { names: spellings(names), metavar: null, help, read: (texts) => texts.length > 0 }
}

/** The last value given; `null` when absent. */
export function text(names: string, help: string, metavar = 'TEXT'): Option<string | null> {
  return { names: spellings(names), metavar, help, read: (texts) => texts.at(-1) ?? null }
}

/** All values given. */
export function texts(names: string, help: string, metavar = 'TEXT'): Option<readonly string[]> {
  return { names: spellings(names), metavar, help, read: (given) => given }
}

function converted<T>(option: Omit<Option<T | null>, 'read'>, convert: (text: string) => T): Option<T | null> {
  return {
    ...option,
    read: (given) => {
      const last = given.at(-1)
      return last === undefined ? null : convert(last)
    },
  }
}

export function integer(names: string, help: string): Option<number | null> {
  const option = { names: spellings(names), metavar: 'INTEGER', help }
  return converted(option, (given) => {
    if (/^\s*[-+]?\d+\s*$/.test(given) && Number.isSafeInteger(Number(given))) return Number(given)
    throw new UsageError(`Invalid value for ${hint(option)}: '${given}' is not a valid integer.`)
  })
}

export function float(names: string, help: string): Option<number | null> {
  const option = { names: spellings(names), metavar: 'FLOAT', help }
  return converted(option, (given) => {
    if (/^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(given)) return Number(given)
    throw new UsageError(`Invalid value for ${hint(option)}: '${given}' is not a valid float.`)
  })
}

/** One of a few words; their case matters. */
export function choice<const C extends readonly string[]>(
  names: string,
  choices: C,
  help: string,
): Option<C[number] | null> {
  const option = { names: spellings(names), metavar: `[${choices.join('|')}]`, help }
  return converted(option, (given) => {
    if (choices.includes(given)) return given
    const known = choices.map((one) => `'${one}'`).join(', ')
    throw new UsageError(`Invalid value for ${hint(option)}: '${given}' is not one of ${known}.`)
  })
}

/** The same option with a value for when it is absent. */
export function withDefault<T>(option: Option<T | null>, fallback: NoInfer<T>): Option<T> {
  return { ...option, read: (given) => option.read(given) ?? fallback }
}

export function required(metavar: string): Argument<string> {
  return { metavar, kind: 'required', read: (given) => given[0] as string }
}

export function optional(metavar: string): Argument<string | null> {
  return { metavar, kind: 'optional', read: (given) => given[0] ?? null }
}

export function variadic(metavar: string): Argument<readonly string[]> {
  return { metavar, kind: 'variadic', read: (given) => given }
}

/** A mandatory word out of a few. */
export function word<const C extends readonly string[]>(choices: C): Argument<C[number]> {
  const metavar = `{${choices.join('|')}}`
  return {
    metavar,
    kind: 'required',
    read: ([given]) => {
      if (choices.includes(given as string)) return given as C[number]
      const known = choices.map((one) => `'${one}'`).join(', ')
      throw new UsageError(`Invalid value for '${metavar}': '${given}' is not one of ${known}.`)
    },
  }
}
