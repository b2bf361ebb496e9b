import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import { errorText } from './files.ts'
import type { ConnectionKeywords } from './parts.ts'

/** One host of a connection string, and the ways to speak with it in their order: with these TLS options, or in clear. */
export interface HostAttempts {
  readonly host: string
  readonly port: string
  readonly ways: readonly (ConnectionOptions | 'plain')[]
}

/** The hosts in their order, or why there can be no attempt. */
export type ConnectionAttempts =
  | { readonly kind: 'attempts'; readonly hosts: readonly HostAttempts[] }
  | { readonly kind: 'impossible'; readonly reason: string }

/**
 * Orders the ways to connect as libpq does for `host`, `port` (both may be lists) and `sslmode`
 * (spec postgres.md 2.7, 13). Certificates are read here, at each connection: a replaced file counts at once.
 * @param refusesTls servers (`host:port`) that said before that they speak no TLS: `prefer` asks them without it first
 */
export async function connectionAttempts(
  keywords: ConnectionKeywords,
  refusesTls: ReadonlySet<string>,
): Promise<ConnectionAttempts> {
  const mode = keywords['sslmode'] ?? 'prefer'
  if (keywords['gssencmode'] === 'require')
    return { kind: 'impossible', reason: 'gssencmode=require: encryption by GSSAPI is not available here' }
  if (!['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'].includes(mode))
    return { kind: 'impossible', reason: `sslmode=${mode}: not one of the modes of libpq` }
  let tls: ConnectionOptions | null = null
  try {
    if (mode !== 'disable') tls = await tlsOptions(mode, keywords)
  } catch (error) {
    // Optional encryption does not need the files; demanded encryption does.
    if (mode !== 'allow' && mode !== 'prefer') return { kind: 'impossible', reason: errorText(error) }
  }
  const ways = (host: string, port: string): HostAttempts['ways'] => {
    if (tls === null || host.startsWith('/')) return ['plain']
    if (mode === 'allow') return ['plain', tls]
    if (mode !== 'prefer') return [tls]
    return refusesTls.has(`${host}:${port}`) ? ['plain', tls] : [tls, 'plain']
  }
  return {
    kind: 'attempts',
    hosts: hosts(keywords).map(({ host, port }) => ({ host, port, ways: ways(host, port) })),
  }
}

/** Several hosts share one port, or have one each. */
function hosts(keywords: ConnectionKeywords): readonly { readonly host: string; readonly port: string }[] {
  const names = (keywords['hostaddr'] || keywords['host'] || 'localhost').split(',')
  const ports = (keywords['port'] || '5432').split(',')
  return names.map((name, i) => ({
    host: name.trim() || 'localhost',
    port: (ports.length === 1 ? ports[0] : ports[i])?.trim() || '5432',
  }))
}

async function tlsOptions(mode: string, keywords: ConnectionKeywords): Promise<ConnectionOptions> {
  const read = async (keyword: string, fallback: string): Promise<string | undefined> => {
    const given = keywords[keyword]
    try {
      return await readFile(given || join(homedir(), '.postgresql', fallback), 'utf8')
    } catch (error) {
      if (given) throw new Error(`${keyword}: ${errorText(error)}`, { cause: error })
      return undefined
    }
  }
  const system = keywords['sslrootcert'] === 'system'
  const [ca, cert, key, crl] = await Promise.all([
    system ? undefined : read('sslrootcert', 'root.crt'),
    read('sslcert', 'postgresql.crt'),
    read('sslkey', 'postgresql.key'),
    read('sslcrl', 'root.crl'),
  ])
  const verifies = mode === 'verify-ca' || mode === 'verify-full'
  if (verifies && ca === undefined && !system)
    throw new Error(`sslmode=${mode} needs a file with root certificates: set sslrootcert`)
  return {
    // As libpq: with root certificates at hand, `require` checks the chain as well.
    rejectUnauthorized: verifies || (mode === 'require' && ca !== undefined),
    ...(mode === 'verify-full' || system ? {} : { checkServerIdentity: () => undefined }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
    ...(crl === undefined || ca === undefined ? {} : { crl }),
    ...(keywords['sslpassword'] ? { passphrase: keywords['sslpassword'] } : {}),
    ...(keywords['sslsni'] === '0' ? { servername: '' } : {}),
  }
}

/** Whether the same host should be asked in the next way: TLS failed, or pg_hba.conf wants the other. */
export function mayTryNextWay(error: unknown): boolean {
  const code = (error as { code?: unknown }).code
  if (code === '28000') return true
  if (typeof code === 'string' && (code.startsWith('ERR_TLS') || code.startsWith('ERR_SSL'))) return true
  return error instanceof Error && /SSL connection|certificate/i.test(error.message)
}

export function saysNoTls(error: unknown): boolean {
  return error instanceof Error && error.message === 'The server does not support SSL connections'
}
