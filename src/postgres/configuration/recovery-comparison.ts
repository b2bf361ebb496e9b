import { parseBool, parseInteger } from '../../cluster/values.ts'
import type { RecoveryDifference } from '../../ports/postgres.ts'
import { parseConninfo } from '../conninfo.ts'
import type { ConnectionKeywords } from '../parts.ts'
import { majorOf, type ServerVersion } from '../version.ts'
import { valueOf } from './parameters.ts'
import { RECOVERY_NAMES, triggerFileName } from './recovery-names.ts'
import { preferred, type RecoverySettings } from './recovery-settings.ts'

/** One recovery setting as the running server has it. */
export interface CurrentSetting {
  readonly value: string
  /** Whether a change takes effect only at a start. */
  readonly needsRestart: boolean
  /** Set in a file that the operator includes, not in one that we write. */
  readonly isForeign: boolean
}

export type CurrentRecovery = ReadonlyMap<string, CurrentSetting>

/** What the WAL receiver works with; `null`: there is none. */
export interface ReceiverFact {
  readonly slotName: string | null
  readonly conninfo: string | null
}

export interface ComparisonInput {
  readonly wanted: RecoverySettings
  readonly current: CurrentRecovery
  readonly receiver: ReceiverFact | null
  readonly version: ServerVersion
  /** Whether the password file named has exactly the lines for the wanted connection. */
  readonly passfileFits: (path: string) => boolean
}

/** Settings that an operator may give in an included file, as long as we want nothing there (spec postgres.md 2.10). */
const MAY_BE_FOREIGN: readonly string[] = [
  'archive_cleanup_command',
  'promote_trigger_file',
  'recovery_end_command',
  'recovery_min_apply_delay',
  'restore_command',
]

/** Recovery settings that a running standby is asked for. The others mean nothing to a standby or live in the signal file. */
export function comparedNames(version: ServerVersion): string[] {
  const skipped = new Set(['pause_at_recovery_target', 'recovery_target_inclusive', 'recovery_target_action'])
  if (majorOf(version) >= 120000) skipped.add('standby_mode')
  skipped.add(triggerFileName(version) === 'trigger_file' ? 'promote_trigger_file' : 'trigger_file')
  return [...RECOVERY_NAMES].filter((name) => !skipped.has(name))
}

/** Whether a change needs a restart where the server was not asked: we wrote the settings ourselves. */
export function needsRestartByVersion(name: string, version: ServerVersion): boolean {
  const major = majorOf(version)
  if (major < 120000) return true
  if (name === 'primary_conninfo' || name === 'primary_slot_name') return major < 130000
  return name === 'restore_command' && major < 140000
}

/** What must be done so that the server recovers as wanted (spec postgres.md 2.10 steps 3 and 4). */
export function compareRecovery(input: ComparisonInput): RecoveryDifference {
  let difference: RecoveryDifference = 'none'
  for (const [name, current] of input.current) {
    if (fits(name, current, input)) continue
    if (current.needsRestart) return 'restart'
    difference = 'reload'
  }
  return difference
}

function fits(name: string, current: CurrentSetting, input: ComparisonInput): boolean {
  const { wanted, receiver } = input
  const wantedValue = valueOf(wanted.values, name)
  if (current.isForeign && wantedValue === undefined && MAY_BE_FOREIGN.includes(name)) return true
  switch (name) {
    case 'primary_conninfo':
      return conninfoFits(current.value, input)
    case 'primary_slot_name': {
      if (!wanted.primaryConninfo) return true
      const slot = receiver ? (receiver.slotName ?? '') : current.value
      return slot === (wantedValue ?? '')
    }
    case 'standby_mode':
      return (parseBool(current.value) ?? false) === (parseBool(wantedValue ?? null) ?? false)
    case 'recovery_min_apply_delay':
      return (parseInteger(current.value, 'ms') ?? 0) === (parseInteger(wantedValue, 'ms') ?? 0)
    default:
      return current.value === (wantedValue ?? '')
  }
}

function conninfoFits(setting: string, input: ComparisonInput): boolean {
  const { wanted, version } = input
  if (!wanted.primaryConninfo) return setting === ''
  const present = presentConninfo(setting, input.receiver)
  if (!present) return false
  const filled = { ...preferred(majorOf(version)), ...present }
  return Object.entries(wanted.primaryConninfo).every(([keyword, value]) => {
    if (keyword === 'dbname' && version < 170000) return true
    if (keyword === 'password' && filled['passfile'] !== undefined) return input.passfileFits(filled['passfile'])
    return filled[keyword] === value
  })
}

/** What is really connected tells more than what is configured; but PostgreSQL hides the password in it. */
function presentConninfo(setting: string, receiver: ReceiverFact | null): ConnectionKeywords | null {
  if (setting === '') return null
  const configured = parseConninfo(setting)
  const connected = receiver?.conninfo ? parseConninfo(receiver.conninfo) : null
  if (!configured || !connected) return configured
  const { dbname: _dbname, password: _hidden, ...rest } = connected
  const { dbname, password } = configured
  return { ...rest, ...(dbname ? { dbname } : {}), ...(password ? { password } : {}) }
}
