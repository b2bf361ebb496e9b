import type { Member } from '../lab/member.ts'
import { sleep } from '../lab/wait.ts'
import type { Clients } from './clients.ts'
import { begin, effectOf, endsAgent, exclusiveHosts, type Target } from './faults.ts'
import type { FaultRecord } from './history.ts'
import { FAULTS, type PlannedFault } from './plan.ts'
import type { World } from './world.ts'

/** What restarts an agent that ended by itself waits so long, as a service manager would. */
const SUPERVISE_EVERY_MS = 1000

/** Carries a plan out, and writes down what it did. */
export class Nemesis {
  readonly records: FaultRecord[] = []
  /** Agents that ended although nobody killed them. */
  readonly unexpectedEnds: string[] = []
  readonly #world: World
  readonly #clients: Clients
  readonly #say: (text: string) => void
  /** Hosts on which a fault of processes is going on. */
  readonly #occupied = new Set<string>()
  readonly #killed = new Set<string>()

  constructor(world: World, clients: Clients, say: (text: string) => void) {
    this.#world = world
    this.#clients = clients
    this.#say = say
  }

  /** Ends when every fault has ended, or soon after `signal`. */
  async run(plan: readonly PlannedFault[], signal: AbortSignal): Promise<void> {
    const startedAt = this.#clients.now()
    const ended = new AbortController()
    const supervision = this.#supervise(ended.signal)
    // One fault that cannot be carried out ends them all: the cluster is left in peace before anybody judges it.
    const broken = new AbortController()
    const over = AbortSignal.any([signal, broken.signal])
    const faults = plan.map(async (fault) => {
      await pause(startedAt + fault.atMs - this.#clients.now(), over)
      if (!over.aborted) await this.#inflict(fault, over)
    })
    try {
      await Promise.all(faults)
    } finally {
      broken.abort()
      await Promise.allSettled(faults)
      ended.abort()
      await supervision
    }
  }

  async #inflict(fault: PlannedFault, signal: AbortSignal): Promise<void> {
    const target = this.#targetOf(fault)
    const hosts = exclusiveHosts(fault.kind, target)
    const effect = effectOf(fault.kind, target)
    if (hosts.some((host) => this.#occupied.has(host))) {
      this.#say(`fault ${fault.number} ${fault.kind} on ${effect.on}: passed over, another fault is going on there`)
      return
    }
    for (const host of hosts) this.#occupied.add(host)
    if (endsAgent(fault.kind)) this.#killed.add(target.member.name)
    this.#say(`fault ${fault.number} ${fault.kind} on ${effect.on} for ${(fault.forMs / 1000).toFixed(1)} s`)
    const { number, kind } = fault
    const record = { number, kind, ...effect, from: this.#clients.now() }
    // Known at once with an open end: a run that is interrupted is judged as well.
    const at = this.records.push({ ...record, to: Number.POSITIVE_INFINITY }) - 1
    try {
      const end = await begin(this.#world, target, fault)
      await pause(fault.forMs, signal)
      await end()
    } finally {
      this.records[at] = { ...record, to: this.#clients.now() }
      for (const host of hosts) this.#occupied.delete(host)
      if (endsAgent(fault.kind)) this.#killed.delete(target.member.name)
      this.#say(`fault ${fault.number} ${fault.kind} ended`)
    }
  }

  /** The primary is who acknowledged the last write: that is what clients see. */
  #targetOf({ kind, on, index }: PlannedFault): Target {
    const { members, stores } = this.#world.cluster
    const primary = members.find(({ name }) => name === this.#clients.lastWriter) ?? members[0]
    const replicas = members.filter((member) => member !== primary)
    const member = on === 'primary' ? primary : replicas[index % replicas.length]
    if (!member) throw new Error('a cluster without members')
    const befallen = FAULTS[kind].target === 'member' ? [] : stores.filter((_, i) => isChosen(i, kind, index))
    return { member, isPrimary: member === primary, stores: befallen }
  }

  async #supervise(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const member of this.#world.cluster.members) await this.#restartWhenEnded(member)
      await pause(SUPERVISE_EVERY_MS, signal)
    }
  }

  async #restartWhenEnded(member: Member): Promise<void> {
    if (member.isRunning || this.#killed.has(member.name)) return
    const { code, signal } = await member.agentEnd()
    this.unexpectedEnds.push(`${member.name} at ${(this.#clients.now() / 1000).toFixed(1)} s (${signal ?? code})`)
    this.#say(`the agent of ${member.name} ended by itself (${signal ?? `exit code ${code}`}), started again`)
    await member.start()
  }
}

function isChosen(store: number, kind: PlannedFault['kind'], index: number): boolean {
  return FAULTS[kind].target === 'stores' ? store !== index : store === index
}

/** Ends early, without an error, when the signal comes. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const end = performance.now() + ms
  while (!signal.aborted && performance.now() < end) await sleep(Math.min(200, Math.max(1, end - performance.now())))
}
