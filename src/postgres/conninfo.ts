import type { ConnectionKeywords } from './parts.ts'
import type { ServerVersion } from './version.ts'

/** Order of keywords in every connection string that is written, and the major version from which each is known (spec postgres.md 2.9). */
const ORDER: readonly (readonly [keyword: string, since: ServerVersion])[] = [
  ['dbname', 0],
  ['user', 0],
  ['passfile', 100000],
  ['password', 0],
  ['host', 0],
  ['port', 0],
  ['sslmode', 0],
  ['sslcompression', 0],
  ['sslcert', 0],
  ['sslkey', 0],
  ['sslpassword', 130000],
  ['sslrootcert', 0],
  ['sslcrl', 0],
  ['sslcrldir', 140000],
  ['application_name', 0],
  ['krbsrvname', 0],
  ['gssencmode', 120000],
  ['channel_binding', 130000],
  ['target_session_attrs', 100000],
  ['sslnegotiation', 170000],
]

/**
 * Prints a key/value connection string for libpq of that version. Where both are given, `passfile` hides `password`.
 * @param major version of the server or tool that will read it
 */
export function printConninfo(keywords: ConnectionKeywords, major: ServerVersion): string {
  const parts: string[] = []
  for (const [keyword, since] of ORDER) {
    const value = keywords[keyword]
    if (value === undefined || value === '' || major < since) continue
    if (keyword === 'password' && major >= 100000 && keywords['passfile']) continue
    parts.push(`${keyword}=${value.replace(/['\\ \t\n\v\f\r]/g, (c) => `\\${c}`)}`)
  }
  return parts.join(' ')
}

/** Reads a connection string, key/value or URI. @returns `null` where libpq would refuse it */
export function parseConninfo(text: string): ConnectionKeywords | null {
  const parsed = /^postgres(?:ql)?:\/\//.test(text) ? parseUri(text) : parseKeyValues(text)
  if (!parsed) return null
  const { requiressl, ...keywords } = parsed
  return requiressl === '1' && keywords['sslmode'] === undefined ? { ...keywords, sslmode: 'require' } : keywords
}

function parseKeyValues(text: string): Record<string, string> | null {
  const keywords: Record<string, string> = {}
  // libpq's idea of a blank, not Unicode's
  const token =
    /[ \t\n\v\f\r]*([A-Za-z_]+)[ \t\n\v\f\r]*=[ \t\n\v\f\r]*(?:'((?:[^'\\]|\\[^])*)'|((?:[^ \t\n\v\f\r'\\]|\\[^])(?:[^ \t\n\v\f\r\\]|\\[^])*|))(?=[ \t\n\v\f\r]|$)/y
  while (/[^ \t\n\v\f\r]/.test(text.slice(token.lastIndex))) {
    const match = token.exec(text)
    if (!match?.[1]) return null
    keywords[match[1]] = (match[2] ?? match[3] ?? '').replace(/\\([^])/g, '$1')
  }
  return keywords
}

function parseUri(text: string): Record<string, string> | null {
  const match = /^postgres(?:ql)?:\/\/(?:([^@/?]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/.exec(text)
  if (!match) return null
  const [, login = '', address = '', database = '', query = ''] = match
  const hosts: string[] = []
  const ports: string[] = []
  for (const one of address.split(',')) {
    const [, bracketed, plain = '', port = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d*))?$/.exec(one) ?? []
    hosts.push(bracketed ?? plain)
    ports.push(port)
  }
  const [user = '', ...password] = login.split(':')
  try {
    const keywords: Record<string, string> = {}
    const set = (keyword: string, value: string): void => {
      if (value !== '') keywords[keyword] = decodeURIComponent(value)
    }
    set('user', user)
    set('password', password.join(':'))
    set('host', hosts.join(',').replace(/^,*$/, ''))
    set('port', new Set(ports).size === 1 ? (ports[0] ?? '') : ports.join(','))
    set('dbname', database)
    for (const pair of query === '' ? [] : query.split('&')) {
      const equals = pair.indexOf('=')
      if (equals <= 0) return null
      set(decodeURIComponent(pair.slice(0, equals)), pair.slice(equals + 1))
    }
    return keywords
  } catch {
    return null
  }
}
