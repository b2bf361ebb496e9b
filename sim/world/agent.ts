import type { JsonObject } from '../../src/cluster/json.ts'
import { adjustedTiming, DEFAULT_TIMING } from '../../src/cluster/settings.ts'
import { createHa } from '../../src/ha/create.ts'
import { receiveFailsafe } from '../../src/ha/failsafe.ts'
import { Loop } from '../../src/ha/loop.ts'
import { shutdown } from '../../src/ha/shutdown.ts'
import type { Ha } from '../../src/ha/world.ts'
import type { Log } from '../../src/ports/log.ts'
import { Haste } from '../checks/haste.ts'
import { ProcessClock } from '../engine/clock.ts'
import { Process } from '../engine/process.ts'
import { SimPostgres } from '../pg/adapter.ts'
import { SimDcs } from '../store/dcs.ts'
import { NO_FENCE, SimFence } from './guard.ts'
import { apiUrlOf, connUrlOf, type Host } from './host.ts'
import { MINIMUM_TIMING } from './options.ts'
import { SimPeers } from './peers.ts'
import type { World } from './world.ts'

/** One life of an agent: the program under test, in a virtual process, between its ports. */
export class Agent {
  readonly host: Host
  readonly process: Process
  readonly postgres: SimPostgres
  readonly dcs: SimDcs
  readonly ha: Ha
  readonly #loop = new Loop()
  readonly #ending = new AbortController()
  readonly #world: World

  constructor(world: World, host: Host) {
    this.#world = world
    this.host = host
    host.incarnations++
    this.process = new Process(world.scheduler, { wakesCode: true })
    const clock = new ProcessClock(host.clock, this.process)
    this.dcs = new SimDcs(host.name, `${host.name}#${host.incarnations}`, world.store, this.process, host.clock)
    this.postgres = new SimPostgres({
      process: this.process,
      clock: host.clock,
      server: host.server,
      around: world.around,
    })
    const dynamicConfig = host.dynamicConfig ?? world.options.dynamicConfig
    const { timing } = adjustedTiming(dynamicConfig, MINIMUM_TIMING)
    const inForce = timing ?? DEFAULT_TIMING
    this.dcs.configure({
      ttlMs: inForce.ttl * 1000,
      loopWaitMs: inForce.loopWait * 1000,
      retryTimeoutMs: inForce.retryTimeout * 1000,
    })
    const haste = new Haste(world, host.name)
    this.ha = createHa(
      {
        name: host.name,
        clock: world.filters.clock(clock, host),
        random: world.rng.fork(`agent/${host.name}/${host.incarnations}`),
        dcs: world.filters.dcs(this.dcs, host),
        postgres: world.filters.postgres(this.postgres, host),
        peers: world.filters.peers(new SimPeers(world, this), host),
        fence: world.options.fence ? new SimFence(host.guard) : NO_FENCE,
        log: this.#log(),
        journal: {
          record: (entry) => {
            world.coverage.step(entry)
            haste.step(entry)
          },
          endCycle: (cycle) => world.coverage.cycle(cycle),
        },
        identity: () => ({
          connUrl: connUrlOf(host.name),
          apiUrl: apiUrlOf(host.name),
          proxyUrl: null,
          version: '5.0.0',
          tags: host.tags,
        }),
        minimumTiming: MINIMUM_TIMING,
      },
      dynamicConfig,
      inForce,
      this.#loop.wake,
    )
  }

  /** Starts as the program does: the first cycle runs now. */
  start(): void {
    this.process.after(this.#world.rng.between(50, 300), () => void this.#main())
  }

  receiveFailsafe(body: JsonObject): ReturnType<typeof receiveFailsafe> {
    return receiveFailsafe(this.ha, body)
  }

  wake(): void {
    this.process.deliver(this.#loop.wake)
  }

  /** SIGTERM. */
  terminate(): void {
    this.process.deliver(() => this.#ending.abort())
  }

  /** SIGKILL, or the host is gone. */
  kill(): void {
    this.process.kill()
    this.#leave()
  }

  async #main(): Promise<void> {
    const nothing = async (): Promise<void> => {}
    const afterCycle = async (): Promise<void> => {
      this.host.dynamicConfig = this.ha.memory.dynamicConfig
    }
    try {
      await this.#loop.run(this.ha, { beforeCycle: nothing, afterCycle }, this.#ending.signal)
      await shutdown(this.ha, new AbortController().signal)
    } catch (error) {
      this.#world.violations.report('no exceptions', `agent of ${this.host.name}: ${String(error)}`, error)
    }
    this.kill()
  }

  #leave(): void {
    void this.dcs.close()
    this.postgres.close()
    if (this.host.agent === this) this.host.agent = null
    this.#world.agentEnded(this.host)
  }

  #log(): Log {
    const { trace, violations } = this.#world
    const say = (text: string): void => trace.add(this.host.name, text)
    return {
      debug: () => {},
      info: say,
      warning: say,
      critical: say,
      error: (text, cause) => {
        say(text)
        if (/Unexpected exception|report it as a BUG/.test(text))
          violations.report('no exceptions', `agent of ${this.host.name}: ${text}: ${String(cause)}`, cause)
      },
    }
  }
}
