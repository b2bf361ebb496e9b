import { type Lsn, ZERO_LSN } from '../../src/cluster/lsn.ts'
import type { Timeline } from '../../src/cluster/timeline.ts'
import type { ControlData } from '../../src/ports/postgres.ts'
import { type Branch, FIRST_LSN, type WalPosition } from './wal.ts'

export type ClusterState =
  | 'shut down'
  | 'shut down in recovery'
  | 'in crash recovery'
  | 'in archive recovery'
  | 'in production'
  | 'shutting down'

/** What is on the disk of one server. It outlives the postmaster, the agent and the host. */
export interface DataFiles {
  readonly systemIdentifier: string
  /** Flushed WAL. */
  position: WalPosition
  state: ClusterState
  checkpoint: { readonly start: Lsn; readonly end: Lsn; readonly timeline: Timeline }
  standbySignal: boolean
  /** `primary_conninfo`: the member to stream from. */
  upstream: string | null
  synchronousStandbyNames: string
  /** Highest timeline of which a history file is known here. */
  newestTimeline: Timeline
  /** A copy or a rewind was broken off: this directory cannot be started. */
  damaged: boolean
}

export function newDataFiles(branch: Branch): DataFiles {
  return {
    systemIdentifier: branch.systemIdentifier,
    position: { branch, lsn: branch.end },
    state: 'shut down',
    checkpoint: { start: FIRST_LSN, end: branch.end, timeline: branch.timeline },
    standbySignal: false,
    upstream: null,
    synchronousStandbyNames: '',
    newestTimeline: branch.timeline,
    damaged: false,
  }
}

/** What pg_basebackup leaves: the files of a standby that has everything up to `position`. */
export function copiedDataFiles(source: DataFiles, position: WalPosition): DataFiles {
  return {
    ...source,
    position,
    state: 'in archive recovery',
    standbySignal: true,
    upstream: null,
    synchronousStandbyNames: '',
    damaged: false,
  }
}

export function controlData(files: DataFiles): ControlData {
  const recovering = files.state === 'in archive recovery' || files.state === 'shut down in recovery'
  return {
    systemIdentifier: files.systemIdentifier,
    clusterState: files.state,
    checkpointLsn: files.checkpoint.start,
    checkpointTimeline: files.checkpoint.timeline,
    minRecoveryLsn: recovering ? files.position.lsn : ZERO_LSN,
    minRecoveryTimeline: recovering ? files.position.branch.timeline : (0 as Timeline),
    walLogHints: true,
    dataChecksums: true,
    items: {},
  }
}
