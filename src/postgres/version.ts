import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Binaries, CommandRunner } from './parts.ts'

/**
 * A version of PostgreSQL as one number, as libpq reports it: 9.5.3 is 90503, 15.18 is 150018. 0 stands for "unknown".
 * The major version has zeros in the last two digits.
 */
export type ServerVersion = number

export const UNKNOWN_VERSION: ServerVersion = 0

/** Reads `15`, `9.6`, `15.18 (Debian …)`, `9.5.3`, `18beta1`. 0 for anything else. */
export function parseVersion(text: string): ServerVersion {
  const match = /^(\d{1,4})(?:\.(\d{1,4}))?(?:\.(\d{1,4}))?(?!\d)/.exec(text.slice(0, 100).trim())
  if (!match) return UNKNOWN_VERSION
  const [first, second, third] = match.slice(1).map((part) => Number(part ?? 0)) as [number, number, number]
  return first >= 10 ? first * 10000 + second : first * 10000 + second * 100 + third
}

export function majorOf(version: ServerVersion): ServerVersion {
  return version - (version % 100)
}

/** The version that `PG_VERSION` names; 0 where there is no such file. */
export async function dataDirectoryVersion(dataDir: string): Promise<ServerVersion> {
  try {
    const [first = ''] = (await readFile(join(dataDir, 'PG_VERSION'), 'utf8')).split('\n', 1)
    return parseVersion(first)
  } catch {
    return UNKNOWN_VERSION
  }
}

/** What `postgres --version` says; 0 where it cannot be run. */
export async function binaryVersion(
  runner: CommandRunner,
  binaries: Binaries,
  signal: AbortSignal,
): Promise<ServerVersion> {
  const { code, stdout } = await runner.run([binaries.path('postgres'), '--version'], { signal })
  const match = code === 0 ? /\(PostgreSQL\) (\S+)/.exec(stdout) : null
  return match?.[1] ? parseVersion(match[1]) : UNKNOWN_VERSION
}
