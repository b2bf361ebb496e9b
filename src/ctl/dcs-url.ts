import { isObject, type Json, type JsonObject } from '../cluster/json.ts'
import { STORE_KINDS } from '../config/section-store.ts'
import { CtlError } from './errors.ts'

const DEFAULT_PORTS = { etcd: 2379, etcd3: 2379, consul: 8500, zookeeper: 2181, exhibitor: 8181 } as const
type Scheme = keyof typeof DEFAULT_PORTS
/** What a port says about the store, where the URL names no scheme. */
const SCHEME_OF_PORT: Readonly<Record<number, Scheme>> = {
  2181: 'zookeeper',
  8181: 'exhibitor',
  8500: 'consul',
  2379: 'etcd',
}
/** Settings of the replaced section that say who we are and whom to trust: a URL has no place for them. */
const KEPT = [
  'username',
  'password',
  'protocol',
  'scheme',
  'cacert',
  'ca_cert',
  'cert',
  'key',
  'key_password',
  'token',
  'verify',
  'use_ssl',
  'auth_data',
]

/**
 * Replaces the store of a configuration by the one that `--dcs-url` names: `[SCHEME://]HOST[:PORT][/NAMESPACE]`
 * (spec ctl.md 2.3). Credentials and certificates stay where the section was of the same kind.
 * @throws {CtlError}
 */
export function withDcsUrl(document: JsonObject, url: string): JsonObject {
  const { scheme, host, port, namespace } = parseDcsUrl(url)
  // Every store goes, those that have no URL too: one that is left could come before the one that was asked for.
  const others = Object.fromEntries(Object.entries(document).filter(([key]) => !isStoreKind(key)))
  const old = document[scheme]
  const kept = Object.entries(isObject(old) ? old : {}).filter(([key]) => KEPT.includes(key))
  return {
    ...others,
    ...(namespace === null ? {} : { namespace }),
    [scheme]: { ...Object.fromEntries(kept), ...sectionOf(scheme, host, port) },
  }
}

function sectionOf(scheme: Scheme, host: string, port: number): Record<string, Json> {
  if (scheme === 'exhibitor') return { hosts: [host], port }
  return scheme === 'zookeeper' ? { hosts: [`${host}:${port}`] } : { host: `${host}:${port}` }
}

function parseDcsUrl(given: string): { scheme: Scheme; host: string; port: number; namespace: string | null } {
  const parts = /^(?:([A-Za-z][\w+.-]*):)?\/\/(?:[^@/?#]*@)?(\[[^\]]*\]|[^:/?#]*)(?::([^/?#]*))?(\/[^?#]*)?/.exec(
    given.includes('//') ? given : `//${given}`,
  )
  const [, schemeText, host = '', portText = '', path = '/'] = parts ?? []
  if (!parts || (portText !== '' && !isPort(portText)))
    throw new CtlError(
      `Can not understand the dcs url ${withoutUser(given)}: expected [SCHEME://]HOST[:PORT][/NAMESPACE]`,
    )
  const port = portText === '' ? null : Number(portText)
  const scheme = schemeText?.toLowerCase() ?? (port === null ? 'etcd' : (SCHEME_OF_PORT[port] ?? 'etcd'))
  if (!isScheme(scheme)) throw new CtlError(`Unknown dcs scheme: ${scheme}`)
  return {
    scheme,
    host: host === '' ? 'localhost' : host.toLowerCase(),
    port: port ?? DEFAULT_PORTS[scheme],
    namespace: path === '/' ? null : path,
  }
}

function isStoreKind(key: string): boolean {
  return (STORE_KINDS as readonly string[]).includes(key)
}

function isScheme(text: string): text is Scheme {
  return text in DEFAULT_PORTS
}

function isPort(text: string): boolean {
  return /^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= 65535
}

function withoutUser(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//')
}
