import { isObject } from '../cluster/json.ts'
import type { RestapiConfig } from '../config/types.ts'
import type { MemberStatus } from '../ports/control.ts'
import { type AccessRules, accessDenial, type Client } from './access.ts'
import { type Allowlist, hostOf } from './allowlist.ts'
import { failsafeTopology } from './metrics.ts'
import type { ApiResponse } from './response.ts'
import type { Route } from './routes.ts'

/** Whether this client may do that. @returns the answer that turns it away, or `null` (spec rest-api.md 4) */
export async function denial(
  guard: NonNullable<Route['guard']>,
  client: Client,
  authorization: string | undefined,
  world: { readonly config: RestapiConfig; readonly allowlist: Allowlist; readonly status: MemberStatus },
): Promise<ApiResponse | null> {
  const { config, allowlist, status } = world
  const rules: AccessRules = {
    addresses: isFiltered(guard, config, allowlist)
      ? await allowlist.allowed(config.allowlistIncludeMembers ? memberHosts(guard, status) : [])
      : null,
    needsCertificate: config.certfile !== null && config.verifyClient !== 'none',
    credentials: config.authentication,
  }
  return accessDenial(client, authorization, rules)
}

/** A primary that asks for consent is only turned away by an explicit list. */
function isFiltered(guard: Route['guard'], config: RestapiConfig, allowlist: Allowlist): boolean {
  return allowlist.isConfigured || (config.allowlistIncludeMembers && guard === 'members-of-view')
}

/** Whoever needs our consent to stay primary has lost the store, and we may have as well: memory must do. */
function memberHosts(guard: Route['guard'], status: MemberStatus): string[] {
  const urls =
    guard === 'members-of-view'
      ? (status.view?.members ?? []).map((member) => member.data.apiUrl)
      : Object.values(topologyUrls(status))
  return urls.flatMap((url) => (typeof url === 'string' ? [hostOf(url) ?? []].flat() : []))
}

function topologyUrls(status: MemberStatus): Readonly<Record<string, unknown>> {
  const topology = failsafeTopology(status)
  return isObject(topology) ? topology : {}
}
