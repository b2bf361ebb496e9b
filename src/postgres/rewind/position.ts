import { type Lsn, parseLsn, printLsn, ZERO_LSN } from '../../cluster/lsn.ts'
import type { ControlData, LocalPosition } from '../../ports/postgres.ts'

/** Where a stopped server stands, by its control file (spec postgres.md 6.3 step 1); `null`: that cannot be told. */
export function stoppedPosition(control: ControlData | null): LocalPosition | null {
  if (!control) return null
  const { clusterState, minRecoveryLsn, minRecoveryTimeline, checkpointLsn, checkpointTimeline } = control
  const inRecovery = clusterState === 'shut down in recovery' || clusterState === 'in archive recovery'
  if (!inRecovery && clusterState !== 'shut down') return null
  // no minimum recovery point: a primary that was demoted after a crash
  if (inRecovery && minRecoveryLsn && minRecoveryTimeline)
    return { timeline: minRecoveryTimeline, lsn: minRecoveryLsn, inRecovery: true }
  return checkpointLsn && checkpointTimeline
    ? { timeline: checkpointTimeline, lsn: checkpointLsn, inRecovery: false }
    : null
}

/** An LSN as tools print it in file positions: the right half padded. */
export function paddedLsn(lsn: Lsn): string {
  const [high = '', low = ''] = printLsn(lsn).split('/')
  return `${high}/${low.padStart(8, '0')}`
}

/**
 * Where the record at `lsn` ends, from what `pg_waldump -n 2` printed: the record itself, and the complaint about what
 * should come after it (spec postgres.md 6.3). Versions differ in wording and padding. 0: that is not what was printed.
 */
export function recordEnd(lsn: Lsn, stdout: string, stderr: string): Lsn {
  const records = stdout.split('\n').filter((line) => line.trim() !== '')
  const complaints = stderr.split('\n').filter((line) => line.includes('error in WAL record at'))
  const [record] = records
  const at = /, lsn: ([0-9A-F/]+), prev /.exec(record ?? '')?.[1]
  const complaint = /error in WAL record at ([0-9A-F/]+): invalid record length at ([0-9A-F/]+)/.exec(
    complaints[0] ?? '',
  )
  if (records.length !== 1 || parseLsn(at) !== lsn || parseLsn(complaint?.[1]) !== lsn) return ZERO_LSN
  return parseLsn(complaint?.[2]) ?? ZERO_LSN
}
