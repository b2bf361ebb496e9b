import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { Host } from './host.ts'
import { type Answer, ask } from './http.ts'
import { type Exit, type Program, processTree, signalAll, startProgram, worksIn } from './processes.ts'
import { giveTo, type ServerUser } from './server-user.ts'
import { query, type Row, type ServerAddress } from './sql.ts'

export const SUPERUSER = { user: 'postgres', password: 'patroni' } as const
export const REPLICATION = { username: 'replicator', password: 'rep-pass' } as const
const REWIND = { username: 'rewind_user', password: 'rewind_password' } as const

export interface Timing {
  readonly ttl: number
  readonly loopWait: number
  readonly retryTimeout: number
}

export interface MemberPlace {
  readonly name: string
  readonly scope: string
  /** The member's own folder; made when it is missing. */
  readonly folder: string
  /** Default: `data` in the member's folder. */
  readonly dataDir?: string
  readonly host: Host
  readonly pgPort: number
  readonly apiPort: number
  readonly user: ServerUser | null
  /** How to start an agent; `{cfg}` stands for the configuration file. */
  readonly agentCommand: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export type ConfigDocument = Record<string, unknown>

/** What `GET /patroni` of a member says, as far as it is looked at here. */
export interface MemberReport {
  readonly state?: string
  readonly role?: string
  readonly timeline?: number
  readonly replication_state?: string
  readonly postmaster_start_time?: string
}

/** One member of a cluster: its configuration, its agent, its PostgreSQL, and what can happen to them. */
export class Member {
  readonly name: string
  readonly folder: string
  readonly dataDir: string
  readonly configFile: string
  readonly logFile: string
  readonly pgPort: number
  readonly apiPort: number
  /** What the configuration file says; change it before `start` or before `writeConfig` and a reload. */
  readonly config: ConfigDocument
  readonly #place: MemberPlace
  #program: Program | null = null

  constructor(place: MemberPlace, config: ConfigDocument) {
    this.#place = place
    this.name = place.name
    this.folder = place.folder
    this.pgPort = place.pgPort
    this.apiPort = place.apiPort
    this.config = config
    this.dataDir = dataDirOf(place)
    this.configFile = join(place.folder, 'patroni.yml')
    this.logFile = join(place.folder, 'agent.log')
  }

  get apiUrl(): string {
    return `http://${this.#place.host.address}:${this.apiPort}`
  }

  get server(): ServerAddress {
    return { host: this.#place.host.address, port: this.pgPort, ...SUPERUSER }
  }

  writeConfig(): void {
    mkdirSync(this.folder, { recursive: true })
    writeFileSync(this.configFile, stringify(this.config, { version: '1.1', lineWidth: 0 }), { mode: 0o600 })
    chmodSync(this.folder, 0o755)
    giveTo(this.#place.user, this.folder, this.configFile)
  }

  /** Starts the agent; returns as soon as its process exists. */
  async start(): Promise<void> {
    this.writeConfig()
    const argv = this.#place.agentCommand.map((word) => word.replaceAll('{cfg}', this.configFile))
    const { user, env, host } = this.#place
    const options = { logFile: this.logFile, cwd: this.folder, user, namespace: host.namespace }
    this.#program = await startProgram(argv, env ? { ...options, env } : options)
  }

  /** The agent has been started and has not ended. */
  get isRunning(): boolean {
    return this.#program !== null && this.#program.exit() === null
  }

  get agentPid(): number | null {
    return this.isRunning ? (this.#program?.pid ?? null) : null
  }

  /** How the agent last started ended. */
  async agentEnd(): Promise<Exit> {
    if (!this.#program) throw new Error(`${this.name}: no agent was started`)
    return this.#program.ended
  }

  /** @returns the pid of the running postmaster; `null` when there is none, or when the file is left over */
  postmasterPid(): number | null {
    try {
      const pid = Number(readFileSync(join(this.dataDir, 'postmaster.pid'), 'utf8').split('\n')[0])
      return pid > 0 && worksIn(pid, this.dataDir) ? pid : null
    } catch {
      return null
    }
  }

  /** As when a machine loses power: the agent, the postmaster and all their processes at once. */
  async killHost(): Promise<void> {
    this.#signalHost('SIGKILL')
    await this.#program?.ended
    this.#program = null
  }

  /** Nothing on it runs any more: connections are neither refused nor answered. Only `killHost` ends that. */
  freezeHost(): void {
    this.#signalHost('SIGSTOP')
  }

  #signalHost(signal: NodeJS.Signals): void {
    const roots = [this.agentPid, this.postmasterPid()].filter((pid) => pid !== null)
    signalAll([...new Set(roots.flatMap(processTree))], signal)
  }

  /** Only the postmaster; its backends notice and end. */
  killPostmaster(): void {
    const pid = this.postmasterPid()
    if (pid === null) throw new Error(`${this.name}: no postmaster to kill`)
    signalAll([pid], 'SIGKILL')
  }

  signalAgent(signal: NodeJS.Signals): void {
    this.#program?.signal(signal)
  }

  /** SIGTERM, then whatever is left after the limit is killed. @returns how the agent ended; `null`: it had to be killed */
  async stop(limitMs: number): Promise<Exit | null> {
    const program = this.#program
    if (!program) return null
    program.signal('SIGCONT')
    program.signal('SIGTERM')
    const timer = new AbortController()
    const timeout = new Promise<null>((resolve) => {
      const handle = setTimeout(resolve, limitMs, null)
      timer.signal.addEventListener('abort', () => clearTimeout(handle))
    })
    const exit = await Promise.race([program.ended, timeout])
    timer.abort()
    if (exit === null) await this.killHost()
    return exit
  }

  /** Everything of this member, at once and without ceremony. */
  async destroy(): Promise<void> {
    this.#program?.signal('SIGCONT')
    await this.killHost()
  }

  rest(method: string, path: string, body?: unknown, limitMs?: number): Promise<Answer | null> {
    return ask(method, `${this.apiUrl}${path}`, {
      ...(body === undefined ? {} : { body }),
      ...(limitMs === undefined ? {} : { limitMs }),
    })
  }

  async report(): Promise<MemberReport | null> {
    return ((await this.rest('GET', '/patroni'))?.json as MemberReport | null) ?? null
  }

  sql(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    return query(this.server, text, values)
  }

  /** What the agent has written since `from` (a value of `logSize`). */
  logSince(from = 0): string {
    if (!existsSync(this.logFile)) return ''
    const size = Math.max(0, statSync(this.logFile).size - from)
    const buffer = Buffer.alloc(size)
    const file = openSync(this.logFile, 'r')
    try {
      return buffer.toString('utf8', 0, readSync(file, buffer, 0, size, from))
    } finally {
      closeSync(file)
    }
  }

  logSize(): number {
    return existsSync(this.logFile) ? statSync(this.logFile).size : 0
  }
}

export interface ConfigOptions {
  readonly timing: Timing
  /** What it says about the store. */
  readonly store: ConfigDocument
  readonly postgresBin: string
  /** Replaces what `bootstrap.dcs` says. */
  readonly dcs?: ConfigDocument
  readonly parameters?: ConfigDocument
}

function dataDirOf(place: MemberPlace): string {
  return place.dataDir ?? join(place.folder, 'data')
}

/** A patroni.yml as people have it, small and quick: no fsync, since no machine really loses power here. */
export function memberConfig(place: MemberPlace, options: ConfigOptions): ConfigDocument {
  const { timing, store } = options
  const { address } = place.host
  const clients = place.host.namespace === null ? `${address}/32` : 'samenet'
  return {
    scope: place.scope,
    name: place.name,
    restapi: { listen: `${address}:${place.apiPort}`, connect_address: `${address}:${place.apiPort}` },
    ...store,
    bootstrap: {
      dcs: {
        ttl: timing.ttl,
        loop_wait: timing.loopWait,
        retry_timeout: timing.retryTimeout,
        maximum_lag_on_failover: 104857600,
        postgresql: { use_pg_rewind: true, parameters: { wal_log_hints: 'on', shared_buffers: '16MB' } },
        ...options.dcs,
      },
      initdb: [{ encoding: 'UTF8' }, 'data-checksums'],
    },
    postgresql: {
      listen: `${address}:${place.pgPort}`,
      connect_address: `${address}:${place.pgPort}`,
      data_dir: dataDirOf(place),
      bin_dir: options.postgresBin,
      pgpass: join(place.folder, 'pgpass'),
      basebackup: [{ checkpoint: 'fast' }],
      pg_hba: [
        'local all all trust',
        `host replication ${REPLICATION.username} ${clients} md5`,
        `host all all ${clients} md5`,
      ],
      authentication: {
        superuser: { username: SUPERUSER.user, password: SUPERUSER.password },
        replication: REPLICATION,
        rewind: REWIND,
      },
      parameters: { unix_socket_directories: place.folder, fsync: 'off', ...options.parameters },
    },
  }
}
