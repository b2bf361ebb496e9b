import { spawn } from 'node:child_process'
import type { Cluster } from './cluster.ts'
import { serverUser } from './server-user.ts'

export interface CtlResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `matriarchctl` with the configuration of the first member, as a user would who answers its questions on stdin. */
export function ctl(
  cluster: Cluster,
  args: readonly string[],
  options: { readonly stdin?: string; readonly limitMs?: number } = {},
): Promise<CtlResult> {
  const [member] = cluster.members
  const user = serverUser()
  const child = spawn(cluster.programs.ctl, ['-c', member?.configFile ?? '', ...args], {
    cwd: cluster.folder,
    env: { ...process.env, MATRIARCH_NODE: cluster.programs.node, HOME: cluster.folder },
    timeout: options.limitMs ?? 60_000,
    killSignal: 'SIGKILL',
    ...(user ? { uid: user.uid, gid: user.gid } : {}),
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdin.end(options.stdin ?? '')
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}
