import type { Clock, Random } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { TlsPaths } from '../transport/tls-files.ts'

/** A member of a group as its operator describes it. */
export interface NodeOptions {
  /** How the others reach it, `host:port`. */
  readonly selfAddress: string
  /** Where it listens; `host` `null`: on every address. */
  readonly bind: { readonly host: string | null; readonly port: number }
  /** Of the other members; how the group is found when this member has no data yet. */
  readonly partners: readonly string[]
  /** Everything of this member lies in a folder in here. */
  readonly dataDir: string
  readonly password: string | null
  readonly tls: TlsPaths | null
}

export interface NodeDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/**
 * The steps of raft's time: a heartbeat each 500 ms, an election after 1.25 to 2 s of silence. What an idle group costs
 * is proportional to it.
 */
export const TIMING = { tickMs: 250, heartbeatTicks: 2, electionTicks: 5, jitterTicks: 3 } as const

/** Of the entries in one message. */
export const APPEND_BYTES_MAX = 256 * 1024

/** Entries between snapshots, and entries kept for those who are a little behind: together some 1 MB in memory. */
export const SNAPSHOT_EVERY = 1000
export const KEEP_ENTRIES = 200

/** The folder of one member: of another name than any other program's files in `raft.data_dir`. */
export function folderName(selfAddress: string): string {
  return `matriarch-raft-${selfAddress.replace(/[^A-Za-z0-9.-]/g, '_')}`
}
