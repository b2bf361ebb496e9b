import { execFileSync } from 'node:child_process'
import { chownSync } from 'node:fs'

export interface ServerUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/**
 * Whom servers run as: PostgreSQL refuses to be root.
 * @returns `null` where we are an ordinary user already
 * @throws when we are root and the user (`MATRIARCH_SERVER_USER`, else `postgres`) does not exist
 */
export function serverUser(): ServerUser | null {
  if (process.getuid?.() !== 0) return null
  const name = process.env['MATRIARCH_SERVER_USER'] ?? 'postgres'
  return { name, uid: idOf(name, '-u'), gid: idOf(name, '-g') }
}

function idOf(name: string, flag: '-u' | '-g'): number {
  try {
    return Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
  } catch {
    throw new Error(
      `servers do not run as root, and there is no user ${name} to run them as: set MATRIARCH_SERVER_USER`,
    )
  }
}

export function giveTo(user: ServerUser | null, ...paths: readonly string[]): void {
  if (user) for (const path of paths) chownSync(path, user.uid, user.gid)
}
