import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { Cluster } from '../../lab/cluster.ts'
import { type Member, REPLICATION } from '../../lab/member.ts'
import { serverUser } from '../../lab/server-user.ts'

/** A base backup that starts on its own: the WAL it needs is in it. */
export function takeBackup(cluster: Cluster, from: Member, folder: string): void {
  const server = ['-h', '127.0.0.1', '-p', String(from.pgPort), '-U', REPLICATION.username]
  const user = serverUser()
  execFileSync(join(cluster.programs.postgresBin, 'pg_basebackup'), ['-D', folder, ...server, '-c', 'fast'], {
    env: { ...process.env, PGPASSWORD: REPLICATION.password },
    cwd: '/',
    stdio: ['ignore', 'ignore', 'inherit'],
    ...(user ? { uid: user.uid, gid: user.gid } : {}),
  })
}
