import { printHistory } from '../cluster/history.ts'
import { isObject } from '../cluster/json.ts'
import { clusterDocument } from '../cluster/member-rows.ts'
import type { Call, Handler } from './call.ts'
import { freshView, settingsOf } from './call.ts'
import { healthCode, isDecidedByLock } from './health.ts'
import { failsafeTopology, metricsText } from './metrics.ts'
import { isWorthAsking, type Look, takePicture } from './picture.ts'
import { isLive, readiness } from './probes.ts'
import type { ApiRequest } from './request.ts'
import { type ApiResponse, bare, errorPage, json, jsonText, storeUnavailable, text } from './response.ts'

/** As long as the server's own limit for a statement: who checks a replica would rather wait than be told "unknown". */
const PATIENCE_MS = 2_000
/** A check that the lock decides shows what is known of the server, and does not wait for more. */
const PATIENCE_FOR_DETAILS_MS = 200

/** Health checks, and every path that has no handler of its own (spec rest-api.md 6). */
export const healthCheck: Handler = (request, call) => {
  const { status, observer } = call
  if (isDecidedByLock(request, status)) {
    const look =
      request.method === 'GET' ? observer.recent(status, PATIENCE_FOR_DETAILS_MS) : { kind: 'failed' as const }
    return whenSeen(look, (seen) => healthAnswer(request, call, seen))
  }
  return whenSeen(observer.recent(status, PATIENCE_MS), (seen) => healthAnswer(request, call, seen))
}

function healthAnswer(request: ApiRequest, { status, statusText }: Call, look: Look): ApiResponse {
  const picture = takePicture(status, look)
  const code = healthCode(request, picture)
  return request.method === 'GET' ? jsonText(code, statusText.of(status, look)) : bare(code)
}

/** No detour over the event loop where the answer is at hand. */
function whenSeen(look: Look | Promise<Look>, answer: (look: Look) => ApiResponse): ApiResponse | Promise<ApiResponse> {
  return look instanceof Promise ? look.then(answer) : answer(look)
}

/** `GET /patroni`: never from a shared look, for peers decide about the leadership by it. */
export const status: Handler = async (_request, call) => {
  const look = await call.observer.fresh(call.status)
  return jsonText(200, call.statusText.of(call.control.status(), look))
}

export const cluster: Handler = async (_request, call) => {
  const view = await freshView(call)
  if (!view) return storeUnavailable()
  return json(200, clusterDocument(view, settingsOf(view, call.status), call.status.scope))
}

export const history: Handler = async (_request, call) => {
  const view = call.status.view ?? (await freshView(call))
  if (!view) return storeUnavailable()
  return json(200, printHistory(view.history?.records ?? []))
}

/** `GET /journal?since=…`: what this member did and why; `since` in milliseconds since 1970 or as a time with its zone. */
export const journal: Handler = (request, { control, status, clock }) => {
  const since = request.query.get('since')
  const sinceMs = since === undefined ? 0 : momentOf(since)
  if (sinceMs === null) return text(400, `since=${since} is no time: milliseconds since 1970 or ISO 8601 is expected`)
  const records = control.journal?.(sinceMs) ?? []
  return jsonText(200, JSON.stringify({ name: status.name, scope: status.scope, now: clock.wallMs(), records }))
}

function momentOf(given: string): number | null {
  if (/^\d{1,16}$/.test(given)) return Number(given)
  const ms = Date.parse(given)
  return /^\d{4}-\d\d-\d\d/.test(given) && Number.isFinite(ms) ? ms : null
}

export const metrics: Handler = async (_request, call) => {
  const look = await call.observer.recent(call.status, PATIENCE_MS)
  return { status: 200, shape: 'metrics', body: metricsText(takePicture(call.status, look)) }
}

export const liveness: Handler = (_request, { status, clock }) => bare(isLive(status, clock.now()) ? 200 : 503)

export const ready: Handler = (request, { status, observer, log }) => {
  const needsLook = !status.holdsLock && isWorthAsking(status.state)
  const look = needsLook ? observer.recent(status, PATIENCE_MS) : ({ kind: 'not-asked' } as const)
  return whenSeen(look, (seen) => {
    const verdict = readiness(takePicture(status, seen), request.query)
    if (!verdict.ready) log.debug(`Readiness check failure: ${verdict.because}`)
    return bare(verdict.ready ? 200 : 503)
  })
}

/** `GET /failsafe`: kept in memory while the store is away. */
export const failsafe: Handler = (_request, { status }) => {
  const topology = failsafeTopology(status) ?? null
  return isObject(topology) ? json(200, topology) : errorPage(502)
}

/** `GET /openapi.yaml`: this API for machines. */
export const description: Handler = async (_request, call) => {
  const document = await call.openApi()
  return document === null
    ? text(503, 'the description of this API is not installed')
    : { status: 200, shape: 'yaml', body: document }
}
