import { isStarting, type Role } from '../cluster/instance.ts'
import type { Timeline } from '../cluster/timeline.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type {
  CallbackName,
  ControlData,
  FollowRequest,
  MayLaunch,
  ObservationOutcome,
  ShutdownPositions,
  StandbyRole,
  StartOutcome,
  StopRequest,
} from '../ports/postgres.ts'
import { configuredBinaries } from './binaries.ts'
import { withBudget } from './budget.ts'
import { callbacks } from './callbacks.ts'
import { commandRunner } from './command-runner.ts'
import { type LiveConnection, sqlConnector } from './connection.ts'
import { connections, keepOpen } from './connections.ts'
import { readControlData } from './control-data.ts'
import { roleOfDataDirectory } from './directory-facts.ts'
import { errorText } from './files.ts'
import { instanceMemory } from './instance-memory.ts'
import { type Machine, runHook } from './machine.ts'
import { type Observer, observer } from './observer.ts'
import type {
  ConfigSource,
  ConnectionKeywords,
  LocalAddress,
  RestartOptions,
  Server,
  ServerFiles,
  ServerStart,
} from './parts.ts'
import { postmasterWatch } from './postmaster.ts'
import { identityText, linuxProcessTable, signalProcess } from './process-table.ts'
import { promoteServer } from './promote.ts'
import { wasToldToPromote } from './promotion-note.ts'
import { shutdownPositions } from './shutdown-positions.ts'
import { singleUserRecovery } from './single-user.ts'
import { type Launch, newLaunch, resolveStarting, type Startup, startServer } from './start.ts'
import { checkpoint, identifyTimeline, nudgeWal, resumeReplay } from './statements.ts'
import { stopServer } from './stop.ts'

/** What the adapter is given. */
export interface Outside {
  readonly config: ConfigSource
  readonly clock: Clock
  readonly log: Log
  /** Tells the supervisor of the agent something, as systemd's sd_notify does. */
  readonly notify: (state: string) => void
}

/** What both sides are made of, before either exists. */
export type ProcessTools = Omit<Machine, 'files' | 'connections'>

export function processTools({ config, clock, log, notify }: Outside): ProcessTools {
  const table = linuxProcessTable()
  const binaries = configuredBinaries(config)
  return {
    config,
    clock,
    log,
    notify,
    table,
    binaries,
    runner: commandRunner(clock, table),
    memory: instanceMemory(clock),
    postmaster: postmasterWatch(config, binaries, table, clock, log),
    callbacks: callbacks(config, table, log),
    connector: sqlConnector(clock),
  }
}

/** The process side of the adapter: everything that is done to a server that runs, or makes it run. */
export class ProcessSide implements Server {
  readonly #machine: Machine
  readonly #observer: Observer
  readonly #startup: Startup = { pending: null, onRunning: [] }
  readonly #endListeners = new Set<() => void>()
  readonly #life = new AbortController()
  /** The start, or the start half of a restart, that is on its way. */
  #launch: Launch | null = null

  /** @param files asked for at first use: the files side is made with this object in hand */
  constructor(tools: ProcessTools, files: () => ServerFiles) {
    const { config, connector, postmaster, log } = tools
    const own = connections(config, connector, postmaster, () => files().listening(), log)
    this.#machine = {
      ...tools,
      connections: own,
      get files() {
        return files()
      },
    }
    this.#observer = observer(this.#machine)
    own.heartbeat.onLost(() => {
      postmaster.suspect()
      this.#keepHeartbeat()
    })
    postmaster.onEnded(() => this.#ended())
    this.#startup.onRunning.push(() => {
      this.#observer.forget()
      this.#keepHeartbeat()
    })
  }

  // -- facts

  isAlive(): boolean {
    return this.#machine.postmaster.current() !== null
  }

  get version(): number {
    return this.#machine.connections.heartbeat.serverVersion || this.#machine.files.majorVersion()
  }

  get sql(): LiveConnection {
    return this.#machine.connections.heartbeat
  }

  get address(): LocalAddress {
    return this.#machine.connections.address
  }

  superuserKeywords(): ConnectionKeywords {
    return this.#machine.connections.superuserKeywords()
  }

  replicationKeywords(): ConnectionKeywords {
    return this.#machine.connections.replicationKeywords()
  }

  postmasterIdentity(): string | null {
    const found = this.#machine.postmaster.current()
    return found && identityText(found)
  }

  observe(signal: AbortSignal): Promise<ObservationOutcome> {
    return this.#observer.observe(signal)
  }

  forgetObservation(): void {
    this.#observer.forget()
  }

  /** A fresh look beside the loop's (spec postgres.md 3.1: the connection of the REST server). */
  look(signal: AbortSignal): Promise<ObservationOutcome> {
    return this.#observer.look(signal)
  }

  async controlData(signal: AbortSignal): Promise<ControlData | null> {
    const { memory, files, runner, binaries, config } = this.#machine
    if (files.majorVersion() === 0 || memory.state === 'creating replica') return null
    return readControlData(runner, binaries, config().postgresql.dataDir, signal)
  }

  async shutdownPositions(signal: AbortSignal): Promise<ShutdownPositions | null> {
    const { runner, binaries, config } = this.#machine
    const control = await this.controlData(signal)
    return shutdownPositions(runner, binaries, config().postgresql.dataDir, control, signal)
  }

  identifyTimeline(signal: AbortSignal): Promise<Timeline | null> {
    return identifyTimeline(this.#machine, signal)
  }

  // -- running it

  async start(request: ServerStart, signal: AbortSignal): Promise<StartOutcome> {
    return this.#launching((launch) => startServer(this.#machine, this.#startup, request, launch, signal))
  }

  stop(request: StopRequest, signal: AbortSignal): Promise<'stopped' | 'failed'> {
    this.#observer.forget()
    return stopServer(this.#machine, request, signal)
  }

  restart(timeoutMs: number | null, options: RestartOptions, signal: AbortSignal): Promise<StartOutcome> {
    const { mayLaunch } = options
    return this.#restart(timeoutMs, options, mayLaunch ? { mayLaunch } : {}, signal)
  }

  async #restart(
    timeoutMs: number | null,
    options: { readonly callback: boolean },
    start: { readonly role?: Role; readonly launched?: () => void; readonly mayLaunch?: MayLaunch },
    signal: AbortSignal,
  ): Promise<StartOutcome> {
    const { memory } = this.#machine
    return this.#launching(async (launch) => {
      memory.setState('restarting')
      if (options.callback) this.#startup.pending = 'on_restart'
      const stopped = await this.stop({ mode: 'fast', checkpoint: true, limitMs: null, forRestart: true }, signal)
      const outcome =
        stopped === 'stopped' && !launch.cancelled
          ? await startServer(this.#machine, this.#startup, { ...start, timeoutMs, callback: false }, launch, signal)
          : 'failed'
      // A server that is merely slow stays `starting`; one that another procedure stopped meanwhile is no failed restart.
      if (outcome === 'failed' && ['restarting', 'start failed'].includes(memory.state))
        memory.setState('restart failed')
      return outcome
    })
  }

  async #launching(work: (launch: Launch) => Promise<StartOutcome>): Promise<StartOutcome> {
    const launch = newLaunch()
    this.#launch = launch
    try {
      return await work(launch)
    } finally {
      if (this.#launch === launch) this.#launch = null
    }
  }

  /** A launch that has not happened will not; one that has is ended at once (spec postgres.md 1.5 step 6). */
  async cancelStart(): Promise<void> {
    const launch = this.#launch
    if (!launch) return
    launch.cancelled = true
    const { postmaster } = launch
    if (!postmaster || this.#machine.memory.state === 'running') return
    signalProcess(postmaster.pid, 'SIGQUIT')
    await this.#machine.postmaster.waitForEnd(postmaster, this.#life.signal)
  }

  /** Spec postgres.md 1.10. */
  async follow(request: FollowRequest, signal: AbortSignal): Promise<StartOutcome> {
    const { memory, files, callbacks: operator, log } = this.#machine
    const { role, timeoutMs } = request
    const changesRole = operator.attempted && isRoleChange(memory.role, role)
    const tell = (): void => {
      if (changesRole) this.fireCallback('on_role_change', role)
    }
    try {
      await files.putRecoverySettings(request.upstream, role, signal)
    } catch (error) {
      log.error(`The recovery settings cannot be written: ${errorText(error)}`)
      return 'failed'
    }
    if (changesRole) this.#startup.pending = 'silent'
    if (!this.isAlive()) {
      return this.#launching((launch) =>
        startServer(
          this.#machine,
          this.#startup,
          { role, timeoutMs, callback: !changesRole, launched: tell },
          launch,
          signal,
        ),
      )
    }
    if (!request.reload) return this.#restart(timeoutMs, { callback: !changesRole }, { role, launched: tell }, signal)
    this.#startup.pending = null
    await files.writeServerConfiguration(signal)
    this.reload({ callback: !changesRole })
    if (changesRole) memory.setRole(role)
    tell()
    return 'running'
  }

  reload(options: { readonly callback: boolean }): boolean {
    const { postmaster, memory, callbacks: operator } = this.#machine
    const running = postmaster.current()
    if (!running || running.singleUser || signalProcess(running.pid, 'SIGHUP') !== 'sent') return false
    if (options.callback) operator.fire('on_reload', memory.role)
    return true
  }

  async promote(waitMs: number, signal: AbortSignal, begins?: Timeline): Promise<'promoted' | 'failed'> {
    const outcome = await promoteServer(this.#machine, waitMs, signal, begins)
    this.#observer.forget()
    return outcome
  }

  async prePromote(signal: AbortSignal): Promise<boolean> {
    const { config, log } = this.#machine
    const command = config().postgresql.prePromote
    if (!command) return true
    const code = await runHook(this.#machine, command, signal)
    log.info(`pre_promote script \`${command}\` exited with ${code}`)
    return code === 0
  }

  checkpoint(signal: AbortSignal): Promise<'done' | 'failed'> {
    return withBudget(this.#machine.clock, null, signal, (budget) => checkpoint(this.#machine, budget))
  }

  resumeReplay(signal: AbortSignal): Promise<void> {
    return resumeReplay(this.#machine, signal)
  }

  nudgeWal(signal: AbortSignal): Promise<void> {
    return nudgeWal(this.#machine, signal)
  }

  singleUserRecovery(signal: AbortSignal): Promise<'done' | 'failed'> {
    return singleUserRecovery(this.#machine, signal)
  }

  resolveStarting(signal: AbortSignal): Promise<void> {
    return resolveStarting(this.#machine, this.#startup, signal)
  }

  get callbackAttempted(): boolean {
    return this.#machine.callbacks.attempted
  }

  fireCallback(name: CallbackName, role: Role): void {
    this.#machine.callbacks.fire(name, role)
  }

  // -- life

  /** What an agent does when it begins, about a server that runs already or does not (spec postgres.md 1.4). */
  async adopt(signal: AbortSignal): Promise<void> {
    const { memory, config, files, log } = this.#machine
    memory.setRole(await roleOfDataDirectory(config().postgresql.dataDir))
    if (this.isAlive()) {
      memory.setState('starting')
      await this.resolveStarting(signal)
    } else if (memory.role === 'primary') memory.setRole('demoted')
    if (memory.state !== 'running') return
    const seen = await this.observe(signal)
    this.forgetObservation()
    if (seen.kind === 'observed') memory.setRole(seen.observation.inRecovery ? await this.#roleInRecovery() : 'primary')
    try {
      await files.joinRunning(memory.role, signal)
    } catch (error) {
      log.error(`The configuration of the running server could not be taken over: ${errorText(error)}`)
    }
  }

  async #roleInRecovery(): Promise<Role> {
    const { postmaster, config } = this.#machine
    const running = postmaster.current()
    return running && (await wasToldToPromote(config().postgresql.dataDir, running)) ? 'promoted' : 'replica'
  }

  /** Looks after the server until `close`. */
  watch(): void {
    const { postmaster, connections: own } = this.#machine
    void postmaster.keepLooking(() => own.heartbeat.isOpen, this.#life.signal)
  }

  /** Ends the watch and drops the connections; the server runs on. */
  close(): void {
    this.#life.abort()
    this.#machine.connections.close()
  }

  /** Calls back when a server ended that nobody here was stopping. @returns what ends that */
  onUnexpectedEnd(listener: () => void): () => void {
    this.#endListeners.add(listener)
    return () => this.#endListeners.delete(listener)
  }

  /** Called at each change to `running`. */
  onRunning(listener: () => void): void {
    this.#startup.onRunning.push(listener)
  }

  #ended(): void {
    const { memory, connections: own, postmaster } = this.#machine
    own.close()
    this.#observer.forget()
    if (memory.state !== 'running' && !isStarting(memory.state)) return
    // Its busy sessions do not notice before they are done: until then they write, and nobody may start it again.
    void postmaster.endOrphans()
    for (const listener of this.#endListeners) listener()
  }

  #keepHeartbeat(): void {
    const { memory, connections: own, clock, postmaster, log } = this.#machine
    const wanted = (): boolean => memory.state === 'running' && postmaster.current() !== null
    keepOpen(own.heartbeat, wanted, { clock, log }, this.#life.signal).catch((error: unknown) =>
      log.error('The heartbeat connection cannot be kept open', error),
    )
  }
}

/** Whether following in the new role is told by on_role_change instead of the callback of what is done (spec postgres.md 1.10). */
function isRoleChange(from: Role, to: StandbyRole): boolean {
  if (from === 'primary' || from === 'demoted') return true
  return (from === 'standby_leader' || from === 'replica') && from !== to
}
