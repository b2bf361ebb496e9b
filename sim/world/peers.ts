import type { JsonObject } from '../../src/cluster/json.ts'
import { maxLsn, ZERO_LSN } from '../../src/cluster/lsn.ts'
import { isFailsafeActive } from '../../src/ha/failsafe.ts'
import type { Budget } from '../../src/ports/clock.ts'
import type { FailsafeAnswer, FailsafeBody, PeerAddress, PeerStatus, Peers } from '../../src/ports/peers.ts'
import { callWorld } from '../engine/call.ts'
import { observation } from '../pg/observe.ts'
import type { Agent } from './agent.ts'
import { apiUrlOf, type Host } from './host.ts'
import type { World } from './world.ts'

/** Words for a server that is not there. */
const STOPPED: readonly string[] = ['stopped', 'crashed', 'creating replica']

/** Talks with other members' agents over the virtual network, as REST clients and servers do. */
export class SimPeers implements Peers {
  readonly #world: World
  readonly #self: Agent

  constructor(world: World, self: Agent) {
    this.#world = world
    this.#self = self
  }

  statuses(members: readonly PeerAddress[], budget: Budget): Promise<readonly PeerStatus[]> {
    return Promise.all(members.map((member) => this.#status(member, budget)))
  }

  askFailsafe(members: readonly PeerAddress[], body: FailsafeBody, budget: Budget): Promise<readonly FailsafeAnswer[]> {
    return Promise.all(
      members.map(({ name, apiUrl }) =>
        this.#request<FailsafeAnswer>(apiUrl, budget, { name, accepted: false, lsn: null }, (agent, reply) => {
          const { status, lsn } = agent.receiveFailsafe(body as unknown as JsonObject)
          reply({ name, accepted: status === 200, lsn })
        }),
      ),
    )
  }

  isAlive(apiUrl: string, budget: Budget): Promise<boolean> {
    return this.#request<boolean>(apiUrl, budget, false, (_agent, reply) => reply(true))
  }

  #status({ name, apiUrl }: PeerAddress, budget: Budget): Promise<PeerStatus> {
    const unreachable: PeerStatus = { kind: 'unreachable', name }
    return this.#request<PeerStatus>(apiUrl, budget, unreachable, (agent, reply) => {
      const { postmaster } = agent.host.server
      const failsafeActive = isFailsafeActive(agent.ha)
      const says: PeerStatus =
        STOPPED.includes(agent.postgres.state) && !failsafeActive ? { ...unreachable, stopped: true } : unreachable
      if (postmaster?.phase !== 'ready') return reply(says)
      postmaster.process.after(1.5, () => {
        const { server } = agent.host
        if (server.postmaster?.phase !== 'ready') return reply(unreachable)
        const seen = observation(server.postmaster, agent.host.clock.now())
        reply({
          kind: 'reachable',
          name,
          inRecovery: seen.inRecovery,
          lsn: seen.inRecovery ? maxLsn(seen.receivedLsn, seen.replayedLsn) : ZERO_LSN,
          role: agent.postgres.role,
          // As its REST server says it: a replica tells what its agent remembers.
          timeline: seen.inRecovery ? agent.ha.memory.own.timeline : seen.timeline,
          tags: agent.host.tags,
          watchdogFailed: false,
          ...(failsafeActive ? { failsafeActive } : {}),
        })
      })
    })
  }

  /** `nothing` is the answer of a host whose agent is gone, and of nobody until the budget is spent. */
  #request<T>(
    apiUrl: string,
    budget: Budget,
    nothing: T,
    handle: (agent: Agent, reply: (value: T) => void) => void,
  ): Promise<T> {
    const { network } = this.#world
    const from = this.#self.host
    const to: Host | undefined = [...this.#world.hosts.values()].find((host) => apiUrlOf(host.name) === apiUrl)
    return callWorld<T>(
      this.#self.process,
      from.clock,
      budget,
      () => nothing,
      (finish) => {
        if (!to) return finish(nothing)
        const reply = (value: T): void => network.send(to.name, from.name, () => finish(value))
        network.send(from.name, to.name, () => {
          if (!to.isUp) return
          const { agent } = to
          if (!agent) return reply(nothing)
          agent.process.deliver(() => handle(agent, reply))
        })
      },
    )
  }
}
