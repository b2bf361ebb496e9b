import { parseRole } from '../cluster/instance.ts'
import { isObject, type Json, type JsonObject, parseJson, printJson } from '../cluster/json.ts'
import { maxLsn, parseLsn, ZERO_LSN } from '../cluster/lsn.ts'
import { parseTimeline } from '../cluster/timeline.ts'
import { isTruthy } from '../cluster/values.ts'
import type { Credentials, TlsFiles } from '../config/types.ts'
import {
  createHttpClient,
  type HttpClient,
  type HttpFailure,
  type HttpRequest,
  type HttpResponse,
} from '../http/client.ts'
import { loadTls } from '../http/tls.ts'
import type { Budget, Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { FailsafeAnswer, FailsafeBody, PeerAddress, PeerStatus, Peers } from '../ports/peers.ts'

/** How this member calls the REST servers of the others (spec rest-api.md 14.1). */
export interface PeersOptions {
  /** `ctl.authentication`, else `restapi.authentication`. */
  readonly credentials: Credentials | null
  /** From section `ctl`, never from `restapi`. */
  readonly client: TlsFiles
  /** `ctl.cacert`, else `restapi.cafile`. */
  readonly cacert: string | null
  readonly userAgent: string
}

export interface PeersDeps {
  readonly clock: Clock
  readonly log: Log
}

/** Status documents are a few kilobytes; more is not from one of us. */
const MAX_BODY_BYTES = 1024 * 1024
/** Attempts after the first that a liveness probe makes. */
const LIVENESS_RETRIES = 3
const FAILSAFE_RETRIES = 1

export function createPeers(options: PeersOptions, deps: PeersDeps): Peers & { close(): void } {
  const { client, cacert, credentials, userAgent } = options
  const files = { cacert, cert: client.certfile, key: client.keyfile, keyPassword: client.keyfilePassword }
  // Members are often reached by addresses that no certificate names. Without a certificate of our own nothing is
  // verified at all, as existing clusters rely on.
  const tls = () => loadTls(files, client.certfile ? 'chain' : 'none')
  return new HttpPeers(createHttpClient({ tls, credentials, userAgent }, deps.clock), deps.log)
}

class HttpPeers implements Peers {
  readonly #http: HttpClient
  readonly #log: Log

  constructor(http: HttpClient, log: Log) {
    this.#http = http
    this.#log = log
  }

  statuses(members: readonly PeerAddress[], budget: Budget): Promise<readonly PeerStatus[]> {
    return Promise.all(members.map((member) => this.#status(member, budget)))
  }

  askFailsafe(members: readonly PeerAddress[], body: FailsafeBody, budget: Budget): Promise<readonly FailsafeAnswer[]> {
    return Promise.all(members.map((member) => this.#askFailsafe(member, body, budget)))
  }

  async isAlive(apiUrl: string, budget: Budget): Promise<boolean> {
    const url = withPath(apiUrl, '/liveness')
    if (url === null) return false
    const answer = await this.#request({ method: 'GET', url }, LIVENESS_RETRIES, budget)
    return answer.kind === 'response'
  }

  close(): void {
    this.#http.close()
  }

  async #status({ name, apiUrl, stopped }: PeerAddress, budget: Budget): Promise<PeerStatus> {
    const answer = await this.#request({ method: 'GET', url: apiUrl }, 0, budget)
    if (answer.kind === 'failed') {
      this.#log[stopped ? 'info' : 'warning'](`Request failed to ${name}: GET ${apiUrl} (${answer.reason})`)
      return { kind: 'unreachable', name }
    }
    this.#log.info(`Got response from ${name} ${apiUrl}: ${answer.body}`)
    return readPeerStatus(name, answer.body)
  }

  async #askFailsafe({ name, apiUrl }: PeerAddress, body: FailsafeBody, budget: Budget): Promise<FailsafeAnswer> {
    const url = withPath(apiUrl, '/failsafe')
    const answer: HttpResponse | HttpFailure =
      url === null
        ? { kind: 'failed', reason: 'not a URL', sent: false, stale: false }
        : await this.#request({ method: 'POST', url, body: printJson({ ...body }) }, FAILSAFE_RETRIES, budget)
    if (answer.kind === 'failed') {
      this.#log.warning(`Request failed to ${name}: POST ${url ?? apiUrl} (${answer.reason})`)
      return { name, accepted: false, lsn: null }
    }
    this.#log.info(`Got response from ${name} ${url ?? apiUrl}: ${answer.body}`)
    const accepted = answer.status === 200 && answer.body === 'Accepted'
    return { name, accepted, lsn: accepted ? parseLsn(answer.headers['lsn']) : null }
  }

  /** Repeats what failed, and once more what failed only because the other side had closed a kept connection. */
  async #request(request: HttpRequest, retries: number, budget: Budget): Promise<HttpResponse | HttpFailure> {
    let left = retries
    for (;;) {
      const answer = await this.#http.request(request, { ...budget, maxBodyBytes: MAX_BODY_BYTES })
      if (answer.kind === 'response' || budget.signal.aborted) return answer
      if (!answer.stale && left-- <= 0) return answer
    }
  }
}

function withPath(apiUrl: string, path: string): string | null {
  return URL.canParse(apiUrl) ? new URL(path, apiUrl).href : null
}

/**
 * Reads another member's status document (spec ha.md 6.4). The HTTP status says nothing here: a replica answers 503 to
 * some paths. Without a WAL position, which a stopped server does not have, the member counts as not reachable.
 */
export function readPeerStatus(name: string, body: string): PeerStatus {
  const document = parseJson(body)
  const unreachable: PeerStatus = { kind: 'unreachable', name }
  if (!isObject(document)) return unreachable
  const wal = document['wal'] ?? document['xlog']
  const failsafeActive = isTruthy(document['failsafe_mode_is_active'])
  if (!isObject(wal))
    return isStopped(document['state']) && !failsafeActive ? { ...unreachable, stopped: true } : unreachable
  const role = parseRole(document['role'])
  const inRecovery = !(isTruthy(wal['location']) || role === 'primary')
  const tags = document['tags']
  return {
    kind: 'reachable',
    name,
    inRecovery,
    lsn: inRecovery ? receivedOrReplayed(wal) : ZERO_LSN,
    role,
    timeline: parseTimeline(document['timeline']),
    tags: isObject(tags) ? tags : {},
    watchdogFailed: isTruthy(document['watchdog_failed']),
    ...(failsafeActive ? { failsafeActive } : {}),
  }
}

/** Words for a server that is not there, and is not about to come up as a primary either. */
function isStopped(state: Json | undefined): boolean {
  return state === 'stopped' || state === 'crashed' || state === 'creating replica'
}

function receivedOrReplayed(wal: JsonObject) {
  return maxLsn(parseLsn(wal['received_location']), parseLsn(wal['replayed_location']))
}
