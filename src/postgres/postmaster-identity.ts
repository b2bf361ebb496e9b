import { basename } from 'node:path'
import type { PostmasterFile } from './postmaster-file.ts'

/** What is known of the process that `postmaster.pid` names. */
export interface Suspect {
  readonly pid: number
  readonly parent: number
  /** Seconds since 1970; `null` unknown. */
  readonly startedAt: number | null
  readonly executable: string | null
  readonly workingDirectory: string | null
}

export interface Expected {
  readonly agentPid: number
  readonly agentParent: number
  /** Basename of the configured `postgres`. */
  readonly binaryName: string
  /** Real path of the data directory. */
  readonly dataDir: string
}

/** `unsure`: everything that could be read speaks for it. */
export type Verdict = 'ours' | 'unsure' | 'foreign'

/**
 * Whether a process is the postmaster that wrote the file, or one that happens to have its number since
 * (spec postgres.md 1.3). A postmaster that this agent started is its direct child, but it is known by its handle and
 * never comes here: any other child, the agent itself and its parent are foreign.
 */
export function judgePostmaster(file: PostmasterFile, suspect: Suspect, expected: Expected): Verdict {
  const { pid, parent } = suspect
  if (pid === expected.agentPid || pid === expected.agentParent || parent === expected.agentPid) return 'foreign'
  if (suspect.startedAt !== null && Math.abs(suspect.startedAt - file.startedAt) < 3) return 'ours'
  if (suspect.executable === null) return 'foreign'
  if (![expected.binaryName, 'postmaster'].includes(basename(suspect.executable))) return 'foreign'
  if (suspect.workingDirectory === null) return 'unsure'
  return suspect.workingDirectory === expected.dataDir ? 'ours' : 'foreign'
}
