import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { freePorts } from '../../lab/ports.ts'
import { isStopped } from '../../lab/processes.ts'
import { until } from '../../lab/wait.ts'

/** Files for a server that speaks TLS to its clients. */
export interface ServerTls {
  readonly cert: string
  readonly key: string
  /** Clients must show a certificate of this authority. */
  readonly clientCa?: string
}

export function hasEtcd(): boolean {
  return runs('etcd', ['--version'])
}

export function hasEtcdctl(): boolean {
  return runs('etcdctl', ['version'])
}

function runs(program: string, words: readonly string[]): boolean {
  try {
    execFileSync(program, words, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** One real etcd server, with its data in a folder of its own. */
export class EtcdProcess {
  readonly name: string
  readonly clientPort: number
  readonly peerPort: number
  readonly #folder = mkdtempSync(join(tmpdir(), 'etcd-test-'))
  readonly #tls: ServerTls | undefined
  #child: ChildProcess | null = null
  #arguments: readonly string[] = []

  private constructor(name: string, clientPort: number, peerPort: number, tls: ServerTls | undefined) {
    this.name = name
    this.clientPort = clientPort
    this.peerPort = peerPort
    this.#tls = tls
  }

  static async create(name: string, tls?: ServerTls): Promise<EtcdProcess> {
    const [clientPort = 0, peerPort = 0] = await freePorts(2)
    return new EtcdProcess(name, clientPort, peerPort, tls)
  }

  get url(): string {
    return `${this.#tls ? 'https' : 'http'}://127.0.0.1:${this.clientPort}`
  }

  get peerUrl(): string {
    return `http://127.0.0.1:${this.peerPort}`
  }

  start(cluster: readonly EtcdProcess[], extra: readonly string[] = []): void {
    const tls = this.#tls
    this.#arguments = [
      ['--name', this.name],
      ['--data-dir', join(this.#folder, 'data')],
      ['--unsafe-no-fsync'],
      ['--heartbeat-interval', '50', '--election-timeout', '500'],
      ['--listen-client-urls', this.url, '--advertise-client-urls', this.url],
      ['--listen-peer-urls', this.peerUrl, '--initial-advertise-peer-urls', this.peerUrl],
      ['--initial-cluster', cluster.map((one) => `${one.name}=${one.peerUrl}`).join()],
      tls ? ['--cert-file', tls.cert, '--key-file', tls.key] : [],
      tls?.clientCa ? ['--client-cert-auth', '--trusted-ca-file', tls.clientCa] : [],
      extra,
    ].flat()
    this.restart()
  }

  /** Again, on the same data. */
  restart(): void {
    this.#child = spawn('etcd', this.#arguments, { stdio: 'ignore' })
  }

  /** Ends when it does nothing any more. */
  async freeze(): Promise<void> {
    const pid = this.#child?.pid
    if (pid === undefined) throw new Error(`etcd ${this.url} does not run`)
    this.#child?.kill('SIGSTOP')
    await until(`etcd ${this.url} stands still`, 5000, () => isStopped(pid))
  }

  thaw(): void {
    this.#child?.kill('SIGCONT')
  }

  async kill(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }

  async remove(): Promise<void> {
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  wipe(): void {
    rmSync(join(this.#folder, 'data'), { recursive: true, force: true })
  }

  /** Answers read requests that need the quorum. Plain servers only. */
  async isHealthy(): Promise<boolean> {
    const body = JSON.stringify({ key: Buffer.from('health').toString('base64') })
    return (await post(`${this.url}/v3/kv/range`, body)) === 200
  }

  /** How many calls of each kind the server has begun to serve. */
  async calls(): Promise<Record<string, number>> {
    const text = await get(`${this.url}/metrics`)
    const counts: Record<string, number> = {}
    for (const match of text.matchAll(/^grpc_server_started_total\{grpc_method="(\w+)".*\} (\d+)$/gm)) {
      if (match[2] !== '0') counts[match[1] as string] = Number(match[2])
    }
    return counts
  }
}

export async function startCluster(size: number, extra: readonly string[] = []): Promise<EtcdProcess[]> {
  const servers: EtcdProcess[] = []
  for (let i = 0; i < size; i += 1) servers.push(await EtcdProcess.create(`e${i}`))
  for (const server of servers) server.start(servers, extra)
  for (const server of servers) await whenHealthy(server)
  return servers
}

export async function whenHealthy(server: EtcdProcess): Promise<void> {
  for (let i = 0; i < 200; i += 1) {
    if (await server.isHealthy()) return
    await pause(50)
  }
  throw new Error(`etcd ${server.url} does not start`)
}

export function post(url: string, body: string, headers: Record<string, string> = {}): Promise<number | null> {
  return new Promise((resolve) => {
    const request = http.request(url, { method: 'POST', timeout: 1000, headers }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? null))
      response.on('error', () => resolve(null))
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(null))
    request.end(body)
  })
}

function get(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => resolve(text))
    })
    request.on('error', reject)
  })
}
