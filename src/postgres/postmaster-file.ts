import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What a postmaster writes about itself into `postmaster.pid`. */
export interface PostmasterFile {
  /** Negative: a single-user backend. */
  readonly pid: number
  readonly dataDir: string
  /** Seconds since 1970. */
  readonly startedAt: number
  readonly port: string
  /** Empty until it listens there, or where it does not. */
  readonly socketDirectory: string
  readonly listenAddress: string
  /** `starting`, `stopping`, `standby` (recovers and takes no connections), `ready`; from PostgreSQL 10 on, when it listens. */
  readonly status: string
}

/** @returns `null` where there is no file, or one that names no process */
export function readPostmasterFile(dataDir: string): PostmasterFile | null {
  try {
    return parsePostmasterFile(readFileSync(join(dataDir, 'postmaster.pid'), 'utf8'))
  } catch {
    return null
  }
}

export function parsePostmasterFile(text: string): PostmasterFile | null {
  const [pid = '', dataDir = '', startedAt = '', port = '', socketDirectory = '', listenAddress = '', , status = ''] =
    text.split('\n').map((line) => line.trim())
  if (!/^-?\d+$/.test(pid) || Number(pid) === 0) return null
  return { pid: Number(pid), dataDir, startedAt: Number(startedAt) || 0, port, socketDirectory, listenAddress, status }
}
