import type { RestServer } from '../api/rest-server.ts'
import type { Config } from '../config/types.ts'
import type { Store } from '../dcs/store.ts'
import type { Strike } from '../fence/strike.ts'
import type { Logging } from '../log/logging.ts'
import type { Clock, Random } from '../ports/clock.ts'
import type { AgentControl } from '../ports/control.ts'
import type { Fence } from '../ports/fence.ts'
import type { Peers } from '../ports/peers.ts'
import type { PostgresAdapter } from '../postgres/server.ts'
import type { CycleJournal } from './journal.ts'
import type { SettingsSource } from './settings-source.ts'

/** The real adapters that one agent is made of. */
export interface AgentParts {
  readonly settings: SettingsSource
  readonly configPath: string | null
  readonly clock: Clock
  readonly random: Random
  readonly log: Logging
  readonly store: Store
  readonly postgres: PostgresAdapter
  readonly peers: Peers
  /** The credentials and certificates for calls to other members have changed. */
  readonly reconnectPeers: (config: Config) => void
  readonly fence: Fence
  /** The configuration of the fence, or the lease it watches over, has changed. */
  readonly reconfigureFence: () => Promise<void>
  /** What the lease guard did since this was asked last, also in the time of an earlier agent. */
  readonly newStrike: () => Promise<Strike | null>
  readonly serve: (control: AgentControl) => RestServer
  readonly journal: {
    readonly cycles: CycleJournal
    /** Writes down what is not written yet; gives up soon where the disk hangs. */
    readonly close: () => Promise<void>
  }
  readonly notify: (state: string) => void
}
