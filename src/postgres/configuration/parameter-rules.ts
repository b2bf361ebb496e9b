import { parseBool, parseInteger, parseReal } from '../../cluster/values.ts'
import { parseVersion, type ServerVersion } from '../version.ts'
import {
  BOOLEANS,
  ENUMS,
  ENUMS_OR_BOOLEANS,
  INTEGERS,
  type PlainRow,
  type RangeRow,
  REALS,
  STRINGS,
  type WordsRow,
} from './parameter-table.ts'
import { type Parameter, type Parameters, sortedParameters } from './parameters.ts'
import {
  isRecoverySetting,
  RECOVERY_BOOLEANS,
  RECOVERY_ENUMS,
  RECOVERY_INTEGERS,
  RECOVERY_NAMES,
  RECOVERY_STRINGS,
} from './recovery-names.ts'

type Kind =
  | { readonly type: 'bool' | 'string' }
  | { readonly type: 'enum' | 'enum or bool'; readonly words: readonly string[] }
  | { readonly type: 'integer' | 'real'; readonly min: number; readonly max: number; readonly unit: string }

interface Rule {
  readonly from: ServerVersion
  /** Exclusive. */
  readonly till: ServerVersion
  readonly kind: Kind
}

type Rules = ReadonlyMap<string, readonly Rule[]>

interface Tables {
  readonly booleans: readonly PlainRow[]
  readonly strings: readonly PlainRow[]
  readonly enums: readonly WordsRow[]
  readonly enumsOrBooleans: readonly WordsRow[]
  readonly integers: readonly RangeRow[]
  readonly reals: readonly RangeRow[]
}

function rulesFrom(tables: Tables): Rules {
  const rules = new Map<string, Rule[]>()
  const add = (versions: string, names: string, kind: Kind): void => {
    const [from = '', till] = versions.split(/[-+]/)
    const rule = { from: parseVersion(from), till: till ? parseVersion(till) : Number.POSITIVE_INFINITY, kind }
    for (const name of names.toLowerCase().split(' ')) rules.set(name, [...(rules.get(name) ?? []), rule])
  }
  for (const [versions, names] of tables.booleans) add(versions, names, { type: 'bool' })
  for (const [versions, names] of tables.strings) add(versions, names, { type: 'string' })
  for (const [versions, names, words] of tables.enums) add(versions, names, { type: 'enum', words })
  for (const [versions, names, words] of tables.enumsOrBooleans) add(versions, names, { type: 'enum or bool', words })
  for (const [versions, min, max, unit, names] of tables.integers)
    add(versions, names, { type: 'integer', min, max, unit })
  for (const [versions, min, max, unit, names] of tables.reals) add(versions, names, { type: 'real', min, max, unit })
  return rules
}

let serverRules: Rules | undefined
let recoveryRules: Rules | undefined

/** Rules for what stands in postgresql.conf. */
function rulesForServer(): Rules {
  serverRules ??= rulesFrom({
    booleans: BOOLEANS,
    strings: STRINGS,
    enums: ENUMS,
    enumsOrBooleans: ENUMS_OR_BOOLEANS,
    integers: INTEGERS,
    reals: REALS,
  })
  return serverRules
}

function rulesForRecovery(): Rules {
  recoveryRules ??= rulesFrom({
    booleans: RECOVERY_BOOLEANS,
    strings: RECOVERY_STRINGS,
    enums: RECOVERY_ENUMS,
    enumsOrBooleans: [],
    integers: RECOVERY_INTEGERS,
    reals: [],
  })
  return recoveryRules
}

/** What may be written, and a warning for each value that was changed or left out. */
export interface Checked {
  readonly parameters: readonly Parameter[]
  readonly warnings: readonly string[]
}

/** Whether every name is covered by the table: then nobody needs to ask the binary what it knows. */
export function areAllKnown(parameters: Parameters, version: ServerVersion): boolean {
  return [...parameters.values()].every(
    ({ name }) => isRecoverySetting(name) || ruleFor(rulesForServer(), name, version) !== 'none',
  )
}

/**
 * Keeps the server parameters that this version will accept (spec postgres.md 2.5): one bad value must not keep a
 * database from starting at 3 a.m.
 * @param available lower-case names that `postgres --describe-config` lists; `null`: not asked, accept any
 */
export function checkServerParameters(
  parameters: Parameters,
  version: ServerVersion,
  available: ReadonlySet<string> | null,
): Checked {
  const wanted = sortedParameters(parameters).filter(({ name }) => !isRecoverySetting(name))
  return check(wanted, rulesForServer(), version, available)
}

/** As above for recovery settings. Before 12 the binary does not list them, so every name of the list counts as known. */
export function checkRecoverySettings(
  settings: Parameters,
  version: ServerVersion,
  available: ReadonlySet<string> | null,
): Checked {
  return check(sortedParameters(settings), rulesForRecovery(), version, version < 120000 ? RECOVERY_NAMES : available)
}

function check(
  wanted: readonly Parameter[],
  rules: Rules,
  version: ServerVersion,
  available: ReadonlySet<string> | null,
): Checked {
  const parameters: Parameter[] = []
  const warnings: string[] = []
  for (const { name, value } of wanted) {
    const rule = ruleFor(rules, name, version)
    const judged =
      rule === 'extension' || (rule === 'none' && (available === null || available.has(name.toLowerCase())))
        ? { value }
        : rule === 'none'
          ? { warning: `Removing unexpected parameter=${name} value=${value} from the config` }
          : judge(name, value, rule.kind)
    if ('warning' in judged) warnings.push(judged.warning)
    if ('value' in judged) parameters.push({ name, value: judged.value })
  }
  return { parameters, warnings }
}

function ruleFor(rules: Rules, name: string, version: ServerVersion): Rule | 'extension' | 'none' {
  const known = rules.get(name.toLowerCase())
  if (!known && name.includes('.')) return 'extension'
  return known?.find(({ from, till }) => version >= from && version < till) ?? 'none'
}

type Judged =
  | { readonly value: string }
  | { readonly warning: string }
  | { readonly value: string; readonly warning: string }

function judge(name: string, value: string, kind: Kind): Judged {
  const invalid = (type: string): Judged => ({
    warning: `Removing ${type} parameter=${name} from the config due to the invalid value=${value}`,
  })
  switch (kind.type) {
    case 'string':
      return { value }
    case 'bool':
      return parseBool(value) === undefined ? invalid('bool') : { value }
    case 'enum':
      return kind.words.includes(value.toLowerCase()) ? { value } : invalid('enum')
    case 'enum or bool':
      return parseBool(value) !== undefined || kind.words.includes(value.toLowerCase()) ? { value } : invalid('enum')
    case 'integer':
    case 'real': {
      const parse = kind.type === 'integer' ? parseInteger : parseReal
      const number = parse(value, kind.unit === '' ? undefined : kind.unit)
      if (number === undefined) return invalid(kind.type)
      if (number < kind.min) return clamped(name, value, kind.min, kind.unit, 'low, increasing')
      if (number > kind.max) return clamped(name, value, kind.max, kind.unit, 'big, decreasing')
      return { value }
    }
  }
}

function clamped(name: string, value: string, bound: number, unit: string, how: string): Judged {
  return { value: String(bound), warning: `Value=${value} of parameter=${name} is too ${how} to ${bound}${unit}` }
}
