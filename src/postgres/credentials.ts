import type { Config, PgUser } from '../config/types.ts'
import type { Upstream } from '../ports/postgres.ts'
import { parseConninfo } from './conninfo.ts'
import type { ConnectionKeywords } from './parts.ts'
import type { ServerVersion } from './version.ts'

/** libpq keywords of one of the configured users: `user`, `password` and the TLS and GSS keys. */
export function userKeywords(user: PgUser): Record<string, string> {
  const { options: _options, connect_timeout: _timeout, ...keys } = user.options
  return {
    ...(user.username ? { user: user.username } : {}),
    ...(user.password !== null ? { password: user.password } : {}),
    ...keys,
  }
}

/** The user that reads another server's files: the rewind user from 11 on where there is one, else the superuser. */
export function rewindUser(config: Config, major: ServerVersion): PgUser {
  return major >= 110000 && config.postgresql.rewind ? config.postgresql.rewind : config.postgresql.superuser
}

export function isSameUser(one: PgUser, other: PgUser): boolean {
  return one.username === other.username && one.password === other.password
}

/**
 * Where to reach a server to copy or to follow; `null` when it has no usable address or is this member itself.
 * Host and port may be comma-separated lists for a remote one.
 */
export function upstreamAddress(
  upstream: Upstream | null,
  ownName: string,
  database: string,
): { readonly host: string; readonly port: string; readonly dbname: string } | null {
  if (!upstream) return null
  if (upstream.kind === 'remote') {
    const { host, port } = upstream.standbyCluster
    return host ? { host, port: port ?? '5432', dbname: database } : null
  }
  const { name, data } = upstream.member
  const parsed = name === ownName || data.connUrl === null ? null : parseConninfo(data.connUrl)
  if (!parsed?.['host']) return null
  return { host: parsed['host'], port: parsed['port'] ?? '5432', dbname: parsed['dbname'] ?? database }
}

/** Keywords of a connection to `upstream` as `user`; `null` where `upstreamAddress` is. */
export function upstreamKeywords(upstream: Upstream | null, user: PgUser, config: Config): ConnectionKeywords | null {
  const address = upstreamAddress(upstream, config.name, config.postgresql.database)
  return address && { ...userKeywords(user), ...address }
}
