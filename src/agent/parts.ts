import type { Timing } from '../cluster/settings.ts'
import type { Config } from '../config/types.ts'
import type { Store } from '../dcs/store.ts'
import type { Clock, Random } from '../ports/clock.ts'
import type { AgentControl } from '../ports/control.ts'
import type { Fence } from '../ports/fence.ts'
import type { Logging } from '../log/logging.ts'
import type { Peers } from '../ports/peers.ts'
import type { Postgres } from '../ports/postgres.ts'
import type { SettingsSource } from './settings-source.ts'

/** The real adapters that one agent is made of. */
export interface AgentParts {
  readonly settings: SettingsSource
  readonly configPath: string | null
  readonly clock: Clock
  readonly random: Random
  readonly log: Logging
  readonly store: Store
  readonly postgres: ManagedPostgres
  readonly peers: Peers
  /** The credentials and certificates for calls to other members have changed. */
  readonly reconnectPeers: (config: Config) => void
  readonly fence: Fence
  readonly api: ApiServer
  readonly notify: (state: string) => void
  readonly minimumTiming: Timing
}

/** The port, and what only the agent asks of the adapter. */
export interface ManagedPostgres extends Postgres {
  /** Looks for a server that runs already, before the first cycle (spec postgres.md 1.4). */
  adopt(signal: AbortSignal): Promise<void>
  reconfigure(config: Config, options: { readonly sighup: boolean }, signal: AbortSignal): Promise<void>
  /** `host:port` where others reach this server if nothing is configured. */
  localAddress(): string
  close(): void
}

export interface ApiServer {
  /** @returns why it cannot listen, `null` when it does */
  start(control: AgentControl): Promise<string | null>
  reconfigure(config: Config): Promise<string | null>
  /** `host:port` as published. */
  connectAddress(config: Config): string
  close(): Promise<void>
}
