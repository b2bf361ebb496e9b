import { join } from 'node:path'
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

/** One etcd server, with the few calls by which tests look into it. */
export class Etcd {
  readonly port: number
  readonly logFile: string
  readonly #options: EtcdOptions
  readonly #peerPort: number
  #program: Program | null = null

  private constructor(options: EtcdOptions, port: number, peerPort: number) {
    this.#options = options
    this.port = port
    this.#peerPort = peerPort
    this.logFile = join(options.folder, 'etcd.log')
  }

  static async create(options: EtcdOptions): Promise<Etcd> {
    const [port = 0, peerPort = 0] = await freePorts(2)
    return new Etcd(options, port, peerPort)
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Starts it, or starts it again on the same data; returns when it answers. */
  async start(): Promise<void> {
    const { binary, folder, user } = this.#options
    const peer = `http://127.0.0.1:${this.#peerPort}`
    const flags = {
      name: 'lab',
      'data-dir': join(folder, 'etcd'),
      'log-level': 'error',
      'listen-client-urls': this.url,
      'advertise-client-urls': this.url,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': `lab=${peer}`,
    }
    const argv = [
      binary,
      '--unsafe-no-fsync',
      ...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]),
    ]
    const program = await startProgram(argv, { logFile: this.logFile, cwd: folder, user })
    this.#program = program
    await until('etcd answers', 20_000, async () => {
      if (program.exit() !== null) throw new Error('etcd ended at once')
      return (await ask('GET', `${this.url}/health`))?.status === 200
    })
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

  async put(key: string, value: string): Promise<void> {
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

function encoded(text: string): string {
  return Buffer.from(text).toString('base64')
}

function decoded(text: string): string {
  return Buffer.from(text, 'base64').toString()
}
