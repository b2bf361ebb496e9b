import { cancelRestart, grantFailsafe, reinitialize, reload, restart, sigterm } from './actions.ts'
import type { Handler } from './call.ts'
import { patchConfig, readConfig, replaceConfig } from './config-endpoint.ts'
import {
  cluster,
  description,
  failsafe,
  healthCheck,
  history,
  journal,
  liveness,
  metrics,
  ready,
  status,
} from './reading.ts'
import { cancelSwitchover, failover, switchover } from './switchover.ts'

export interface Route {
  readonly handler: Handler
  /** `null`: anybody may. Else whose addresses are let in by `allowlist_include_members` (spec rest-api.md 4). */
  readonly guard: 'members-of-view' | 'members-of-failsafe' | null
  readonly readsBody: boolean
  /** Asked all the time by machines, answered from memory in a few hundred bytes; without headers of its own. */
  readonly isCheck?: true
}

type Method = 'GET' | 'PATCH' | 'PUT' | 'POST' | 'DELETE'

function read(handler: Handler): Route {
  return { handler, guard: null, readsBody: false }
}

function check(handler: Handler): Route {
  return { ...read(handler), isCheck: true }
}

function act(handler: Handler, options: { readonly body: boolean } = { body: true }): Route {
  return { handler, guard: 'members-of-view', readsBody: options.body }
}

const NO_BODY = { body: false }

/** Every handler, by the first component of the path (spec rest-api.md 2.3). */
export const ROUTES: Readonly<Record<string, Partial<Readonly<Record<Method, Route>>>>> = {
  patroni: { GET: read(status) },
  cluster: { GET: read(cluster) },
  history: { GET: read(history) },
  journal: { GET: read(journal) },
  config: { GET: read(readConfig), PATCH: act(patchConfig), PUT: act(replaceConfig) },
  metrics: { GET: read(metrics) },
  liveness: { GET: check(liveness) },
  readiness: { GET: check(ready) },
  failsafe: { GET: read(failsafe), POST: { handler: grantFailsafe, guard: 'members-of-failsafe', readsBody: true } },
  reload: { POST: act(reload, NO_BODY) },
  restart: { POST: act(restart), DELETE: act(cancelRestart, NO_BODY) },
  reinitialize: { POST: act(reinitialize) },
  switchover: { POST: act(switchover), DELETE: act(cancelSwitchover, NO_BODY) },
  failover: { POST: act(failover) },
  sigterm: { POST: act(sigterm, NO_BODY) },
  'openapi.yaml': { GET: read(description) },
}

const HEALTH_CHECK = check(healthCheck)

/**
 * Who answers. Reads that have no handler of their own are health checks: an unknown path is unhealthy, never "not
 * found". HEAD and OPTIONS get the code that GET would, so that probes may use either.
 * @returns `null`: no such operation, 501
 */
export function findRoute(method: string, segment: string): Route | null {
  const entry = Object.hasOwn(ROUTES, segment) ? ROUTES[segment] : undefined
  switch (method) {
    case 'GET':
    case 'HEAD':
    case 'OPTIONS':
      return entry?.GET ?? HEALTH_CHECK
    case 'PATCH':
    case 'PUT':
    case 'POST':
    case 'DELETE':
      return entry?.[method] ?? null
    default:
      return null
  }
}
