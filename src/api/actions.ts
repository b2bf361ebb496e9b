import { isTruthy, parseBool } from '../cluster/values.ts'
import { parseBody } from './body.ts'
import { type Call, type Handler, onItsOwn } from './call.ts'
import type { ApiRequest } from './request.ts'
import { type ApiResponse, errorPage, text } from './response.ts'
import { checkRestart } from './restart-request.ts'

/** A restart takes as long as PostgreSQL needs to stop and start; this only keeps a lost one from waiting for ever. */
const RESTART_LIMIT_MS = 24 * 3_600_000
/** Time for a long action that `force` cancels to come to its end. */
const REINITIALIZE_LIMIT_MS = 60_000

export const reload: Handler = (_request, { control }) => {
  control.reload()
  return text(202, 'reload scheduled')
}

/** A test aid elsewhere; it does nothing here (spec rest-api.md 17). */
export const sigterm: Handler = () => text(202, 'shutdown scheduled')

/** `POST /restart`: at once, or planned (spec rest-api.md 11.1). */
export const restart: Handler = async (request, call) => {
  const body = parseBody(request.body, 'optional')
  if (body.kind === 'bad') return badRequest(call, body)
  const { control, status } = call
  if (status.settings.paused && 'schedule' in body.object)
    return text(500, "Can't schedule restart in the paused state")
  const checked = checkRestart(body.object, call.clock.wallMs())
  if (checked.kind === 'refused') return text(checked.status, checked.text)
  const { schedule, raw } = checked
  if (schedule !== null) {
    const answer = await control.scheduleRestart({ ...checked.request, schedule, raw })
    return answer.ok ? text(202, 'Restart scheduled') : text(409, 'Another restart is already scheduled')
  }
  const answer = await onItsOwn(call, RESTART_LIMIT_MS, (budget) => control.restart(checked.request, budget))
  return text(answer.ok ? 200 : 503, answer.text)
}

export const cancelRestart: Handler = async (_request, { control }) =>
  (await control.deleteScheduledRestart())
    ? text(200, 'scheduled restart deleted')
    : text(404, 'no restarts are scheduled')

/** `POST /reinitialize`: starts in the background (spec rest-api.md 12). */
export const reinitialize: Handler = async (request, call) => {
  const body = parseBody(request.body, 'optional')
  if (body.kind === 'bad') return badRequest(call, body)
  const force = parseBool(body.object['force']) ?? false
  const fromLeader = parseBool(body.object['from_leader']) ?? false
  const answer = await onItsOwn(call, REINITIALIZE_LIMIT_MS, (budget) =>
    call.control.reinitialize({ force, fromLeader }, budget),
  )
  return text(answer.ok ? 200 : 503, answer.text)
}

/** `POST /failsafe`: a primary that has lost the store asks whether we let it go on (spec rest-api.md 15). */
export const grantFailsafe: Handler = (request: ApiRequest, call: Call): ApiResponse => {
  const { control, status } = call
  if (!status.settings.failsafeMode) return errorPage(502)
  const body = parseBody(request.body, 'required')
  if (body.kind === 'bad') return badRequest(call, body)
  const missing = ['name', 'conn_url', 'api_url'].filter(
    (key) => typeof body.object[key] !== 'string' || !isTruthy(body.object[key]),
  )
  if (missing.length > 0) return text(400, `missing in the body: ${missing.join(', ')}`)
  const answer = control.receiveFailsafe(body.object)
  return text(answer.status, answer.body, answer.lsn === null ? [] : [['lsn', String(answer.lsn)]])
}

export function badRequest(call: Call, { status, because }: { status: number; because: string }): ApiResponse {
  call.log.info(`Bad request: ${because}`)
  return errorPage(status)
}
