import { isAbsolute } from 'node:path'
import type { Config } from '../config/types.ts'
import type { LaunchPlan, LocalAddress } from './parts.ts'

type Listening = Omit<LaunchPlan, 'options'>

/** Where Debian puts the socket when nobody says; the running server tells better. */
const DEFAULT_SOCKET_DIRECTORY = '/var/run/postgresql'

/**
 * How the agent reaches the server that listens as given (spec postgres.md 2.7).
 * @param runningSocketDirectory the directory that the running server wrote into postmaster.pid; used where no
 *        directory is configured, which means libpq's default, and that only libpq knows
 */
export function localAddress(
  config: Config,
  listening: Listening,
  runningSocketDirectory: string | null,
): LocalAddress {
  const { port } = listening
  const tcp = { host: tcpHost(listening.listenAddresses), port }
  const socket = socketDirectory(listening.unixSocketDirectories, runningSocketDirectory)
  const unix = socket === null ? tcp : { host: socket, port }
  const { useUnixSocket, useUnixSocketRepl } = config.postgresql
  return { superuser: useUnixSocket ? unix : tcp, replication: useUnixSocketRepl ? unix : tcp, tcp }
}

/** `conn_url` and `proxy_url` use this host where no address is configured for clients. */
export function tcpHost(listenAddresses: string): string {
  const addresses = listenAddresses.split(',').map((one) => one.trim())
  const everywhere = ['*', 'localhost', '0.0.0.0', '127.0.0.1']
  if (addresses.some((one) => everywhere.includes(one.toLowerCase()))) return 'localhost'
  return addresses[0] || 'localhost'
}

/** `null`: directories are configured, but none is absolute; then only TCP is left. */
function socketDirectory(configured: string | null, running: string | null): string | null {
  if (configured === null) return running || DEFAULT_SOCKET_DIRECTORY
  return (
    configured
      .split(',')
      .map((one) => one.trim())
      .find(isAbsolute) ?? null
  )
}
