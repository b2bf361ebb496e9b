import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { type Lsn, parseLsn } from '../cluster/lsn.ts'
import { parseTimeline } from '../cluster/timeline.ts'
import type { ControlData } from '../ports/postgres.ts'
import type { Binaries, CommandRunner } from './parts.ts'

/** Makes tools print what we read in English. */
export const C_LOCALE = { LANG: 'C', LC_ALL: 'C' } as const

/** @returns `null` when pg_controldata cannot be run, or finds nothing it can read */
export async function readControlData(
  runner: CommandRunner,
  binaries: Binaries,
  dataDir: string,
  signal: AbortSignal,
): Promise<ControlData | null> {
  const result = await runner.run([binaries.path('pg_controldata'), dataDir], { env: C_LOCALE, signal })
  return result.code === 0 ? parseControlData(result.stdout) : null
}

/** Reads the output of pg_controldata in the C locale (spec postgres.md 1.12). */
export function parseControlData(text: string): ControlData | null {
  const items: Record<string, string> = {}
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) items[line.slice(0, colon).replace('Current ', '')] = line.slice(colon + 1).trim()
  }
  const clusterState = items['Database cluster state']
  if (clusterState === undefined) return null
  const position = (key: string): Lsn | null => parseLsn(items[key] ?? null)
  return {
    systemIdentifier: items['Database system identifier'] ?? '',
    clusterState,
    checkpointLsn: position('Latest checkpoint location'),
    checkpointTimeline: parseTimeline(items["Latest checkpoint's TimeLineID"]),
    minRecoveryLsn: position('Minimum recovery ending location'),
    minRecoveryTimeline: parseTimeline(items["Min recovery ending loc's timeline"]),
    walLogHints: items['wal_log_hints setting'] === 'on',
    dataChecksums: !['0', undefined].includes(items['Data page checksum version']),
    items,
  }
}

/** DBState of PostgreSQL's pg_control.h, as pg_controldata prints it. */
const CLUSTER_STATES = [
  'starting up',
  'shut down',
  'shut down in recovery',
  'shutting down',
  'in crash recovery',
  'in archive recovery',
  'in production',
] as const
export type ClusterState = (typeof CLUSTER_STATES)[number]

/**
 * The cluster state straight from the file `global/pg_control`: cheap enough to be asked every few milliseconds while
 * a server stops or is promoted. The state stands behind the system identifier (8 bytes), the version of the file and
 * the catalogue version (4 each), in the byte order of the machine, in every PostgreSQL since 8.
 * @returns `null` when the file cannot be read or holds no known state; then ask pg_controldata
 */
export async function peekClusterState(dataDir: string): Promise<ClusterState | null> {
  try {
    const file = await open(join(dataDir, 'global', 'pg_control'), 'r')
    try {
      const words = new Uint32Array(5)
      const { bytesRead } = await file.read(new Uint8Array(words.buffer), 0, words.byteLength, 0)
      return bytesRead === words.byteLength ? (CLUSTER_STATES[words[4] as number] ?? null) : null
    } finally {
      await file.close()
    }
  } catch {
    return null
  }
}
