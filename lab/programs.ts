import { accessSync, chmodSync, constants, copyFileSync, cpSync, existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ServerUser } from './server-user.ts'

/** Where the programs are that a run starts, readable for the user who runs them. */
export interface Programs {
  readonly agent: string
  readonly ctl: string
  readonly node: string
  /** Folder of initdb, postgres, pg_rewind and the others. */
  readonly postgresBin: string
  readonly etcd: string
}

/**
 * Copies what was built into the run's own folder: a checkout below /root is closed to the servers' user, and a build
 * while servers run may not change their programs.
 * @throws when something is missing, with what to do
 */
export function stagePrograms(checkout: string, folder: string, user: ServerUser | null): Programs {
  for (const file of ['dist/matriarch.cjs', 'dist/matriarchctl.cjs']) {
    if (!existsSync(join(checkout, file))) throw new Error(`${file} is missing, run: npm ci && npm run build`)
  }
  for (const part of ['bin', 'dist', 'fence']) cpSync(join(checkout, part), join(folder, part), { recursive: true })
  return {
    agent: join(folder, 'bin', 'matriarch'),
    ctl: join(folder, 'bin', 'matriarchctl'),
    node: user && !isOpenToAll(process.execPath) ? copyOfNode(folder) : process.execPath,
    postgresBin: process.env['PGBIN'] ?? '/usr/lib/postgresql/15/bin',
    etcd: process.env['ETCD'] ?? '/usr/bin/etcd',
  }
}

/** Node from a version manager in root's home cannot be run by others. */
function copyOfNode(folder: string): string {
  const copy = join(folder, 'node')
  mkdirSync(folder, { recursive: true })
  copyFileSync(process.execPath, copy)
  chmodSync(copy, 0o755)
  return copy
}

function isOpenToAll(path: string): boolean {
  accessSync(path, constants.X_OK)
  for (let at = path; at !== '/'; at = dirname(at)) if ((statSync(at).mode & 0o001) === 0) return false
  return true
}
