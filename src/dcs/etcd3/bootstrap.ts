import type { SrvRecord } from 'node:dns'
import { isObject, parseJson } from '../../cluster/json.ts'
import type { NameCache } from '../../http/lookup.ts'
import type { Budget } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { EndpointSource } from './options.ts'

/** Answers an SRV query; throws when there is no such record. */
export type ResolveSrv = (name: string) => Promise<readonly SrvRecord[]>

export interface BootstrapDeps {
  readonly names: NameCache
  readonly resolveSrv: ResolveSrv
  /** Body of a GET, `null` where there is no good answer. Peers are asked without verifying their certificate. */
  readonly get: (url: string, budget: Budget) => Promise<string | null>
  readonly log: Log
}

/** The endpoints that the configuration names, before any server was asked (spec dcs.md 3.1). Empty: none found. */
export async function bootstrapEndpoints(
  source: EndpointSource,
  deps: BootstrapDeps,
  budget: Budget,
): Promise<string[]> {
  if (source.srv !== null) {
    const found = await fromSrv(source.srv, source.srvSuffix, deps, budget)
    if (found.length > 0) return found
    deps.log.warning(`Can not resolve SRV for ${source.srv}`)
  }
  if (source.urls.length > 0) return [...source.urls]
  if (!source.host) return []
  const { protocol, name, port } = source.host
  // Over https the certificate is for the name.
  if (protocol === 'https' || name.startsWith('[') || /^[\d.]+$/.test(name)) return [`${protocol}://${name}:${port}`]
  try {
    const addresses = await within(budget, deps.names.addresses(name))
    const hosts = addresses.map(({ address, family }) => (family === 6 ? `[${address}]` : address))
    return [...new Set(hosts)].map((host) => `${protocol}://${host}:${port}`)
  } catch (error) {
    deps.log.warning(`Can not resolve ${name}: ${error instanceof Error ? error.message : String(error)}`)
    return []
  }
}

/** Host names in the configuration: their remembered addresses are doubtful once nothing answers. */
export function namesIn(source: EndpointSource): string[] {
  const urls = source.urls.map((url) => new URL(url).hostname)
  return source.host ? [...urls, source.host.name] : urls
}

const SRV_LABELS = ['-client-ssl', '-client', '-ssl', '', '-server-ssl', '-server'] as const

async function fromSrv(domain: string, suffix: string | null, deps: BootstrapDeps, budget: Budget): Promise<string[]> {
  for (const label of SRV_LABELS) {
    const name = `_etcd${label}${suffix ? `-${suffix}` : ''}._tcp.${domain}`
    const protocol = label.includes('-ssl') ? 'https' : 'http'
    const records = await within(budget, deps.resolveSrv(name)).catch(() => [])
    const targets = records.map(({ name: host, port }) => `${protocol}://${host.replace(/\.$/, '')}:${port}`)
    const found = label.startsWith('-server') ? await fromPeers(targets, deps, budget) : targets
    if (found.length > 0) return found
  }
  return []
}

/** Asks servers by their peer addresses for the addresses that clients use; the first answer is enough. */
async function fromPeers(peers: readonly string[], deps: BootstrapDeps, budget: Budget): Promise<string[]> {
  for (const peer of peers) {
    const body = await deps.get(`${peer}/members`, budget)
    const members = body === null ? undefined : parseJson(body)
    if (!Array.isArray(members)) continue
    const urls = members.flatMap((member) => (isObject(member) ? clientUrls(member['clientURLs']) : []))
    if (urls.length > 0) return urls
  }
  return []
}

/** URLs as a member list gives them, without a path. */
export function clientUrls(value: unknown): string[] {
  if (!Array.isArray(value)) return []
  return value
    .filter((url): url is string => typeof url === 'string' && /^https?:\/\//.test(url) && URL.canParse(url))
    .map((url) => url.replace(/\/+$/, ''))
}

/** A look-up cannot be cancelled; who waits for it can. */
export function within<T>(budget: Budget, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = (): void => reject(new Error('timed out'))
    if (budget.signal.aborted) cancel()
    budget.signal.addEventListener('abort', cancel, { once: true })
    work.then(resolve, reject).finally(() => budget.signal.removeEventListener('abort', cancel))
  })
}
