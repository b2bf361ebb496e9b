import type { ClusterSettings } from '../cluster/settings.ts'
import {
  checkPossibility,
  checkRequest,
  type ManualAction,
  type ManualRequest,
  rawRequest,
  requestProgress,
  statusUnknown,
} from '../cluster/switchover-check.ts'
import { elapsedMs, later } from '../cluster/time.ts'
import { printTimestamp } from '../cluster/timestamp.ts'
import { textForm } from '../cluster/values.ts'
import { type ClusterView, lockOwner } from '../cluster/view.ts'
import { badRequest } from './actions.ts'
import { parseBody } from './body.ts'
import { type Call, freshView, type Handler, onItsOwn, settingsOf, within } from './call.ts'
import { type ApiResponse, errorPage, storeUnavailable, text } from './response.ts'

/** Peers get 2 s to answer; the rest is for those who ask them. */
const PROBE_LIMIT_MS = 4_000
/** Without a word from the store the view is read again after this time: a watch may have broken silently. */
const READ_AGAIN_MS = 2_000

export const switchover: Handler = (request, call) => manual('switchover', request.body, call)
export const failover: Handler = (request, call) => manual('failover', request.body, call)

type Body = Parameters<typeof parseBody>[0]

/** `POST /switchover` and `/failover`, on any member (spec rest-api.md 13.1). */
async function manual(asked: ManualAction, requestBody: Body, call: Call): Promise<ApiResponse> {
  const body = parseBody(requestBody, 'required')
  if (body.kind === 'bad') return badRequest(call, body)
  const raw = rawRequest(body.object)
  const shown = [raw.leader, raw.candidate, raw.scheduledAt].map((value) => textForm(value === '' ? null : value))
  call.log.info(`received ${asked} request with leader=${shown[0]} candidate=${shown[1]} scheduled_at=${shown[2]}`)

  const view = await freshView(call)
  if (!view) return storeUnavailable()
  const settings = settingsOf(view, call.status)
  const { paused } = settings
  const checked = checkRequest(asked, raw, { paused, wallMs: call.clock.wallMs() })
  if (checked.kind === 'refused') return text(checked.status, checked.text)
  const { request } = checked
  if (request.action !== asked)
    call.log.warning('received failover request with leader specified - performing switchover instead')

  const refusal = request.scheduledAt ? null : await obstacle(view, settings, request, call)
  if (refusal !== null) return text(412, refusal)
  return write(view, request, call)
}

/** Why it cannot be done now; `null` when it can (spec rest-api.md 13.2). */
async function obstacle(
  view: ClusterView,
  settings: ClusterSettings,
  request: ManualRequest,
  call: Call,
): Promise<string | null> {
  const possible = checkPossibility(view, settings, request)
  if (possible.kind === 'refused') return possible.text
  const { leader, candidate } = request
  return within(call, PROBE_LIMIT_MS, (budget) =>
    call.control.switchoverObstacle(view, { leader, candidate, scheduledAt: null }, budget),
  )
}

async function write(before: ClusterView, request: ManualRequest, call: Call): Promise<ApiResponse> {
  const { control, status } = call
  const { leader, candidate, scheduledAt } = request
  const key = { leader, candidate, scheduledAt: scheduledAt && printTimestamp(scheduledAt) }
  // Listening begins before the request is written: whoever answers it may be faster than our own next read.
  const news = new News(call)
  try {
    const written = await onItsOwn(call, status.settings.retryTimeoutMs, (budget) =>
      control.dcs.writeFailover(key, null, budget),
    )
    if (written.kind !== 'done') return text(503, 'failed to write failover key into DCS')
    control.wake()
    if (scheduledAt) return text(202, 'Switchover scheduled')
    return await outcome(request, lockOwner(before), news, call)
  } finally {
    news.close()
  }
}

/** Follows the request in the store until it is decided: a look at every change (spec rest-api.md 13.3). */
async function outcome(
  request: ManualRequest,
  leaderBefore: string | null,
  news: News,
  call: Call,
): Promise<ApiResponse> {
  const { clock, control, status } = call
  const limitSeconds = 2 * Math.max(10, Math.round(status.settings.loopWaitMs / 1000))
  const deadline = later(clock.now(), limitSeconds * 1000)
  while (!call.signal.aborted) {
    const leftMs = elapsedMs(clock.now(), deadline)
    if (leftMs <= 0) break
    await news.next(Math.min(leftMs, READ_AGAIN_MS))
    const readMs = Math.max(1, elapsedMs(clock.now(), deadline))
    const view = await within(call, Math.min(readMs, status.settings.retryTimeoutMs), (budget) =>
      control.loadView(budget),
    )
    const progress = view ? requestProgress(view, request, leaderBefore) : null
    if (progress?.kind === 'succeeded') return text(200, progress.text)
    if (progress?.kind === 'failed') return text(503, progress.text)
  }
  return text(503, statusUnknown(request.action, limitSeconds))
}

/** Changes in the store as something to wait for. Several changes while nobody waits are one piece of news. */
class News {
  readonly #call: Call
  readonly #unsubscribe: () => void
  #unread = false
  #wake: (() => void) | null = null

  constructor(call: Call) {
    this.#call = call
    this.#unsubscribe = call.control.dcs.onChange(() => {
      this.#unread = true
      this.#wake?.()
    })
  }

  /** Resolves at the next change, at once if there was one since the last call, or after `limitMs`. */
  async next(limitMs: number): Promise<void> {
    const timer = new AbortController()
    const stop = (): void => timer.abort()
    this.#call.signal.addEventListener('abort', stop, { once: true })
    this.#wake = stop
    if (this.#unread || this.#call.signal.aborted) stop()
    await this.#call.clock.sleep(limitMs, timer.signal)
    this.#call.signal.removeEventListener('abort', stop)
    this.#wake = null
    this.#unread = false
  }

  close(): void {
    this.#unsubscribe()
  }
}

/** `DELETE /switchover`: takes back one that waits for its time; one under way is left alone (spec rest-api.md 13.4). */
export const cancelSwitchover: Handler = async (_request, call) => {
  const view = await freshView(call)
  if (!view) return storeUnavailable()
  if (!view.failover?.scheduledAt) return text(404, 'no switchover is scheduled')
  const { version } = view.failover
  const blank = { leader: null, candidate: null, scheduledAt: null }
  const written = await within(call, call.status.settings.retryTimeoutMs, (budget) =>
    call.control.dcs.writeFailover(blank, version, budget),
  )
  if (written.kind === 'refused') return errorPage(409)
  return written.kind === 'done' ? text(200, 'scheduled switchover deleted') : storeUnavailable()
}
