import { type Role, roleClass } from '../cluster/instance.ts'
import { isObject } from '../cluster/json.ts'
import { textForm } from '../cluster/values.ts'
import { isEnforced, overlayParameters, withoutNulls } from './enforced-parameters.ts'
import type { PostgresqlConfig } from './types.ts'

/**
 * The section `postgresql` as it counts for a role: `parameters_<role>` over `parameters`, `pg_hba_<role>` and
 * `pg_ident_<role>` instead of the general ones (spec configuration.md 2.4).
 */
export function forRole(
  postgresql: PostgresqlConfig,
  role: Role,
): { readonly postgresql: PostgresqlConfig; readonly warnings: readonly string[] } {
  const suffix = roleClass(role)
  if (suffix === null) return { postgresql, warnings: [] }
  const { section } = postgresql
  const over = section[`parameters_${suffix}`]
  const entries = isObject(over) ? Object.entries(over) : []
  const free = Object.fromEntries(entries.filter(([name]) => !isEnforced(name)))
  const lines = (key: 'pg_hba' | 'pg_ident', general: readonly string[] | null): readonly string[] | null => {
    const own = section[`${key}_${suffix}`]
    if (own === undefined) return general
    return Array.isArray(own) ? own.map(textForm) : null
  }
  return {
    postgresql: {
      ...postgresql,
      parameters: withoutNulls(overlayParameters(postgresql.parameters, free)),
      pgHba: lines('pg_hba', postgresql.pgHba),
      pgIdent: lines('pg_ident', postgresql.pgIdent),
    },
    warnings: entries
      .filter(([name]) => isEnforced(name))
      .map(([name]) => `Role-based config attempted to override protected parameter '${name}', ignoring`),
  }
}
