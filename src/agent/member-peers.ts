import { VERSION } from '../cluster/version.ts'
import type { Config } from '../config/types.ts'
import { createPeers, type PeersDeps } from '../peers/peers.ts'
import type { Peers } from '../ports/peers.ts'

/** Other members, called with the credentials and certificates that are configured now. */
export class MemberPeers implements Peers {
  #peers: ReturnType<typeof createPeers>
  readonly #deps: PeersDeps

  constructor(config: Config, deps: PeersDeps) {
    this.#deps = deps
    this.#peers = connect(config, deps)
  }

  /** Calls that are under way end with the old ones. */
  reconnect(config: Config): void {
    const old = this.#peers
    this.#peers = connect(config, this.#deps)
    old.close()
  }

  readonly statuses: Peers['statuses'] = (members, budget) => this.#peers.statuses(members, budget)
  readonly askFailsafe: Peers['askFailsafe'] = (members, body, budget) => this.#peers.askFailsafe(members, body, budget)
  readonly isAlive: Peers['isAlive'] = (apiUrl, budget) => this.#peers.isAlive(apiUrl, budget)
}

function connect({ ctl, restapi }: Config, deps: PeersDeps): ReturnType<typeof createPeers> {
  return createPeers(
    {
      credentials: ctl.authentication ?? restapi.authentication,
      client: ctl,
      cacert: ctl.cacert ?? restapi.cafile,
      userAgent: `Patroni/${VERSION}`,
    },
    deps,
  )
}
