import type { Scenario } from '../scenario.ts'
import * as failsafe from './failsafe.ts'
import * as idle from './idle-primaries.ts'
import * as leases from './leases.ts'
import * as pause from './pause.ts'
import * as replication from './replication.ts'
import * as store from './store.ts'

/** Every incident of the museum. */
export const MUSEUM: readonly Scenario[] = [
  ...Object.values(leases),
  ...Object.values(store),
  ...Object.values(replication),
  ...Object.values(failsafe),
  ...Object.values(idle),
  ...Object.values(pause),
]
