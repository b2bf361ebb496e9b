import type { JsonObject } from '../../cluster/json.ts'
import type { MemberStatus } from '../../ports/control.ts'
import type { Call } from '../call.ts'
import { Observer } from '../observer.ts'
import { NO_BODY, parseTarget } from '../request.ts'
import { type ApiResponse, unsupportedMethod } from '../response.ts'
import { findRoute } from '../routes.ts'
import { StatusText } from '../status-text.ts'
import { ManualClock } from './clocks.ts'
import { type FakeAgent, fakeAgent, keptLog } from './fake-agent.ts'

export interface Asking {
  readonly agent?: FakeAgent
  readonly clock?: ManualClock
  readonly status?: MemberStatus
  readonly log?: ReturnType<typeof keptLog>
  readonly signal?: AbortSignal
  readonly openApi?: string
}

/** Sends a request through the table of routes to its handler, with no socket and no access control between. */
export async function ask(line: string, body?: JsonObject | string, asking: Asking = {}): Promise<ApiResponse> {
  const [method = '', url = ''] = line.split(' ')
  const target = parseTarget(url)
  const route = findRoute(method, target.segment)
  if (!route) return unsupportedMethod(method)
  const agent = asking.agent ?? fakeAgent(asking.status)
  const clock = asking.clock ?? new ManualClock()
  const call: Call = {
    control: agent,
    clock,
    log: asking.log ?? keptLog(),
    observer: new Observer(agent, clock),
    statusText: new StatusText(),
    status: agent.status(),
    signal: asking.signal ?? new AbortController().signal,
    openApi: async () => asking.openApi ?? null,
  }
  const bytes = body === undefined ? null : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  return route.handler({ method, ...target, body: bytes ? { kind: 'bytes', bytes } : NO_BODY }, call)
}

/** `200 text`, for answers without a document. */
export function shown({ status, body }: ApiResponse): string {
  return body === '' ? String(status) : `${status} ${body}`
}
