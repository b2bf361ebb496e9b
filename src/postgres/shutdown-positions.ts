import { type Lsn, parseLsn, printLsn } from '../cluster/lsn.ts'
import type { Timeline } from '../cluster/timeline.ts'
import type { ControlData, ShutdownPositions } from '../ports/postgres.ts'
import { C_LOCALE } from './control-data.ts'
import type { Binaries, CommandRunner } from './parts.ts'

/** One record as pg_waldump prints it. */
export interface WalRecord {
  readonly resourceManager: string
  readonly lsn: Lsn
  readonly previous: Lsn
  readonly description: string
}

/** Reads `rmgr: XLOG  len … lsn: 0/02000028, prev 0/01FFF6B8, desc: CHECKPOINT_SHUTDOWN redo …; shutdown`. */
export function parseWalRecord(line: string): WalRecord | null {
  const match = /^rmgr: (\S+)\s.*?\blsn: ([0-9A-F/]+), prev ([0-9A-F/]+),.*?\bdesc: (.*)$/.exec(line)
  const lsn = parseLsn(match?.[2])
  const previous = parseLsn(match?.[3])
  if (!match || lsn === null || previous === null) return null
  return { resourceManager: match[1] as string, lsn, previous, description: (match[4] as string).trim() }
}

export async function readWalRecord(
  runner: CommandRunner,
  binaries: Binaries,
  dataDir: string,
  at: { readonly timeline: Timeline; readonly lsn: Lsn },
  signal: AbortSignal,
): Promise<WalRecord | null> {
  const argv = [binaries.path('pg_waldump'), '-t', String(at.timeline), '-s', printLsn(at.lsn), '-n', '1']
  const { stdout } = await runner.run(argv, { env: { ...C_LOCALE, PGDATA: dataDir }, signal })
  const [first = ''] = stdout.split('\n', 1)
  return parseWalRecord(first)
}

/**
 * Where a cleanly stopped primary ended (spec postgres.md 1.12). Archiving makes it switch the segment before the
 * shutdown checkpoint; a standby that has everything before that switch has all data.
 * @returns `null` when it was not shut down cleanly, or its last record is no shutdown checkpoint
 */
export async function shutdownPositions(
  runner: CommandRunner,
  binaries: Binaries,
  dataDir: string,
  control: ControlData | null,
  signal: AbortSignal,
): Promise<ShutdownPositions | null> {
  if (control?.clusterState !== 'shut down') return null
  const { checkpointLsn: checkpoint, checkpointTimeline: timeline } = control
  if (checkpoint === null || timeline === null) return null
  const record = await readWalRecord(runner, binaries, dataDir, { timeline, lsn: checkpoint }, signal)
  if (!record || !isShutdownCheckpoint(record) || record.lsn !== checkpoint) return null
  const before = await readWalRecord(runner, binaries, dataDir, { timeline, lsn: record.previous }, signal)
  return { checkpoint, previous: before && isSegmentSwitch(before) ? before.lsn : checkpoint }
}

function isShutdownCheckpoint({ resourceManager, description }: WalRecord): boolean {
  const text = description.toLowerCase()
  return resourceManager === 'XLOG' && text.startsWith('checkpoint') && text.endsWith('shutdown')
}

function isSegmentSwitch({ resourceManager, description }: WalRecord): boolean {
  return resourceManager === 'XLOG' && ['switch', 'xlog switch'].includes(description.toLowerCase())
}
