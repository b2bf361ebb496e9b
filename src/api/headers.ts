import { validateHeaderName, validateHeaderValue } from 'node:http'
import type { RestapiConfig } from '../config/types.ts'
import type { Log } from '../ports/log.ts'
import type { ApiResponse } from './response.ts'

/** What the configuration adds to answers. */
export interface HeaderSettings {
  readonly server: string
  /** Appended, not substituted. */
  readonly extra: readonly string[]
}

/** @param version what this member says its version is: load balancers and scanners know the word in front of it */
export function headerSettings(config: RestapiConfig, version: string, log: Log): HeaderSettings {
  const servers = { original: `node/${process.versions.node}`, minimal: `Patroni/${version}`, productonly: 'Patroni' }
  const extra = { ...config.httpExtraHeaders, ...(config.certfile ? config.httpsExtraHeaders : {}) }
  return {
    server: servers[config.serverTokens],
    extra: Object.entries(extra).flatMap(([name, value]) => (isHeader(name, value, log) ? [name, value] : [])),
  }
}

/** A header that no client could read must not make every answer fail. */
function isHeader(name: string, value: string, log: Log): boolean {
  try {
    validateHeaderName(name)
    validateHeaderValue(name, value)
    return true
  } catch {
    log.error(
      `Header "${name}" of the restapi section can not be sent: its name or value has a character that HTTP forbids`,
    )
    return false
  }
}

const CONTENT_TYPES = {
  text: 'text/html',
  json: 'application/json',
  metrics: 'text/plain',
  yaml: 'application/yaml',
  page: 'text/html;charset=utf-8',
} as const

/** Names and values in turn, in the order of spec rest-api.md 2.4. */
export function headerList(response: ApiResponse, settings: HeaderSettings, date: string): string[] {
  if (response.shape === 'bare') return ['Content-Length', '0']
  const list = ['Server', settings.server, 'Date', date]
  const isPage = response.shape === 'page'
  if (isPage) list.push('Connection', 'close')
  for (const [name, value] of response.headers ?? []) list.push(name, value)
  list.push('Content-Type', CONTENT_TYPES[response.shape])
  if (!isPage) list.push(...settings.extra)
  list.push('Content-Length', String(Buffer.byteLength(response.body)))
  return list
}
