import { join } from 'node:path'
import { type Host, THIS_HOST } from './host.ts'
import { ask } from './http.ts'
import { freePorts } from './ports.ts'
import { type Program, startProgram } from './processes.ts'
import type { ServerUser } from './server-user.ts'
import { until } from './wait.ts'

export interface EtcdOptions {
  readonly binary: string
  /** An existing folder that belongs to `user`. */
  readonly folder: string
  readonly user: ServerUser | null
}

/** Where one server of a store is, and by which name the others know it. */
interface EtcdPlace {
  readonly name: string
  readonly host: Host
  readonly port: number
  readonly peerUrl: string
}

/** One etcd server, with the few calls by which tests look into it. */
export class Etcd {
  readonly port: number
  readonly logFile: string
  readonly #options: EtcdOptions
  readonly #place: EtcdPlace
  readonly #initialCluster: string
  #program: Program | null = null

  private constructor(options: EtcdOptions, place: EtcdPlace, initialCluster: string) {
    this.#options = options
    this.#place = place
    this.#initialCluster = initialCluster
    this.port = place.port
    this.logFile = join(options.folder, `${place.name}.log`)
  }

  /** The servers of one store, one on each host. */
  static async create(options: EtcdOptions, hosts: readonly Host[] = [THIS_HOST]): Promise<readonly Etcd[]> {
    const places = await Promise.all(
      hosts.map(async (host, i): Promise<EtcdPlace> => {
        const [port = 0, peerPort = 0] = await freePorts(2)
        return { name: `etcd${i + 1}`, host, port, peerUrl: `http://${host.address}:${peerPort}` }
      }),
    )
    const initialCluster = places.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',')
    return places.map((place) => new Etcd(options, place, initialCluster))
  }

  get name(): string {
    return this.#place.name
  }

  get host(): Host {
    return this.#place.host
  }

  get url(): string {
    return `http://${this.#place.host.address}:${this.port}`
  }

  /** Starts it, or starts it again on the same data; returns when it answers, for which most servers have to run. */
  async start(): Promise<void> {
    const program = await this.launch()
    await until('etcd answers', 20_000, async () => {
      if (program.exit() !== null) throw new Error('etcd ended at once')
      return (await ask('GET', `${this.url}/health`))?.status === 200
    })
  }

  /** Starts it and waits for nothing. */
  async launch(): Promise<Program> {
    const { binary, folder, user } = this.#options
    const { name, host, peerUrl: peer } = this.#place
    const flags = {
      name,
      'data-dir': join(folder, name),
      'log-level': 'error',
      'listen-client-urls': this.url,
      'advertise-client-urls': this.url,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': this.#initialCluster,
    }
    const argv = [
      binary,
      '--unsafe-no-fsync',
      ...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]),
    ]
    const program = await startProgram(argv, { logFile: this.logFile, cwd: folder, user, namespace: host.namespace })
    this.#program = program
    return program
  }

  get isRunning(): boolean {
    return this.#program !== null && this.#program.exit() === null
  }

  async stop(): Promise<void> {
    this.#program?.signal('SIGCONT')
    this.#program?.signal('SIGKILL')
    await this.#program?.ended
    this.#program = null
  }

  /** It holds its connections and answers nothing. */
  freeze(): void {
    this.#program?.signal('SIGSTOP')
  }

  thaw(): void {
    this.#program?.signal('SIGCONT')
  }

  /** @returns the value of a key; `null` when there is none */
  async get(key: string): Promise<string | null> {
    return (await this.#range(key, null)).get(key) ?? null
  }

  /** All keys below a prefix. */
  async list(prefix: string): Promise<ReadonlyMap<string, string>> {
    const end = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
    return this.#range(prefix, end)
  }

  async put(key: string, value: string | Uint8Array): Promise<void> {
    await this.#call('/v3/kv/put', { key: encoded(key), value: encoded(value) })
  }

  async delete(key: string): Promise<void> {
    await this.#call('/v3/kv/deleterange', { key: encoded(key) })
  }

  /** Client requests served so far by gRPC method, from etcd's own metrics. */
  async requestsServed(): Promise<ReadonlyMap<string, number>> {
    const answer = await ask('GET', `${this.url}/metrics`)
    const served = new Map<string, number>()
    const started = /^grpc_server_(started|msg_received)_total\{.*grpc_method="(\w+)".*\} (\S+)$/gm
    for (const [, kind, method = '', count] of (answer?.text ?? '').matchAll(started)) {
      served.set(kind === 'started' ? method : `${method} messages`, Number(count))
    }
    return served
  }

  async #range(key: string, end: string | null): Promise<ReadonlyMap<string, string>> {
    const body = { key: encoded(key), ...(end === null ? {} : { range_end: encoded(end) }) }
    const answer = (await this.#call('/v3/kv/range', body)) as { kvs?: readonly { key: string; value?: string }[] }
    return new Map((answer.kvs ?? []).map((pair) => [decoded(pair.key), decoded(pair.value ?? '')]))
  }

  async #call(path: string, body: unknown): Promise<unknown> {
    const answer = await ask('POST', `${this.url}${path}`, { body })
    if (answer?.status !== 200) throw new Error(`etcd ${path}: ${answer === null ? 'no answer' : answer.text}`)
    return answer.json
  }
}

function encoded(text: string | Uint8Array): string {
  return Buffer.from(text).toString('base64')
}

function decoded(text: string): string {
  return Buffer.from(text, 'base64').toString()
}
