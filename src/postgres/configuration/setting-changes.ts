import { parseInteger } from '../../cluster/values.ts'
import { type Parameters, valueOf } from './parameters.ts'
import { isRecoverySetting } from './recovery-names.ts'
import type { PendingRestart } from './server-parameters.ts'
import { humanForm, isEquivalent } from './setting-values.ts'

/** One row of pg_settings. */
export interface SettingRow {
  readonly name: string
  readonly setting: string
  readonly unit: string | null
  readonly vartype: string
  readonly context: string
}

/** What an applied configuration would change in the running server (spec postgres.md 2.13 steps 1 to 5). */
export interface SettingChanges {
  readonly changed: boolean
  /** Where only a restart brings the new value. */
  readonly pendingRestart: PendingRestart
  readonly messages: readonly { readonly level: 'info' | 'warning'; readonly text: string }[]
  /** Names that the server does not know: not to be written. */
  readonly unknown: readonly string[]
}

/** Names to compare: all that are wanted and those that were wanted before. hot_standby is decided at each start. */
export function candidateNames(wanted: Parameters, previous: Parameters): string[] {
  const names = new Set([...wanted.keys(), ...previous.keys()])
  return [...names].filter((name) => !isRecoverySetting(name) && name !== 'hot_standby')
}

/** Rows needed beside the candidates, to know what `wal_buffers = -1` stands for. */
export const WAL_BUFFER_FACTS: readonly string[] = ['shared_buffers', 'wal_segment_size', 'wal_block_size']

export function settingChanges(wanted: Parameters, previous: Parameters, rows: readonly SettingRow[]): SettingChanges {
  const byName = new Map(rows.map((row) => [row.name.toLowerCase(), row]))
  const pendingRestart: Record<string, { old_value: string; new_value: string }> = {}
  const messages: SettingChanges['messages'][number][] = []
  const unknown: string[] = []
  let changed = false
  for (const name of candidateNames(wanted, previous)) {
    const row = byName.get(name)
    const value = valueOf(wanted, name) ?? null
    const before = valueOf(previous, name) ?? null
    if (!row) {
      if (name.includes('.')) changed ||= value !== before
      else if (value !== null && before === null) unknown.push(name)
      continue
    }
    if (row.context === 'internal') continue
    if (value === null || !isSame(row, value, byName)) {
      changed = true
      const oldValue = humanForm(row.vartype, row.unit, row.setting)
      const newValue = value === null ? null : humanForm(row.vartype, row.unit, value)
      const restart = row.context === 'postmaster'
      if (restart) pendingRestart[row.name] = { old_value: oldValue, new_value: newValue ?? '' }
      const suffix = restart ? ' (restart might be required)' : ''
      messages.push({ level: 'info', text: `Changed ${row.name} from '${oldValue}' to '${newValue ?? ''}'${suffix}` })
    } else if (before === null || !isSame(row, before, byName)) {
      changed = true
    }
  }
  for (const name of unknown)
    messages.push({ level: 'warning', text: `Removing invalid parameter \`${name}\` from postgresql.parameters` })
  return { changed, pendingRestart, messages, unknown }
}

function isSame(row: SettingRow, value: string, rows: ReadonlyMap<string, SettingRow>): boolean {
  if (isEquivalent(row.vartype, row.unit, row.setting, value)) return true
  if (row.name !== 'wal_buffers') return false
  const automatic = automaticWalBuffers(rows)
  const resolve = (number: number | undefined): number | undefined => (number === -1 ? automatic : number)
  const have = resolve(parseInteger(row.setting))
  return have !== undefined && have === resolve(parseInteger(value, row.unit ?? undefined))
}

/** `min(max(shared_buffers / 32, 8), wal_segment_size)` in blocks, as the server computes it. */
function automaticWalBuffers(rows: ReadonlyMap<string, SettingRow>): number | undefined {
  const shared = parseInteger(rows.get('shared_buffers')?.setting)
  const block = parseInteger(rows.get('wal_block_size')?.setting)
  const segmentRow = rows.get('wal_segment_size')
  const segment = parseInteger(segmentRow?.setting)
  if (shared === undefined || block === undefined || segment === undefined) return undefined
  const segmentBlocks = segmentRow?.unit === 'B' ? segment / block : segment
  return Math.min(Math.max(Math.trunc(shared / 32), 8), segmentBlocks)
}
