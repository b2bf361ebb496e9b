import type { RestServer } from '../api/rest-server.ts'
import { roleClass } from '../cluster/instance.ts'
import type { JsonObject } from '../cluster/json.ts'
import { publishedTags } from '../cluster/tags.ts'
import { VERSION } from '../cluster/version.ts'
import type { ClusterView } from '../cluster/view.ts'
import { saveCache } from '../config/cache.ts'
import { createHa } from '../ha/create.ts'
import { Loop } from '../ha/loop.ts'
import { shutdown } from '../ha/shutdown.ts'
import type { Ha, Identity } from '../ha/world.ts'
import type { Clock } from '../ports/clock.ts'
import { createControl } from './control.ts'
import { connUrl } from './identity.ts'
import { isNameTaken } from './name-check.ts'
import { Observer } from './observer.ts'
import type { AgentParts } from './parts.ts'

/** Requests under way get so long when the agent ends. */
const API_GRACE_MS = 1000
/** A store that does not answer at start is asked again so often. */
const FIRST_READ_PAUSE_MS = 5000

/**
 * One running agent: reads the cluster, looks whether its name is free, then runs cycles until it is told to end
 * (spec ha.md 2.1, 2.2).
 */
export class Agent {
  readonly #parts: AgentParts
  readonly #ha: Ha
  readonly #loop = new Loop()
  readonly #end = new AbortController()
  #api: RestServer | null = null
  #reloadAsked = false
  #guardEnded = true
  #dynamicInForce: JsonObject
  #cachedDynamic: JsonObject | null = null
  #roleClass: ReturnType<typeof roleClass> = null

  constructor(parts: AgentParts) {
    this.#parts = parts
    const { settings, clock, random, store, postgres, peers, fence, log, journal } = parts
    const { config } = settings
    this.#dynamicInForce = config.dynamic
    const world = {
      name: config.name,
      clock,
      random,
      dcs: store,
      postgres,
      peers,
      fence,
      log: log.log('ha'),
      journal: journal.cycles,
      identity: () => this.#identity(),
      minimumTiming: settings.minimumTiming,
    }
    journal.cycles.record({ kind: 'did', what: 'start agent', detail: { version: VERSION } })
    this.#ha = createHa(world, config.dynamic, config.timing, this.#loop.wake)
  }

  /** SIGHUP, POST /reload. */
  readonly requestReload = (): void => {
    this.#reloadAsked = true
    this.#loop.wake()
  }

  /** The lease guard has died, or has done what it is there for. */
  readonly guardEnded = (): void => {
    this.#guardEnded = true
    this.#loop.wake()
  }

  /** Something happened that the next cycle should see at once. */
  readonly wake = (): void => this.#loop.wake()

  /** SIGTERM, SIGINT. */
  readonly terminate = (): void => this.#end.abort()

  /** @returns the exit code */
  async run(): Promise<number> {
    const { settings, store, clock, log, notify, postgres } = this.#parts
    const { signal } = this.#end
    const started = await store.start(signal)
    if (started.kind === 'stopped') return 0
    if (started.kind === 'fatal') {
      log.log('agent').critical(started.text)
      return 1
    }
    const view = await this.#firstView()
    if (!view) return 0
    const { name, scope } = settings.config
    if (await isNameTaken(view, name, this.#parts.peers, clock)) {
      log.log('agent').critical(`Can't start; there is already a node named '${name}' running`)
      return 1
    }
    if (view.config?.valid && Object.keys(view.config.document).length > 0)
      await this.#attempt(this.#useDynamic(view.config.document))
    await postgres.adopt(signal)
    const control = createControl({
      ha: this.#ha,
      loop: this.#loop,
      observer: new Observer(postgres, clock),
      scope,
      version: VERSION,
      configuredTags: () => publishedTags(settings.config.tags),
      cloneProgress: () => postgres.cloneProgress(),
      logQueue: () => ({ size: log.queueSize(), lost: log.recordsLost() }),
      journal: (sinceMs) => this.#parts.journal.cycles.records(sinceMs),
      requestReload: this.requestReload,
      terminate: this.terminate,
    })
    const api = this.#parts.serve(control)
    const listening = await api.start()
    if (listening.kind === 'failed') {
      log.log('api').error(listening.reason)
      return 1
    }
    this.#api = api
    notify('READY=1')
    const exit = await this.#loop.run(
      this.#ha,
      { beforeCycle: () => this.#beforeCycle(), afterCycle: () => this.#afterCycle() },
      signal,
    )
    return this.#finish(exit)
  }

  async #finish(exit: number): Promise<number> {
    const { notify, store, postgres, journal } = this.#parts
    notify('STOPPING=1')
    await this.#attempt(this.#api?.stop(API_GRACE_MS))
    await this.#attempt(shutdown(this.#ha, new AbortController().signal))
    await this.#attempt(journal.close())
    postgres.close()
    await store.close()
    return exit
  }

  /** A step that may fail without keeping those after it from being done. */
  async #attempt(step: Promise<unknown> | undefined): Promise<void> {
    try {
      await step
    } catch (error) {
      this.#parts.log.log('agent').error('Unexpected exception', error)
    }
  }

  async #firstView(): Promise<ClusterView | null> {
    const { store, clock, log, settings } = this.#parts
    const { signal } = this.#end
    while (!signal.aborted) {
      const deadline = (clock.now() + settings.config.timing.retryTimeout * 1000) as ReturnType<Clock['now']>
      const limited = clock.deadline(deadline, signal)
      const outcome = await store.load({ deadline, signal: limited.signal })
      limited.done()
      if (outcome.kind === 'done') return outcome.value
      log.log('agent').warning('Can not get cluster from dcs')
      await clock.sleep(FIRST_READ_PAUSE_MS, signal)
    }
    return null
  }

  async #beforeCycle(): Promise<void> {
    if (this.#guardEnded) await this.#tellStrike()
    if (!this.#reloadAsked) return
    this.#reloadAsked = false
    const { settings, notify, log } = this.#parts
    notify('RELOADING=1')
    try {
      const changed = await settings.reloadLocal()
      await this.#applyConfiguration({ local: changed, sighup: true })
    } catch (error) {
      log.log('agent').error(`Failed to reload config_file=${this.#parts.configPath ?? 'None'}`, error)
    }
    notify('READY=1')
  }

  /** Before the first cycle of an agent also what happened after the end of the one before. */
  async #tellStrike(): Promise<void> {
    const { newStrike, journal, log } = this.#parts
    this.#guardEnded = false
    const strike = await newStrike()
    if (!strike) return
    const { atMs, pid } = strike
    const at = new Date(atMs).toISOString()
    log.log('fence').warning(`The lease guard has killed PostgreSQL (pid ${pid}) at ${at}: the lease was not renewed`)
    journal.cycles.record({ kind: 'saw', what: 'lease guard struck', detail: { at: atMs, pid } })
  }

  async #afterCycle(): Promise<void> {
    const { memory } = this.#ha
    if (memory.dynamicConfig !== this.#dynamicInForce) await this.#useDynamic(memory.dynamicConfig)
    else if (roleClass(this.#parts.postgres.role) !== this.#roleClass)
      await this.#applyConfiguration({ local: false, sighup: false })
    await this.#saveDynamic()
  }

  async #useDynamic(document: JsonObject): Promise<void> {
    const same = JSON.stringify(document) === JSON.stringify(this.#dynamicInForce)
    this.#dynamicInForce = document
    if (same) return
    if (this.#parts.settings.changeDynamic(document)) await this.#applyConfiguration({ local: false, sighup: false })
  }

  /** In the order of spec configuration.md 7.3. */
  async #applyConfiguration({ local, sighup }: { readonly local: boolean; readonly sighup: boolean }): Promise<void> {
    const { settings, log, postgres, store, reconnectPeers, reconfigureFence } = this.#parts
    const { config } = settings
    this.#roleClass = roleClass(postgres.role)
    if (local) {
      const logging = await log.reconfigure(config.log)
      if (logging.kind === 'broken') throw new Error(`log: ${logging.reason}`)
      reconnectPeers(config)
    }
    if (local) await reconfigureFence()
    if (local || sighup) {
      const listening = await this.#api?.reload(config.restapi)
      if (listening?.kind === 'failed') log.log('api').error(listening.reason)
    }
    await postgres.reconfigure(config, { sighup }, this.#end.signal)
    if (local) store.reload(config.store.section)
  }

  /** The copy that a start without a store runs on. */
  async #saveDynamic(): Promise<void> {
    const { postgres, settings, log } = this.#parts
    const document = settings.config.dynamic
    if (postgres.role === 'uninitialized' || document === this.#cachedDynamic || Object.keys(document).length === 0)
      return
    const problem = await saveCache(settings.config.postgresql.dataDir, document)
    if (problem === null) this.#cachedDynamic = document
    else log.log('agent').error(problem)
  }

  #identity(): Identity {
    const { settings, postgres } = this.#parts
    const { config } = settings
    const { postgresql, restapi } = config
    return {
      connUrl: connUrl(postgresql.connectAddress ?? postgres.localAddress(), postgresql.database),
      apiUrl: `${restapi.certfile === null ? 'http' : 'https'}://${restapi.connectAddress}/patroni`,
      proxyUrl: postgresql.proxyAddress === null ? null : connUrl(postgresql.proxyAddress, postgresql.database),
      version: VERSION,
      tags: publishedTags(config.tags),
    }
  }
}
