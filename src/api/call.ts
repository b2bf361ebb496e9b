import { type ClusterSettings, clusterSettings } from '../cluster/settings.ts'
import { later } from '../cluster/time.ts'
import type { ClusterView } from '../cluster/view.ts'
import type { Budget, Clock } from '../ports/clock.ts'
import type { AgentControl, MemberStatus } from '../ports/control.ts'
import type { Log } from '../ports/log.ts'
import type { Observer } from './observer.ts'
import type { ApiRequest } from './request.ts'
import type { ApiResponse } from './response.ts'
import type { StatusText } from './status-text.ts'

/** All that handlers know of the world around a request. */
export interface Call {
  readonly control: AgentControl
  readonly clock: Clock
  readonly log: Log
  readonly observer: Observer
  readonly statusText: StatusText
  /** This member when the request came in. */
  readonly status: MemberStatus
  /** Ends what only this client waits for: it is gone, or the server stops. */
  readonly signal: AbortSignal
  /** The text of the machine-readable description; `null` where it is not installed. */
  readonly openApi: () => Promise<string | null>
}

export type Handler = (request: ApiRequest, call: Call) => ApiResponse | Promise<ApiResponse>

/** Runs `work` under a budget of so many milliseconds that ends with the request. */
export async function within<T>(call: Call, limitMs: number, work: (budget: Budget) => Promise<T>): Promise<T> {
  const deadline = later(call.clock.now(), limitMs)
  const { signal, done } = call.clock.deadline(deadline, call.signal)
  try {
    return await work({ deadline, signal })
  } finally {
    done()
  }
}

/** As `within`, for work that goes on when the client is gone. */
export async function onItsOwn<T>(call: Call, limitMs: number, work: (budget: Budget) => Promise<T>): Promise<T> {
  const deadline = later(call.clock.now(), limitMs)
  const { signal, done } = call.clock.deadline(deadline)
  try {
    return await work({ deadline, signal })
  } finally {
    done()
  }
}

/** The cluster as the store has it now; `null`: the store did not answer within `retry_timeout`. */
export function freshView(call: Call): Promise<ClusterView | null> {
  return within(call, call.status.settings.retryTimeoutMs, (budget) => call.control.loadView(budget))
}

/** The settings that a view just read brings, which may be newer than those in force here. */
export function settingsOf(view: ClusterView, { settings }: MemberStatus): ClusterSettings {
  if (!view.config?.valid) return settings
  const { ttlMs, loopWaitMs, retryTimeoutMs } = settings
  const timing = { ttl: ttlMs / 1000, loopWait: loopWaitMs / 1000, retryTimeout: retryTimeoutMs / 1000 }
  return clusterSettings(view.config.document, timing)
}
