import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { freePorts } from '../../lab/ports.ts'
import type { JsonObject } from '../../src/cluster/json.ts'
import { memberDataFrom } from '../../src/cluster/member.ts'
import { clusterSettings, DEFAULT_TIMING } from '../../src/cluster/settings.ts'
import { version } from '../../src/cluster/stored.ts'
import { DEFAULT_PARAMETERS, overlayParameters } from '../../src/config/enforced-parameters.ts'
import { forRole } from '../../src/config/for-role.ts'
import type { BootstrapConfig, Config, PostgresqlConfig } from '../../src/config/types.ts'
import type { Upstream } from '../../src/ports/postgres.ts'
import { createFilesSide, type FilesSide } from '../../src/postgres/files-side.ts'
import { passwordFile } from '../../src/postgres/password-file.ts'
import { ProcessSide, type ProcessTools, processTools } from '../../src/postgres/process-side.ts'
import { systemClock } from '../../src/system/clock.ts'
import { postgresBinDir } from './postgres.ts'
import { type Recorded, recordedLog } from './server.ts'

export interface MemberChanges {
  readonly parameters?: JsonObject
  readonly postgresql?: Partial<PostgresqlConfig>
  readonly bootstrap?: Partial<BootstrapConfig>
  readonly dynamic?: JsonObject
  /** On the data directory and port of that member: its next agent. */
  readonly at?: TestMember
}

/** Both sides of the adapter on a data directory of its own; nothing exists in it yet. */
export interface TestMember extends FilesSide {
  readonly name: string
  readonly root: string
  readonly dataDir: string
  readonly port: number
  readonly server: ProcessSide
  readonly tools: ProcessTools
  readonly log: Recorded
  /** As other members see it in the store. */
  readonly upstream: Upstream
  change(changes: MemberChanges): void
  /** First value of the first row, as superuser. */
  ask(sql: string): Promise<unknown>
  remove(): Promise<void>
}

const never = new AbortController().signal

export async function newMember(name: string, changes: MemberChanges = {}): Promise<TestMember> {
  const root = changes.at?.root ?? (await mkdtemp('/tmp/mt-'))
  await mkdir(join(root, 'socket'), { recursive: true })
  const port = changes.at?.port ?? (await freePorts(1))[0] ?? 0
  const binDir = await postgresBinDir()
  let config = configOf(name, root, port, binDir, changes)
  const log = recordedLog()
  const tools = processTools({ config: () => config, clock: systemClock, log, notify: () => {} })
  let files: FilesSide | null = null
  const side = (): FilesSide => {
    files ??= createFilesSide({
      ...tools,
      configFor: (role) => ({ ...config, postgresql: forRole(config.postgresql, role).postgresql }),
      settings: () => clusterSettings(config.dynamic, DEFAULT_TIMING),
      server: () => server,
      passwordFile: passwordFile(() => config),
      originalUmask: 0o022,
    })
    return files
  }
  const server: ProcessSide = new ProcessSide(tools, () => side().files)
  server.watch()
  const data = memberDataFrom({ conn_url: `postgres://127.0.0.1:${port}/postgres`, state: 'running', role: 'primary' })
  return {
    ...side(),
    name,
    root,
    dataDir: join(root, 'data'),
    port,
    server,
    tools,
    log,
    upstream: { kind: 'member', member: { name, version: version('1'), session: null, data } },
    change(more) {
      config = configOf(name, root, port, binDir, { ...changes, ...more })
    },
    async ask(sql) {
      const deadline = systemClock.now() + 5000
      const outcome = await server.sql.query(sql, [], { deadline: deadline as never, signal: never })
      if (outcome.kind !== 'rows') throw new Error(outcome.kind === 'error' ? outcome.message : outcome.reason)
      return Object.values(outcome.rows[0] ?? {})[0]
    },
    async remove() {
      if (server.isAlive()) await server.stop({ mode: 'immediate', checkpoint: false, limitMs: 5000 }, never)
      server.close()
      await rm(root, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}

export function configOf(name: string, root: string, port: number, binDir: string, changes: MemberChanges): Config {
  const small: JsonObject = {
    shared_buffers: '8MB',
    fsync: 'off',
    unix_socket_directories: join(root, 'socket'),
    log_line_prefix: '%m [%p] ',
  }
  const parameters = overlayParameters(overlayParameters(DEFAULT_PARAMETERS, small), changes.parameters ?? {})
  const postgresql: PostgresqlConfig = {
    listen: `127.0.0.1:${port}`,
    connectAddress: `127.0.0.1:${port}`,
    proxyAddress: null,
    dataDir: join(root, 'data'),
    configDir: join(root, 'data'),
    configBaseName: 'postgresql',
    binDir,
    binName: {},
    database: 'postgres',
    pgpass: join(root, 'pgpass'),
    useUnixSocket: true,
    useUnixSocketRepl: true,
    parameters,
    pgHba: [
      'local all all trust',
      'local replication all trust',
      'host all all 127.0.0.1/32 scram-sha-256',
      'host replication all 127.0.0.1/32 md5',
    ],
    pgIdent: null,
    customConf: null,
    recoveryConf: {},
    superuser: { username: 'postgres', password: 'super secret', options: {} },
    replication: { username: 'replicator', password: "rep'l", options: {} },
    rewind: { username: 'rewinder', password: 'rewind', options: {} },
    krbsrvname: null,
    callbacks: {},
    createReplicaMethods: [],
    methodSections: {},
    basebackup: [{ checkpoint: 'fast' }, 'no-sync'],
    rewindOptions: ['no-sync'],
    useRewind: true,
    removeOnRewindFailure: false,
    removeOnDivergedTimelines: false,
    pgCtlTimeoutMs: 30_000,
    prePromote: null,
    beforeStop: null,
    useSlots: true,
    section: {},
    ...changes.postgresql,
  }
  const bootstrap: BootstrapConfig = {
    dcs: null,
    method: 'initdb',
    custom: null,
    initdb: [{ encoding: 'UTF8' }, { locale: 'C' }, 'no-sync', 'data-checksums'],
    postBootstrap: null,
    pgHba: [],
    ...changes.bootstrap,
  }
  return {
    name,
    scope: 'demo',
    postgresql,
    bootstrap,
    document: {},
    tags: {},
    dynamic: changes.dynamic ?? {},
  } as unknown as Config
}
