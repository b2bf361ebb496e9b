import type { JsonObject } from '../cluster/json.ts'
import { MINIMUM_TIMING } from '../cluster/settings.ts'
import { readDynamic } from '../config/dynamic.ts'
import { mergePatch, sameDocument } from '../config/merge.ts'
import { parseBody } from './body.ts'
import { type Call, freshView, type Handler, within } from './call.ts'
import type { ApiRequest } from './request.ts'
import { type ApiResponse, errorPage, json, storeUnavailable } from './response.ts'

/** `GET /config`: the stored object, verbatim. */
export const readConfig: Handler = async (_request, call) => {
  const view = call.status.view ?? (await freshView(call))
  if (!view) return storeUnavailable()
  return view.config?.valid ? json(200, view.config.document) : errorPage(502)
}

/** `PATCH /config`: merges and writes under compare-and-set (spec rest-api.md 9.1). */
export const patchConfig: Handler = (request, call) =>
  withObject(request, call, async (patch) => {
    const view = await freshView(call)
    if (!view) return storeUnavailable()
    if (!view.config?.valid) return errorPage(503)
    const { document, version } = view.config
    const merged = mergePatch(document, patch)
    if (merged !== document) {
      const written = await within(call, writeLimitMs(call), (budget) =>
        call.control.dcs.writeConfig(merged, version, budget),
      )
      if (written.kind === 'refused') return errorPage(409)
      if (written.kind === 'unknown') return storeUnavailable()
      warnOfUnusable(merged, call)
    }
    call.control.wake()
    return json(200, merged)
  })

/** `PUT /config`: replaces the whole document, whatever is there (spec rest-api.md 9.2). */
export const replaceConfig: Handler = (request, call) =>
  withObject(request, call, async (document) => {
    const view = await freshView(call)
    if (!view) return storeUnavailable()
    if (!view.config?.valid || !sameDocument(view.config.document, document)) {
      const written = await within(call, writeLimitMs(call), (budget) =>
        call.control.dcs.writeConfig(document, null, budget),
      )
      if (written.kind !== 'done') return errorPage(502)
      warnOfUnusable(document, call)
    }
    call.control.wake()
    return json(200, document)
  })

/** It is stored all the same: the members of a mixed cluster must take the same documents (spec rest-api.md 21.18). */
function warnOfUnusable(document: JsonObject, call: Call): void {
  const read = readDynamic(document, MINIMUM_TIMING)
  if (read.kind === 'rejected') call.log.warning(`Members reject the configuration that was stored: ${read.reason}`)
}

function writeLimitMs(call: Call): number {
  return call.status.settings.retryTimeoutMs
}

async function withObject(
  request: ApiRequest,
  call: Call,
  answer: (object: JsonObject) => Promise<ApiResponse>,
): Promise<ApiResponse> {
  const body = parseBody(request.body, 'required')
  if (body.kind === 'object') return answer(body.object)
  call.log.info(`Bad request: ${body.because}`)
  return errorPage(body.status)
}
