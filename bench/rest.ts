/**
 * How many health checks a second one member answers, and how fast: `wrk` against the REST server with an agent made
 * of values. On a machine that others use too the rate means little; so the processor time for one answer is shown,
 * and the rate that one core to itself makes of it, beside that of Node's HTTP server with nothing behind it.
 * Usage, in the project's folder: `node bench/rest.js [seconds a round]`; needs wrk.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { RestServer } from '../src/api/rest-server.ts'
import {
  fakeAgent,
  primarySeen,
  replicaSeen,
  replicaStatus,
  restConfig,
  statusOf,
} from '../src/api/testing/fake-agent.ts'
import { lsn } from '../src/cluster/lsn.ts'
import { systemClock } from '../src/system/clock.ts'

/** The machine may be busy with other things: each case is measured so often, and the best round counts. */
const ROUNDS = 3
const QUIET = { isDebug: false, debug() {}, info() {}, warning() {}, error() {}, critical() {} }

if (process.argv[2] === 'serve') await serve()
else await measure(Number(process.argv[2] ?? 8))

/** The primary on one port, a replica on the other; looks into the server take 2 ms, as a real one does. */
async function serve(): Promise<void> {
  const look = async <T>(value: T): Promise<T> => {
    await systemClock.sleep(2, new AbortController().signal)
    return value
  }
  const sender = {
    pid: 1,
    applicationName: 'n2',
    userName: 'replicator',
    clientAddr: '10.0.0.2',
    state: 'streaming',
    syncState: 'async',
    syncPriority: 0,
    writeLsn: lsn(67395656),
    flushLsn: lsn(67395656),
    replayLsn: lsn(67395656),
  }
  const primary = fakeAgent(statusOf())
  primary.look = () => look({ kind: 'observed', observation: primarySeen({ walSenders: [sender] }) } as const)
  const replica = fakeAgent(replicaStatus())
  replica.look = () => look({ kind: 'observed', observation: replicaSeen() } as const)
  const ports: number[] = []
  for (const control of [primary, replica]) {
    // As the real agent: a status made for each who asks, so that the end of the lease is looked at each time.
    const status = () => ({ ...control.current, effectiveTags: { clonefrom: true }, logQueue: { size: 0, lost: 0 } })
    const asked = { ...control, status, observe: control.look }
    const server = new RestServer({ control: asked, clock: systemClock, log: QUIET, openApiFile: null }, restConfig())
    const started = await server.start()
    if (started.kind === 'failed') throw new Error(started.reason)
    ports.push(started.port)
  }
  const bare = http.createServer((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': '400' })
    response.end('x'.repeat(400))
  })
  await new Promise<void>((resolve) => bare.listen(0, '127.0.0.1', resolve))
  ports.push((bare.address() as AddressInfo).port)
  process.on('message', () => process.send?.(processorMs()))
  process.send?.(ports)
}

function processorMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

interface Case {
  readonly title: string
  readonly port: number | undefined
  readonly path: string
  readonly headers?: readonly string[]
}

async function measure(seconds: number): Promise<void> {
  const server = spawn(process.execPath, [...agentOptions(), fileURLToPath(import.meta.url), 'serve'], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const [primary, replica, bare] = await message<number[]>(server)
  const cases: readonly Case[] = [
    { title: 'Node alone, 400 bytes, kept connections', port: bare, path: '/' },
    { title: 'GET /primary on the primary, kept connections', port: primary, path: '/primary' },
    { title: 'GET /replica?lag=10MB on a replica, kept connections', port: replica, path: '/replica?lag=10MB' },
    { title: 'GET /patroni on the primary, kept connections', port: primary, path: '/patroni' },
    { title: 'GET /metrics on the primary, kept connections', port: primary, path: '/metrics' },
    { title: 'Node alone, a connection for each request', port: bare, path: '/', headers: ['Connection: close'] },
    {
      title: 'GET /primary, a connection for each request',
      port: primary,
      path: '/primary',
      headers: ['Connection: close'],
    },
  ]
  try {
    for (const { title, port, path, headers } of cases) {
      const url = `http://127.0.0.1:${port}${path}`
      await wrk(url, 1, headers ?? [])
      const rounds: Round[] = []
      for (let i = 0; i < ROUNDS; i++) {
        const before = await ask(server)
        const output = await wrk(url, seconds, headers ?? [])
        rounds.push(round(output, (await ask(server)) - before))
      }
      process.stdout.write(`${title}\n  ${best(rounds)}\n`)
    }
  } finally {
    server.kill()
  }
}

/** With which `bin/matriarch` starts the agent. */
function agentOptions(): readonly string[] {
  const line = /^exec "\$node" (.*) "\$program"/m.exec(readFileSync('bin/matriarch', 'utf8'))
  if (!line?.[1]) throw new Error('bin/matriarch: the options of Node.js are not where they were')
  return line[1].split(' ')
}

function message<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve) => {
    child.once('message', (value) => resolve(value as T))
  })
}

function ask(child: ChildProcess): Promise<number> {
  child.send('processor time')
  return message<number>(child)
}

function wrk(url: string, seconds: number, headers: readonly string[]): Promise<string> {
  const args = ['-t1', '-c16', `-d${seconds}s`, '--latency', ...headers.flatMap((header) => ['-H', header]), url]
  const run = spawn('wrk', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  run.stdout.on('data', (chunk) => {
    output += String(chunk)
  })
  return new Promise((resolve, reject) => {
    run.once('error', reject)
    run.once('close', () => resolve(output))
  })
}

interface Round {
  readonly eachUs: number
  readonly rate: number
  readonly median: string
  readonly p99: string
  readonly errors: string
}

function round(output: string, usedMs: number): Round {
  const find = (pattern: RegExp): string => pattern.exec(output)?.[1] ?? '?'
  return {
    eachUs: (usedMs * 1000) / Number(find(/(\d+) requests in/)),
    rate: Number(find(/Requests\/sec:\s+([\d.]+)/)),
    median: find(/ 50%\s+(\S+)/),
    p99: find(/ 99%\s+(\S+)/),
    errors: find(/(Non-2xx.*|Socket errors.*)/),
  }
}

/** The round that others disturbed least. */
function best(rounds: readonly Round[]): string {
  const [first] = [...rounds].sort((a, b) => a.eachUs - b.eachUs)
  if (!first) return 'no round'
  const { eachUs, rate, median, p99, errors } = first
  const shown = `${eachUs.toFixed(0)} µs of processor each, ${Math.round(1e6 / eachUs)}/s on a core of its own`
  return `${shown}; here ${rate.toFixed(0)}/s, median ${median}, p99 ${p99}${errors === '?' ? '' : `, ${errors}`}`
}
