import type { Json, JsonObject } from '../../cluster/json.ts'
import { isTruthy, parseInteger, textForm } from '../../cluster/values.ts'
import type { Credentials, Problem } from '../../config/types.ts'
import type { TlsClientFiles } from '../../http/tls.ts'

/** Where to find etcd (spec dcs.md 3.1); tried in the order of the fields, the first that yields anything is used. */
export interface EndpointSource {
  readonly srv: string | null
  readonly srvSuffix: string | null
  /** URLs without a path: `proxy` or `url`, else `hosts`, else none. */
  readonly urls: readonly string[]
  /** `host` alone: over http each of its addresses is an endpoint. */
  readonly host: { readonly protocol: 'http' | 'https'; readonly name: string; readonly port: number } | null
}

/** The section `etcd3` (and `etcd`) as understood. */
export interface EtcdOptions {
  readonly source: EndpointSource
  /** The endpoints are proxies: use exactly these, never ask for members. */
  readonly useProxies: boolean
  readonly credentials: Credentials | null
  readonly tls: TlsClientFiles
}

export type OptionsOutcome =
  | { readonly kind: 'options'; readonly options: EtcdOptions }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] }

const DEFAULT_PORT = 2379

/** @param sectionName `etcd3` or `etcd`, for messages */
export function parseEtcdOptions(section: JsonObject, sectionName: string): OptionsOutcome {
  const reader = new SectionReader(section, sectionName)
  const proxy = reader.url('proxy')
  const url = proxy ?? reader.url('url')
  const protocol = url?.protocol ?? reader.protocol()
  const port = reader.port() ?? DEFAULT_PORT
  const hosts = reader.hosts(protocol, port)
  const host = reader.host(protocol, port)
  const srv = reader.text('srv') ?? reader.text('discovery_srv') ?? reader.text('srv_domain')
  const username = url?.username || reader.text('username')
  const password = url?.password || reader.text('password')
  const options: EtcdOptions = {
    source: {
      srv: proxy ? null : srv,
      srvSuffix: reader.text('srv_suffix'),
      urls: url ? [url.endpoint] : hosts,
      host: url ? null : host,
    },
    useProxies: proxy !== null || isTruthy(section['use_proxies']),
    credentials: username && password ? { username, password } : null,
    tls: {
      cacert: reader.text('cacert') ?? reader.text('ca_cert'),
      cert: reader.text('cert'),
      key: reader.text('key'),
      keyPassword: reader.text('key_password'),
    },
  }
  const { source } = options
  if (reader.problems.length === 0 && source.srv === null && source.urls.length === 0 && source.host === null) {
    const message = `Neither srv, hosts, host nor url are defined in ${sectionName} section of config`
    reader.problems.push({ severity: 'error', key: sectionName, message, file: null, line: null })
  }
  return reader.problems.length > 0 ? { kind: 'problems', problems: reader.problems } : { kind: 'options', options }
}

interface ParsedUrl {
  readonly endpoint: string
  readonly protocol: 'http' | 'https'
  readonly username: string
  readonly password: string
}

class SectionReader {
  readonly problems: Problem[] = []
  readonly #section: JsonObject
  readonly #name: string

  constructor(section: JsonObject, name: string) {
    this.#section = section
    this.#name = name
  }

  text(key: string): string | null {
    const value = this.#section[key]
    if (!isTruthy(value)) return null
    if (typeof value === 'object') {
      this.#problem(key, `${textForm(value)} is not a text`)
      return null
    }
    return textForm(value)
  }

  protocol(): 'http' | 'https' {
    const text = (this.text('protocol') ?? 'http').toLowerCase()
    if (text === 'http' || text === 'https') return text
    this.#problem('protocol', `'${text}' is neither http nor https`)
    return 'http'
  }

  port(): number | null {
    const value = this.#section['port']
    if (!isTruthy(value)) return null
    const port = parseInteger(value)
    if (port !== undefined && isPort(port)) return port
    this.#problem('port', `'${textForm(value)}' is not a port number`)
    return null
  }

  /** User information never appears in a message. */
  url(key: string): ParsedUrl | null {
    const text = this.text(key)
    if (text === null) return null
    const withScheme = text.includes('://') ? text : `http://${text}`
    const url = URL.canParse(withScheme) ? new URL(withScheme) : null
    if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
      this.#problem(key, `is not a URL of the form http[s]://host[:port]`)
      return null
    }
    const protocol = url.protocol === 'https:' ? 'https' : 'http'
    // An explicit default port of the scheme is hidden by URL: look at the text.
    const implicit = protocol === 'https' ? 443 : 80
    const port = url.port || (new RegExp(`:${implicit}(/|$)`).test(withScheme) ? implicit : DEFAULT_PORT)
    return {
      endpoint: `${protocol}://${url.hostname}:${port}`,
      protocol,
      username: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
    }
  }

  hosts(protocol: string, port: number): string[] {
    const value: Json | undefined = this.#section['hosts']
    if (!isTruthy(value)) return []
    const items = Array.isArray(value) ? (value as readonly Json[]).map(textForm) : textForm(value).split(',')
    return items
      .map((item) => item.trim())
      .filter((item) => item !== '')
      .flatMap((item) => this.#hostAndPort('hosts', item, port))
      .map(({ name, port }) => `${protocol}://${name}:${port}`)
  }

  host(protocol: 'http' | 'https', port: number): EndpointSource['host'] {
    const text = this.text('host')
    const [parsed] = text === null ? [] : this.#hostAndPort('host', text.trim(), port)
    return parsed ? { protocol, ...parsed } : null
  }

  #hostAndPort(key: string, text: string, defaultPort: number): { readonly name: string; readonly port: number }[] {
    const bare = text.replace(/^https?:\/\//, '').replace(/\/$/, '')
    const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(bare)
    const withPort = bracketed ?? /^(.+):(\d+)$/.exec(bare)
    // Two colons or more and no brackets: an IPv6 address, the last group of which is the port where one follows.
    const name = bracketed?.[1] ?? withPort?.[1] ?? bare
    const port = withPort?.[2] === undefined ? defaultPort : Number(withPort[2])
    const shown = name.includes(':') ? `[${name}]` : name
    if (!isPort(port) || !URL.canParse(`http://${shown}:${port}`)) {
      this.#problem(key, `'${text}' is not of the form host[:port]`)
      return []
    }
    return [{ name: shown, port }]
  }

  #problem(key: string, message: string): void {
    this.problems.push({ severity: 'error', key: `${this.#name}.${key}`, message, file: null, line: null })
  }
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65535
}
