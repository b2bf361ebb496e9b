import { clusterSettings, DEFAULT_TIMING } from '../../src/cluster/settings.ts'
import { viewFromKeys } from '../../src/cluster/view.ts'
import { Coverage } from '../checks/coverage.ts'
import { Durability } from '../checks/durability.ts'
import { type Exempted, Exemptions } from '../checks/exemptions.ts'
import { WakingChanges } from '../checks/haste.ts'
import { SingleWriter } from '../checks/single-writer.ts'
import { Timelines } from '../checks/timelines.ts'
import { Violations } from '../checks/violations.ts'
import { Rng } from '../engine/random.ts'
import { Scheduler } from '../engine/scheduler.ts'
import { Network } from '../net/network.ts'
import type { PgServer } from '../pg/server.ts'
import type { PgSurroundings } from '../pg/surroundings.ts'
import { StoreService } from '../store/service.ts'
import { Agent } from './agent.ts'
import { type Filters, NO_FILTERS } from './filters.ts'
import { Host } from './host.ts'
import type { WorldOptions } from './options.ts'
import { startRemotePrimary } from './remote.ts'
import { Trace } from './trace.ts'
import { Writer } from './writer.ts'

/** How long the service manager takes to start an agent that ended by itself. */
const RESTART_MS = 2000

/** Everything: time, network, store, hosts, clients, and those who watch that the invariants hold. */
export class World {
  readonly options: WorldOptions
  readonly filters: Filters
  readonly rng: Rng
  readonly scheduler = new Scheduler()
  readonly network: Network
  readonly store: StoreService
  readonly hosts = new Map<string, Host>()
  readonly around: PgSurroundings
  readonly trace: Trace
  readonly violations: Violations
  readonly exemptions: Exemptions
  readonly wakingChanges: WakingChanges
  readonly singleWriter: SingleWriter
  readonly durability: Durability
  readonly timelines: Timelines
  readonly writer: Writer
  readonly coverage = new Coverage()
  /** What a standby cluster copies; `null` where this is none, or no longer. */
  remote: PgServer | null
  #ended = false

  constructor(options: WorldOptions, filters: Filters = NO_FILTERS) {
    this.options = options
    this.filters = filters
    this.rng = new Rng(options.seed)
    this.network = new Network(this.scheduler, this.rng.fork('network'))
    this.store = new StoreService(this.scheduler, this.network, this.rng.fork('store'), options.store)
    this.trace = new Trace(this.scheduler, options.traceLines)
    this.violations = new Violations(this.scheduler, options.pardoned)
    this.exemptions = new Exemptions(this.scheduler)
    this.wakingChanges = new WakingChanges(this.store.tree, this.scheduler)
    const servers = new Map<string, PgServer>()
    this.singleWriter = new SingleWriter(servers, this.violations, this.exemptions)
    this.durability = new Durability(this.violations, this.exemptions, () => this.#lossRule())
    this.timelines = new Timelines(this.violations, this.exemptions)
    this.around = {
      scheduler: this.scheduler,
      network: this.network,
      rng: this.rng.fork('postgres'),
      tempo: options.tempo,
      servers,
      observer: {
        writableChanged: (server) => {
          this.trace.add(server.host, server.isWritable ? '*** takes writes' : '*** takes no more writes')
          this.singleWriter.check()
          if (server.isWritable) this.durability.opened(server)
        },
        branchCreated: (branch, how) => {
          this.trace.add(branch.owner, `*** timeline ${branch.timeline} begins at ${branch.forkLsn}: ${how}`)
          this.timelines.created(branch)
        },
        historiesMixed: (standby, upstream) => {
          if (this.exemptions.allows('mixed histories')) return
          this.violations.report('no mixed histories', `${standby.host} follows ${upstream.host} on another history`)
        },
      },
    }
    for (const name of options.members)
      this.hosts.set(name, new Host(name, this.around, this.rng.fork(`host/${name}`), options.tags[name] ?? {}))
    for (const server of servers.values()) server.canRewind = options.rewind ?? true
    this.network.onHeal(() => {
      for (const server of servers.values()) server.postmaster?.ship()
    })
    this.remote = options.standby ? startRemotePrimary(this.around) : null
    this.writer = new Writer(this.scheduler, this.rng.fork('writer'), servers, this, {
      everyMs: options.writeEveryMs,
      rowBytes: options.rowBytes,
    })
    this.writer.start()
  }

  host(name: string): Host {
    const host = this.hosts.get(name)
    if (!host) throw new Error(`no host ${name}`)
    return host
  }

  startAgent(host: Host): void {
    if (host.agent || !host.isUp || host.guard.process.isFrozen || this.#ended) return
    host.agent = new Agent(this, host)
    host.agent.start()
  }

  /** An agent that ends is started again, as a service manager does, unless somebody stopped it on purpose. */
  agentEnded(host: Host): void {
    if (!host.isUp || this.heldDown.has(host.name)) return
    this.scheduler.after(RESTART_MS, () => {
      if (!this.heldDown.has(host.name)) this.startAgent(host)
    })
  }

  /** Hosts whose agents nobody starts. */
  readonly heldDown = new Set<string>()

  /** Runs the world for so long; stops early at the first violation. */
  async run(ms: number): Promise<void> {
    await this.scheduler.run(this.scheduler.now + ms, () => this.violations.found.length > 0)
  }

  /** Runs until the condition holds; looks every `stepMs`. @returns whether it did within the limit */
  async until(condition: () => boolean, limitMs: number, stepMs = 100): Promise<boolean> {
    let held = condition()
    if (held) return true
    const look = (): void => {
      held = condition()
      if (!held) timer = this.scheduler.after(stepMs, look)
    }
    let timer = this.scheduler.after(stepMs, look)
    await this.scheduler.run(this.scheduler.now + limitMs, () => held || this.violations.found.length > 0)
    timer.cancelled = true
    return held
  }

  /** Nothing happens here any more. */
  close(): void {
    this.#ended = true
    for (const host of this.hosts.values()) {
      this.heldDown.add(host.name)
      host.agent?.kill()
      host.server.kill()
    }
    this.remote?.kill()
  }

  /** An operator did something to the cluster: until it is whole again, these invariants are his business. */
  handsIn(what: readonly Exempted[]): void {
    for (const one of what) this.exemptions.allow(one, Number.POSITIVE_INFINITY)
  }

  /** One primary, and everybody streams from it: what was pardoned is over. */
  wholeAgain(): void {
    const [primary] = this.singleWriter.writers()
    if (primary) this.durability.settle(primary)
    if (primary?.files && this.exemptions.allows('timeline twice')) this.timelines.settle(primary.files.position.branch)
    this.exemptions.end()
  }

  get isSynchronous(): boolean {
    return this.#lossRule().lossless
  }

  #lossRule(): ReturnType<ConstructorParameters<typeof Durability>[2]> {
    const { keys } = this.store.tree
    const { config, status } = viewFromKeys(keys)
    const settings = clusterSettings(config?.document ?? this.options.dynamicConfig, DEFAULT_TIMING)
    return {
      lossless: settings.synchronousMode !== 'off',
      maximumLagBytes: settings.maximumLagOnFailover,
      publishedLsn: status.lastLsn,
    }
  }
}
