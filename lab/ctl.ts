import { spawn } from 'node:child_process'
import type { Cluster } from './cluster.ts'
import { serverUser } from './server-user.ts'

export interface CtlResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly stdin?: string
  readonly limitMs?: number
  readonly env?: Readonly<Record<string, string>>
}

/** Runs `matriarchctl` with the configuration of the first member, as a user would who answers its questions on stdin. */
export function ctl(cluster: Cluster, args: readonly string[], options: RunOptions = {}): Promise<CtlResult> {
  const [member] = cluster.members
  return run(cluster, cluster.programs.ctl, ['-c', member?.configFile ?? '', ...args], options)
}

/** Runs one of the agent's own commands, such as `--validate-config`. */
export function agentCommand(cluster: Cluster, args: readonly string[], options: RunOptions = {}): Promise<CtlResult> {
  return run(cluster, cluster.programs.agent, args, options)
}

/** Any program, as the user of the servers. */
export function run(
  cluster: Cluster,
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<CtlResult> {
  const user = serverUser()
  const child = spawn(program, args, {
    cwd: cluster.folder,
    env: { ...process.env, MATRIARCH_NODE: cluster.programs.node, HOME: cluster.folder, ...options.env },
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
