import type { JsonObject } from '../../src/cluster/json.ts'
import type { Timing } from '../../src/cluster/settings.ts'
import type { Tags } from '../../src/cluster/tags.ts'
import type { PgTempo } from '../pg/surroundings.ts'
import type { StoreStyle } from '../store/service.ts'

/** Short leases are allowed here: the guard is always there unless a scenario takes it out. */
export const MINIMUM_TIMING: Timing = { ttl: 5, loopWait: 1, retryTimeout: 1 }

export interface WorldOptions {
  readonly seed: string
  readonly members: readonly string[]
  readonly tags: Readonly<Record<string, Tags>>
  /** The dynamic configuration with which the cluster is bootstrapped. */
  readonly dynamicConfig: JsonObject
  readonly store: StoreStyle
  /** It is a standby cluster: `REMOTE` is the primary that it copies. */
  readonly standby?: boolean
  readonly tempo: PgTempo
  /** Whether the servers can be rewound. */
  readonly rewind?: boolean
  /** The lease guard is on. */
  readonly fence: boolean
  /** Between two rows of a client on one server. */
  readonly writeEveryMs: number
  readonly rowBytes: number
  /** Lines of the log to keep for a report; 0: none. */
  readonly traceLines: number
  /** Names of invariants that are not looked at. */
  readonly pardoned: ReadonlySet<string>
}
