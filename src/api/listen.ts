import { lookup } from 'node:dns/promises'
import { createServer, isIP, type Server, type Socket } from 'node:net'
import { splitHostPort } from '../cluster/host-port.ts'

export interface ListenAddress {
  /** Empty: all interfaces. */
  readonly host: string
  readonly port: number
}

/** @returns `null` for anything that is not `<HOST>:<PORT>` (spec rest-api.md 2.1) */
export function parseListen(text: string): ListenAddress | null {
  const { host, port } = splitHostPort(text, null)
  if (port === null || !/^\d{1,5}$/.test(port) || Number(port) > 65535) return null
  return { host: host === '*' ? '' : host.replace(/^\[|\]$/g, ''), port: Number(port) }
}

export type ListenOutcome =
  | { readonly kind: 'listening'; readonly server: Server; readonly address: string; readonly port: number }
  | { readonly kind: 'failed'; readonly reason: string; readonly isTaken: boolean }

export interface ListenOptions {
  /** Connections that may wait to be accepted. */
  readonly backlog: number
  readonly onConnection: (socket: Socket) => void
}

/**
 * Binds one socket. All interfaces means both families where the system has IPv6; of a name's addresses the first that
 * belongs to this machine is taken, IPv6 first.
 */
export async function listen(text: string, options: ListenOptions): Promise<ListenOutcome> {
  const wanted = parseListen(text)
  if (!wanted) {
    const reason = `Invalid "restapi" config: expected <HOST>:<PORT> for "listen", but got "${text}"`
    return { kind: 'failed', reason, isTaken: false }
  }
  let error: NodeJS.ErrnoException | null = null
  for (const host of await addresses(wanted.host)) {
    const bound = await bind(host, wanted.port, options)
    if (!(bound instanceof Error)) return { kind: 'listening', ...bound }
    error = bound
    if (bound.code === 'EADDRINUSE' || bound.code === 'EACCES') break
  }
  const shown = `${wanted.host || 'None'}:${wanted.port}`
  const why = error ? `: ${error.message}` : `: ${wanted.host} has no address`
  return {
    kind: 'failed',
    reason: `Couldn't start a service on '${shown}', please check your \`restapi.listen\` configuration${why}`,
    isTaken: error?.code === 'EADDRINUSE',
  }
}

async function addresses(host: string): Promise<readonly string[]> {
  if (host === '') return ['::', '0.0.0.0']
  if (isIP(host)) return [host]
  const found = await lookup(host, { all: true, verbatim: true }).catch(() => [])
  return [...found].sort((a, b) => b.family - a.family).map(({ address }) => address)
}

function bind(
  host: string,
  port: number,
  { backlog, onConnection }: ListenOptions,
): Promise<{ server: Server; address: string; port: number } | NodeJS.ErrnoException> {
  // Half-open connections are HTTP's business: a client may close its side and still read the answer.
  const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 3_000 })
  return new Promise((resolve) => {
    server.once('error', resolve)
    server.listen({ host, port, backlog, ipv6Only: false }, () => {
      server.off('error', resolve)
      // What goes wrong from here on concerns one connection, for example too many open files.
      server.on('error', () => {})
      server.on('connection', onConnection)
      const bound = server.address()
      resolve({ server, address: host, port: typeof bound === 'object' && bound ? bound.port : port })
    })
  })
}
