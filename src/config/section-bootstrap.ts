import { isObject } from '../cluster/json.ts'
import { isTruthy } from '../cluster/values.ts'
import type { Section } from './section.ts'
import type { BootstrapConfig } from './types.ts'

/** Section `bootstrap` (spec configuration.md 3.5). A member without it never initializes a cluster. */
export function bootstrapConfig(document: Section): BootstrapConfig | null {
  if (document.get('bootstrap') === undefined) return null
  const bootstrap = document.section('bootstrap')
  const method = bootstrap.text('method') ?? 'initdb'
  const section = bootstrap.get(method)
  const custom = method !== 'initdb' && isObject(section) && isTruthy(section['command']) ? section : null
  if (method !== 'initdb' && !custom) bootstrap.warning('method', 'names no section with a command; initdb is used')
  const dcs = bootstrap.get('dcs')
  if (isTruthy(bootstrap.get('users')))
    bootstrap.error(
      'users',
      'User creation is not be supported starting from v4.0.0. Please use "bootstrap.post_bootstrap" script to create users.',
    )
  return {
    dcs: isObject(dcs) ? dcs : null,
    method: custom ? method : 'initdb',
    custom,
    initdb: bootstrap.get('initdb') ?? null,
    postBootstrap: bootstrap.text('post_bootstrap') ?? bootstrap.text('post_init'),
    pgHba: bootstrap.list('pg_hba') ?? [],
  }
}
