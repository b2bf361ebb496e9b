import { printJson } from '../cluster/json.ts'
import { later } from '../cluster/time.ts'
import { createHttpClient, type HttpClient, type HttpLimits, type HttpRequest } from '../http/client.ts'
import { loadTls, type TlsOutcome } from '../http/tls.ts'
import type { Clock } from '../ports/clock.ts'
import type { RestAccess } from './configuration.ts'
import type { MemberAnswer, MemberApi, MemberCall } from './session.ts'

const CONNECT_MS = 5000
/** A request that never reached the server may be sent again; one that did only where twice is as good as once. */
const TRIES = 3
const HARMLESS_TWICE: readonly MemberCall['method'][] = ['GET', 'DELETE']
const REDIRECTS = [301, 302, 303, 307, 308]

/** REST servers of members over HTTP (spec ctl.md 2.6). */
export function httpMemberApi(access: RestAccess, clock: Clock, version: string, signal: AbortSignal): MemberApi {
  let client: HttpClient | null = null
  const opened = (): HttpClient => {
    client ??= createHttpClient(
      {
        tls: () => tlsFor(access),
        credentials: access.credentials,
        userAgent: `Patroni/${version} Matriarch/${version} Node/${process.versions.node}`,
      },
      clock,
    )
    return client
  }
  return {
    call: async (apiUrl, call) => {
      const url = endpointUrl(apiUrl, call.endpoint)
      if (url === null) return { kind: 'not sent', reason: `${apiUrl} is not the address of a REST server` }
      const request = { method: call.method, url, ...(call.body ? { body: printJson(call.body) } : {}) }
      const deadline = later(clock.now(), call.limitMs)
      return send(opened(), request, { deadline, connectMs: CONNECT_MS, signal })
    },
  }
}

/** Scheme and authority of the member's address with another path. */
function endpointUrl(apiUrl: string, endpoint: string | null): URL | null {
  if (!URL.canParse(apiUrl)) return null
  const url = new URL(apiUrl)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return null
  return endpoint === null ? url : new URL(`/${endpoint}`, url)
}

/** With a client certificate the server's chain is checked even where the operator asked not to (spec ctl.md 2.6). */
function tlsFor({ certfile, keyfile, keyfilePassword, cacert, insecure }: RestAccess): TlsOutcome {
  const files = { cacert, cert: certfile, key: keyfile, keyPassword: keyfilePassword }
  return loadTls(files, !insecure ? 'full' : certfile === null ? 'none' : 'chain')
}

async function send(
  client: HttpClient,
  request: HttpRequest & { readonly url: URL },
  limits: HttpLimits,
): Promise<MemberAnswer> {
  let url = request.url
  const method = request.method as MemberCall['method']
  for (let tries = 1; ; tries += 1) {
    const outcome = await client.request({ ...request, url }, limits)
    if (outcome.kind === 'response') {
      const target = REDIRECTS.includes(outcome.status) ? redirected(outcome.headers['location'], url) : null
      if (target !== null && tries <= TRIES) {
        url = target
        continue
      }
      return { kind: 'answered', status: outcome.status, body: outcome.body }
    }
    const mayRepeat = !outcome.sent || HARMLESS_TWICE.includes(method)
    const isOver = limits.signal.aborted || outcome.reason === 'timed out'
    if (tries >= TRIES || !mayRepeat || isOver) {
      const where = `${url.protocol}//${url.host}`
      return { kind: outcome.sent ? 'unknown' : 'not sent', reason: `${where}: ${outcome.reason}` }
    }
  }
}

/** Elsewhere on the same host only: credentials go with every request. */
function redirected(location: string | undefined, from: URL): URL | null {
  if (location === undefined || !URL.canParse(location, from.href)) return null
  const target = new URL(location, from)
  return target.hostname === from.hostname ? target : null
}
