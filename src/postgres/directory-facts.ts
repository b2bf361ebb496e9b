import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Role } from '../cluster/instance.ts'
import { parseTimelineHistory, type Timeline, type TimelineSwitch, timelineHex } from '../cluster/timeline.ts'
import { localTimestamp, printTimestamp } from '../cluster/timestamp.ts'
import { exists } from './files.ts'
import { dataDirectoryVersion } from './version.ts'

/** recovery.conf before PostgreSQL 12, a signal file since. */
const RECOVERY_FILES = ['standby.signal', 'recovery.signal', 'recovery.conf'] as const

export async function hasRecoverySignal(dataDir: string): Promise<boolean> {
  const found = await Promise.all(RECOVERY_FILES.map((name) => exists(join(dataDir, name))))
  return found.includes(true)
}

export function hasBackupLabel(dataDir: string): Promise<boolean> {
  return exists(join(dataDir, 'backup_label'))
}

/** What a server started on this directory as it is would be (spec postgres.md 1.2). */
export async function roleOfDataDirectory(dataDir: string): Promise<Role> {
  if (!(await exists(join(dataDir, 'global', 'pg_control')))) return 'uninitialized'
  return (await hasRecoverySignal(dataDir)) ? 'replica' : 'primary'
}

/** `pg_wal`, or `pg_xlog` before PostgreSQL 10. */
export async function walDirectory(dataDir: string): Promise<string> {
  const version = await dataDirectoryVersion(dataDir)
  return join(dataDir, version !== 0 && version < 100000 ? 'pg_xlog' : 'pg_wal')
}

/** The history file of a timeline, and when it was written: the moment of the promotion (spec postgres.md 1.9). */
export async function localTimelineHistory(
  dataDir: string,
  timeline: Timeline,
): Promise<{ readonly switches: readonly TimelineSwitch[]; readonly modifiedAt: string } | null> {
  const path = join(await walDirectory(dataDir), `${timelineHex(timeline)}.history`)
  try {
    const [text, found] = await Promise.all([readFile(path, 'utf8'), stat(path)])
    return { switches: parseTimelineHistory(text), modifiedAt: printTimestamp(localTimestamp(found.mtimeMs)) }
  } catch {
    return null
  }
}
