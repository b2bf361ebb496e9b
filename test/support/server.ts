import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Instant } from '../../src/cluster/time.ts'
import type { Config } from '../../src/config/types.ts'
import type { Log } from '../../src/ports/log.ts'
import { sqlConnector } from '../../src/postgres/connection.ts'
import type { LaunchPlan, ServerFiles } from '../../src/postgres/parts.ts'
import { ProcessSide, processTools } from '../../src/postgres/process-side.ts'
import { systemClock } from '../../src/system/clock.ts'
import type { TestCluster } from './postgres.ts'

export interface Recorded extends Log {
  readonly lines: string[]
}

/** Keeps what is logged; MATRIARCH_TEST_LOG=1 prints it too. */
export function recordedLog(): Recorded {
  const lines: string[] = []
  const add =
    (level: string) =>
    (text: string, cause?: unknown): void => {
      lines.push(`${level} ${text}${cause instanceof Error ? `: ${cause.message}` : ''}`)
      if (process.env['MATRIARCH_TEST_LOG']) process.stderr.write(`${lines.at(-1)}\n`)
    }
  return {
    lines,
    debug: add('DEBUG'),
    info: add('INFO'),
    warning: add('WARNING'),
    error: add('ERROR'),
    critical: add('CRITICAL'),
  }
}

/** The part of a configuration that the process side reads. */
export function configFor(cluster: TestCluster, changes: Partial<Config['postgresql']> = {}): Config {
  const nobody = { username: 'postgres', password: null, options: {} }
  const postgresql = {
    listen: `127.0.0.1:${cluster.port}`,
    dataDir: cluster.dataDir,
    configDir: cluster.dataDir,
    configBaseName: 'postgresql',
    binDir: cluster.binDir,
    binName: {},
    database: 'postgres',
    useUnixSocket: true,
    useUnixSocketRepl: true,
    superuser: nobody,
    replication: nobody,
    rewind: null,
    callbacks: {},
    pgCtlTimeoutMs: 60_000,
    prePromote: null,
    beforeStop: null,
    ...changes,
  }
  return { name: 'node1', scope: 'demo', postgresql } as unknown as Config
}

/** A files side that leaves the files of the test cluster as they are. */
export function filesOf(cluster: TestCluster): ServerFiles {
  const listening: Omit<LaunchPlan, 'options'> = {
    listenAddresses: '127.0.0.1',
    port: String(cluster.port),
    unixSocketDirectories: cluster.socketDir,
  }
  return {
    majorVersion: () => 150000,
    prepareStart: async () => ({ ...listening, options: [`--port=${cluster.port}`] }),
    listening: () => listening,
    backupConfiguration: async () => {},
    putRecoverySettings: (_upstream, _role) => writeFile(join(cluster.dataDir, 'standby.signal'), ''),
    removeRecoverySettings: async () => {},
    writeServerConfiguration: async () => {},
    joinRunning: async () => {},
    pendingRestart: {},
    archiveReadySegments: async () => {},
  }
}

export interface TestServer {
  readonly server: ProcessSide
  readonly tools: ReturnType<typeof processTools>
  readonly log: Recorded
}

/** An agent's process side for this cluster. Several may be made: agents that come one after the other. */
export function serverOf(cluster: TestCluster, changes: Partial<Config['postgresql']> = {}): TestServer {
  const config = configFor(cluster, changes)
  const log = recordedLog()
  const tools = processTools({ config: () => config, clock: systemClock, log, notify: () => {} })
  const files = filesOf(cluster)
  const server = new ProcessSide(tools, () => files)
  server.watch()
  return { server, tools, log }
}

/** One value, asked of the server whose sockets lie in `root`/socket, as superuser. */
export async function runStatement(root: string, sql: string): Promise<unknown> {
  const host = join(root, 'socket')
  const socket = (await readdir(host)).find((name) => !name.endsWith('.lock')) ?? ''
  const port = socket.split('.').at(-1) ?? ''
  const connection = sqlConnector(systemClock).connection({ host, port, user: 'postgres', dbname: 'postgres' })
  const deadline = (systemClock.now() + 5000) as Instant
  const outcome = await connection.query(sql, [], { deadline, signal: new AbortController().signal })
  connection.close()
  if (outcome.kind !== 'rows') throw new Error(outcome.kind === 'error' ? outcome.message : outcome.reason)
  return Object.values(outcome.rows[0] ?? {})[0]
}
