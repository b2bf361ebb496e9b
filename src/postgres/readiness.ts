import { Socket } from 'node:net'
import type { Budget, Clock } from '../ports/clock.ts'

/** What pg_isready would answer with 0, 1 and 2 (spec postgres.md 1.6). */
export type Readiness = 'accepting' | 'rejecting' | 'no-response'

/** `cannot_connect_now`: starting, shutting down, recovering. */
const CANNOT_CONNECT_NOW = '57P03'

/**
 * Asks a server whether it accepts connections, as pg_isready does: opens a connection and looks at the first answer,
 * without logging in. Every answer but "cannot connect now" means that it does, a refusal of this user included.
 * @param host a name, an address or a socket directory
 */
export function askReadiness(
  address: { readonly host: string; readonly port: string },
  user: string,
  database: string,
  budget: Budget,
  clock: Clock,
): Promise<Readiness> {
  return new Promise((resolve) => {
    const socket = new Socket()
    const { signal, done } = clock.deadline(budget.deadline, budget.signal)
    let answer = Buffer.alloc(0)
    const decide = (readiness: Readiness): void => {
      done()
      socket.destroy()
      resolve(readiness)
    }
    signal.addEventListener('abort', () => decide('no-response'), { once: true })
    socket.on('error', () => decide('no-response'))
    socket.on('close', () => decide('no-response'))
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk])
      const readiness = readFirstMessage(answer)
      if (readiness !== null) decide(readiness)
    })
    socket.on('connect', () => socket.write(startupMessage(user, database)))
    if (signal.aborted) decide('no-response')
    else if (address.host.startsWith('/')) socket.connect(`${address.host}/.s.PGSQL.${address.port}`)
    else socket.connect(Number(address.port), address.host)
  })
}

function startupMessage(user: string, database: string): Buffer {
  const parameters = Buffer.from(`user\0${user}\0database\0${database}\0application_name\0Patroni readiness\0\0`)
  const head = Buffer.alloc(8)
  head.writeInt32BE(head.length + parameters.length, 0)
  head.writeInt32BE(196608, 4) // protocol 3.0
  return Buffer.concat([head, parameters])
}

/** @returns `null` while the message is not complete */
export function readFirstMessage(bytes: Buffer): Readiness | null {
  if (bytes.length < 5) return null
  const kind = String.fromCharCode(bytes[0] as number)
  if (kind === 'R') return 'accepting'
  if (kind !== 'E') return 'no-response' // Not a PostgreSQL server.
  const length = bytes.readInt32BE(1)
  if (bytes.length < 1 + length) return null
  const fields = bytes
    .subarray(5, 1 + length)
    .toString('utf8')
    .split('\0')
  return fields.some((field) => field === `C${CANNOT_CONNECT_NOW}`) ? 'rejecting' : 'accepting'
}
