import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { RestapiConfig } from '../../config/types.ts'
import { RestServer, type StartOutcome } from '../rest-server.ts'
import { realClock } from './clocks.ts'
import { type FakeAgent, fakeAgent, keptLog, restConfig } from './fake-agent.ts'

export interface Running {
  readonly server: RestServer
  readonly port: number
  readonly agent: FakeAgent
  readonly log: ReturnType<typeof keptLog>
}

/** Starts a server on a free port, hands it to the test and stops it afterwards. */
export async function withServer(
  changes: Partial<RestapiConfig>,
  use: (running: Running) => Promise<void>,
  agent: FakeAgent = fakeAgent(),
): Promise<void> {
  const log = keptLog()
  const server = new RestServer({ control: agent, clock: realClock, log, openApiFile: null }, restConfig(changes))
  const started: StartOutcome = await server.start()
  if (started.kind === 'failed') throw new Error(started.reason)
  try {
    await use({ server, port: started.port, agent, log })
  } finally {
    await server.stop(0)
  }
}

export interface WireAnswer {
  readonly statusLine: string
  readonly status: number
  /** In the order of the wire, repeated ones included. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
}

/** Sends bytes as they are and reads to the end of the connection; the answer to the last request is the last one. */
export async function send(port: number, text: string | Buffer, tls?: ConnectionOptions): Promise<string> {
  const socket = tls ? connectTls({ port, host: '127.0.0.1', ...tls }) : connect(port, '127.0.0.1')
  socket.on(tls ? 'secureConnect' : 'connect', () => socket.write(text))
  return readToEnd(socket)
}

export function readToEnd(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  return new Promise((resolve, reject) => {
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (chunks.length > 0) resolve(Buffer.concat(chunks).toString())
      else reject(error)
    })
    socket.on('close', () => resolve(Buffer.concat(chunks).toString()))
  })
}

export function parseAnswer(text: string): WireAnswer {
  const end = text.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = text.slice(0, end < 0 ? text.length : end).split('\r\n')
  const headers = lines.map((line) => {
    const colon = line.indexOf(': ')
    return [line.slice(0, colon), line.slice(colon + 2)] as const
  })
  return { statusLine, status: Number(statusLine.split(' ')[1]), headers, body: end < 0 ? '' : text.slice(end + 4) }
}

/** One request on a connection of its own. */
export async function exchange(
  port: number,
  line: string,
  options: { readonly headers?: readonly string[]; readonly body?: string; readonly tls?: ConnectionOptions } = {},
): Promise<WireAnswer> {
  const { headers = [], body, tls } = options
  const length = body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]
  const head = [`${line} HTTP/1.1`, 'Host: x', 'Connection: close', ...headers, ...length]
  return parseAnswer(await send(port, `${head.join('\r\n')}\r\n\r\n${body ?? ''}`, tls))
}
