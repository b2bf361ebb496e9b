import { CLUSTER_KEYS } from './cluster.ts'
import type { Key } from './key.ts'
import { MEMBER_KEYS } from './member.ts'
import { BOOTSTRAP_KEYS, POSTGRESQL_KEYS } from './postgresql.ts'
import { REST_KEYS } from './rest.ts'
import { STORE_KEYS } from './stores.ts'

/** Every key that means something, in the order in which a person reads about them. */
export const KEYS: readonly Key[] = [
  ...MEMBER_KEYS,
  ...STORE_KEYS,
  ...REST_KEYS,
  ...POSTGRESQL_KEYS,
  ...BOOTSTRAP_KEYS,
  ...CLUSTER_KEYS,
]

/** Where the dynamic configuration is described. */
export const DYNAMIC = 'bootstrap.dcs'

/** Names directly below a section. `<name>` is not one of them. */
export function keysBelow(section: string): ReadonlySet<string> {
  const lead = section === '' ? '' : `${section}.`
  const names = KEYS.filter(({ path }) => path.startsWith(lead)).map(
    ({ path }) => path.slice(lead.length).split('.')[0] ?? '',
  )
  return new Set(names.filter((name) => !name.startsWith('<')))
}
