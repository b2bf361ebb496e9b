import { readFile } from 'node:fs/promises'
import { Socket } from 'node:net'
import { homedir, userInfo } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { later } from '../../cluster/time.ts'
import type { Clock } from '../../ports/clock.ts'
import { connectionAttempts, type HostAttempts, mayTryNextWay } from '../../postgres/connection-attempts.ts'
import { lookUpPassword } from '../../postgres/password-lookup.ts'
import { messageOf } from '../errors.ts'
import type { Keywords, SqlAnswer, SqlClient, SqlFailure, SqlSession } from './client.ts'
import { environmentKeywords, serviceKeywords } from './keywords.ts'

const CONNECT_MS = 5000

/** Connects as libpq would: variables, service file, password file, the ways of sslmode (spec ctl.md 8.4). */
export function pgClient(env: NodeJS.ProcessEnv, clock: Clock): SqlClient {
  return {
    connect: async (given) => {
      try {
        const keywords = { ...environmentKeywords(env, await serviceOf(env)), ...given }
        return await connect(keywords, clock)
      } catch (error) {
        return failure(error)
      }
    },
  }
}

async function serviceOf(env: NodeJS.ProcessEnv): Promise<Keywords> {
  const name = env['PGSERVICE']
  if (!name) return {}
  const path = env['PGSERVICEFILE'] || join(homedir(), '.pg_service.conf')
  const found = serviceKeywords(await readFile(path, 'utf8').catch(() => ''), name)
  if (!found) throw new Error(`definition of service "${name}" not found in ${path}`)
  // Where to connect is known from the cluster.
  const { host: _host, hostaddr: _address, port: _port, ...rest } = found
  return rest
}

async function connect(keywords: Keywords, clock: Clock): ReturnType<SqlClient['connect']> {
  const attempts = await connectionAttempts(keywords, new Set())
  if (attempts.kind === 'impossible') return { kind: 'failed', sqlState: null, message: attempts.reason }
  const { signal, done } = clock.deadline(later(clock.now(), CONNECT_MS))
  try {
    let failed: SqlFailure = { kind: 'failed', sqlState: null, message: 'no address to connect to' }
    for (const host of attempts.hosts) {
      for (const way of host.ways) {
        const opened = await open(keywords, host, way, signal)
        if (opened.kind === 'connected') return opened
        failed = failure(opened.error)
        if (signal.aborted) return { ...failed, message: `${host.host}:${host.port}: timeout expired` }
        if (!mayTryNextWay(opened.error)) break
      }
    }
    return failed
  } finally {
    done()
  }
}

type Opened =
  | { readonly kind: 'connected'; readonly session: SqlSession }
  | { readonly kind: 'refused'; readonly error: unknown }

async function open(
  keywords: Keywords,
  { host, port }: HostAttempts,
  way: HostAttempts['ways'][number],
  signal: AbortSignal,
): Promise<Opened> {
  const user = keywords['user'] || userInfo().username
  const database = keywords['dbname'] || user
  const { password, passfile, options } = keywords
  const name = keywords['application_name'] || keywords['fallback_application_name']
  const socket = new Socket()
  let lacksPassword = false
  const client = new pg.Client({
    stream: () => socket,
    host,
    port: Number(port),
    user,
    database,
    // A function, or the driver would look into the environment and into files by itself.
    password: async () => {
      const found = password || (await lookUpPassword(passfile, { host, port, database, user }))
      lacksPassword = !found
      return found ?? ''
    },
    ssl: way === 'plain' ? false : way,
    enableChannelBinding: keywords['channel_binding'] !== 'disable',
    connectionTimeoutMillis: 0,
    ...(name ? { application_name: name } : {}),
    ...(options ? { options } : {}),
  })
  client.on('error', () => {})
  const cut = (): void => void socket.destroy(new Error('timeout expired'))
  signal.addEventListener('abort', cut, { once: true })
  try {
    await client.connect()
    return { kind: 'connected', session: sessionOn(client) }
  } catch (error) {
    socket.destroy()
    // In libpq's words: the driver speaks of the step of the protocol at which it noticed.
    const isOurs = lacksPassword && !(error instanceof pg.DatabaseError)
    return { kind: 'refused', error: isOurs ? new Error('fe_sendauth: no password supplied') : error }
  } finally {
    signal.removeEventListener('abort', cut)
  }
}

function sessionOn(client: pg.Client): SqlSession {
  return {
    run: async (text) => {
      try {
        const answer = await client.query<(string | null)[]>({ text, rowMode: 'array', types: RAW })
        return lastOf(answer)
      } catch (error) {
        return failure(error)
      }
    },
    close: () => {
      client.end().catch(() => {})
    },
  }
}

/** Values stay what the server sent. */
const RAW: pg.CustomTypesConfig = { getTypeParser: () => (text: unknown) => text }

/** The simple protocol answers each statement; only the last one counts. */
function lastOf(answer: pg.QueryArrayResult<(string | null)[]> | pg.QueryArrayResult<(string | null)[]>[]): SqlAnswer {
  const last = Array.isArray(answer) ? answer.at(-1) : answer
  if (!last || last.fields.length === 0) return { kind: 'nothing to fetch' }
  const columns = last.fields.map(({ name, dataTypeID }) => ({ name, typeOid: dataTypeID }))
  return { kind: 'rows', columns, rows: last.rows }
}

function failure(error: unknown): SqlFailure {
  const sqlState = error instanceof pg.DatabaseError ? (error.code ?? null) : null
  const { code } = error as NodeJS.ErrnoException
  return { kind: 'failed', sqlState, message: messageOf(error) || (code ?? 'connection failed') }
}
