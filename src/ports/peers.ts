import type { Role } from '../cluster/instance.ts'
import type { Lsn } from '../cluster/lsn.ts'
import type { Tags } from '../cluster/tags.ts'
import type { Timeline } from '../cluster/timeline.ts'
import type { Budget } from './clock.ts'

/** What another member says about itself over REST (spec ha.md 6.4). */
export type PeerStatus =
  | {
      readonly kind: 'unreachable'
      readonly name: string
      /** Its agent does answer, and says that its server is stopped. */
      readonly stopped?: true
    }
  | {
      readonly kind: 'reachable'
      readonly name: string
      readonly inRecovery: boolean
      /** Received or replayed position of a standby; 0 for a primary. */
      readonly lsn: Lsn
      readonly role: Role | null
      readonly timeline: Timeline | null
      readonly tags: Tags
      readonly watchdogFailed: boolean
      /** In failsafe mode it runs without a store, or has consented that somebody does, less than one `ttl` ago. */
      readonly failsafeActive?: true
    }

export interface PeerAddress {
  readonly name: string
  readonly apiUrl: string
  /** Its agent has said that it ended in good order: that it does not answer is what is expected. */
  readonly stopped?: true
}

/** Talking with the other members' REST servers. */
export interface Peers {
  /** Asks all at once; answers in the order given. A member that does not answer in time is `unreachable`. */
  statuses(members: readonly PeerAddress[], budget: Budget): Promise<readonly PeerStatus[]>
  /** POST /failsafe on all at once. */
  askFailsafe(members: readonly PeerAddress[], body: FailsafeBody, budget: Budget): Promise<readonly FailsafeAnswer[]>
  /** Whether anything answers at GET /liveness of this REST server. */
  isAlive(apiUrl: string, budget: Budget): Promise<boolean>
}

export interface FailsafeBody {
  readonly name: string
  readonly conn_url: string
  readonly api_url: string
  readonly slots?: Readonly<Record<string, Lsn>>
}

export interface FailsafeAnswer {
  readonly name: string
  readonly accepted: boolean
  readonly lsn: Lsn | null
}
