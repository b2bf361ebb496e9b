import { majorOf, type ServerVersion } from '../version.ts'
import type { PlainRow, RangeRow, WordsRow } from './parameter-table.ts'

/** Rules for recovery settings by version (spec postgres.md 2.8); same shape as Appendix A. */
export const RECOVERY_BOOLEANS: readonly PlainRow[] = [
  ['9.3-9.5', 'pause_at_recovery_target'],
  ['9.3+', 'recovery_target_inclusive'],
  ['9.3-12', 'standby_mode'],
]
export const RECOVERY_INTEGERS: readonly RangeRow[] = [['9.4+', 0, 2147483647, 'ms', 'recovery_min_apply_delay']]
export const RECOVERY_ENUMS: readonly WordsRow[] = [
  ['9.4+', 'recovery_target', ['immediate', '']],
  ['9.5+', 'recovery_target_action', ['pause', 'promote', 'shutdown']],
]
export const RECOVERY_STRINGS: readonly PlainRow[] = [
  [
    '9.3+',
    'archive_cleanup_command primary_conninfo recovery_end_command recovery_target_time recovery_target_timeline recovery_target_xid restore_command',
  ],
  ['9.3-12', 'trigger_file'],
  ['9.4+', 'primary_slot_name recovery_target_name'],
  ['10+', 'recovery_target_lsn'],
  ['12-16', 'promote_trigger_file'],
]

/** Every recovery setting of any version. Before 12 they live in recovery.conf, since 12 in postgresql.conf. */
export const RECOVERY_NAMES: ReadonlySet<string> = new Set(
  [
    ...[...RECOVERY_BOOLEANS, ...RECOVERY_STRINGS].flatMap(([, names]) => names.split(' ')),
    ...RECOVERY_ENUMS.map(([, name]) => name),
    ...RECOVERY_INTEGERS.map(([, , , , name]) => name),
  ].sort(),
)

export function isRecoverySetting(name: string): boolean {
  return RECOVERY_NAMES.has(name.toLowerCase())
}

/** Settings of which a standby makes no use of its own choice: what `recovery_conf` may not set for it. */
export function isChosenBySource(name: string): boolean {
  return name.startsWith('recovery_target') || name === 'primary_conninfo' || name === 'primary_slot_name'
}

/** The name under which the version knows the file that ends recovery. */
export function triggerFileName(version: ServerVersion): 'trigger_file' | 'promote_trigger_file' {
  return majorOf(version) >= 120000 ? 'promote_trigger_file' : 'trigger_file'
}
