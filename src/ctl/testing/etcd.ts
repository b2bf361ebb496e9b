import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TestEtcd {
  readonly address: string
  put(key: string, value: string): Promise<void>
  /** Keys below a prefix, without it. */
  list(prefix: string): Promise<Readonly<Record<string, string>>>
  stop(): void
}

/** One etcd server on free ports, its data in a temporary folder. */
export async function startEtcd(): Promise<TestEtcd> {
  const folder = mkdtempSync(join(tmpdir(), 'ctl-etcd-'))
  const [address, peer] = [`127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`]
  const url = `http://${address}`
  const flags = {
    name: 'test',
    'data-dir': folder,
    'log-level': 'error',
    'listen-client-urls': url,
    'advertise-client-urls': url,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `test=${peer}`,
  }
  const argv = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])
  const child = spawn(process.env['ETCD'] ?? 'etcd', ['--unsafe-no-fsync', ...argv], { stdio: 'ignore' })
  const stop = (): void => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', stop)
  const call = async (path: string, body: unknown): Promise<Answer> =>
    JSON.parse(await post(url + path, body)) as Answer
  const deadline = Date.now() + 20_000
  while ((await call('/v3/maintenance/status', {}).catch(() => null))?.leader === undefined) {
    if (Date.now() > deadline) throw new Error('etcd does not start')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return {
    address,
    stop,
    put: async (key, value) => void (await call('/v3/kv/put', { key: encoded(key), value: encoded(value) })),
    list: async (prefix) => {
      const end = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
      const { kvs = [] } = await call('/v3/kv/range', { key: encoded(prefix), range_end: encoded(end) })
      return Object.fromEntries(kvs.map(({ key, value = '' }) => [decoded(key).slice(prefix.length), decoded(value)]))
    },
  }
}

interface Answer {
  readonly leader?: string
  readonly kvs?: readonly { readonly key: string; readonly value?: string }[]
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

function post(url: string, body: unknown): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method: 'POST', agent: false }, (answer) => {
      let text = ''
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()))
      answer.on('end', () => resolve(text))
    })
    outgoing.on('error', reject)
    outgoing.end(JSON.stringify(body))
  })
}

function encoded(text: string): string {
  return Buffer.from(text).toString('base64')
}

function decoded(text: string): string {
  return Buffer.from(text, 'base64').toString()
}
