import type { InstanceState, Role } from '../../src/cluster/instance.ts'
import { isStarting } from '../../src/cluster/instance.ts'
import { type Lsn, ZERO_LSN } from '../../src/cluster/lsn.ts'
import { elapsedMs, type Instant, later } from '../../src/cluster/time.ts'
import type { Timeline } from '../../src/cluster/timeline.ts'
import type {
  CallbackName,
  CloneRequest,
  ControlData,
  DataDirectory,
  FollowRequest,
  LocalPosition,
  MayLaunch,
  ObservationOutcome,
  Postgres,
  RecoveryDifference,
  RewindOutcome,
  RewindSource,
  ShutdownPositions,
  StandbyRole,
  StartOutcome,
  StopRequest,
  Upstream,
} from '../../src/ports/postgres.ts'
import { EPOCH_MS } from '../engine/clock.ts'
import { askServer, type Local, pause, readFile } from './context.ts'
import { baseBackup, canReach, initdb, recoverAlone, rewindTo } from './copying.ts'
import { controlData } from './data.ts'
import { observation } from './observe.ts'
import { isReady, promoteServer, reloadServer, startServer, stopServer, takeCheckpoint } from './running.ts'
import type { PgServer } from './server.ts'
import { branchOf, historyOf } from './wal.ts'

const QUERY_LIMIT_MS = 5000
const STATEMENT_MS = 1.5
const PATIENCE_MS = 60_000

/** The port Postgres over a virtual server: what the agent remembers of it, facts, and procedures that take time. */
export class SimPostgres implements Postgres {
  role: Role
  state: InstanceState
  stateSince: Instant
  callbackAttempted = false
  readonly serverVersion = 150004
  readonly useRewind = true
  readonly removeOnRewindFailure = true
  readonly removeOnDivergedTimelines = true
  readonly pendingRestart = {}
  readonly #local: Local
  readonly #listeners = new Set<(event: 'postmaster-ended') => void>()
  readonly #unsubscribe: () => void
  #seen: Promise<ObservationOutcome> | null = null
  #launch: Launch | null = null
  #refusedSince: Instant | null = null
  #identifier: string | null = null

  /** Adopts what it finds, as an agent does that starts beside a server (spec ha.md 1.4). */
  constructor(local: Local) {
    this.#local = local
    const { files, postmaster } = local.server
    const found: Role = files === null ? 'uninitialized' : files.standbySignal ? 'replica' : 'primary'
    this.role = postmaster === null && found === 'primary' ? 'demoted' : found
    this.state = postmaster === null ? 'stopped' : 'starting'
    this.stateSince = local.clock.now()
    let lives = postmaster !== null
    this.#unsubscribe = local.server.onChange(() => {
      const alive = local.server.postmaster !== null
      if (lives && !alive) local.process.deliver(() => this.#ended())
      lives = alive
    })
  }

  close(): void {
    this.#unsubscribe()
    this.#listeners.clear()
  }

  setRole(role: Role): void {
    this.role = role
  }

  setState(state: InstanceState): void {
    this.state = state
    this.stateSince = this.#local.clock.now()
  }

  // -- facts

  isAlive(): boolean {
    return this.#local.server.postmaster !== null
  }

  async resolveStarting(signal: AbortSignal): Promise<void> {
    if (!isStarting(this.state)) return
    const answer = await isReady(this.#local, signal)
    if (answer === 'accepting') {
      this.setState('running')
      const seen = await this.observe(signal)
      if (this.role === 'uninitialized' || !this.callbackAttempted)
        this.role =
          seen.kind === 'observed' && !seen.observation.inRecovery
            ? 'primary'
            : this.role === 'standby_leader'
              ? this.role
              : 'replica'
    } else if (!this.isAlive()) this.setState('start failed')
  }

  observe(signal: AbortSignal): Promise<ObservationOutcome> {
    this.#seen ??= this.#look(signal)
    return this.#seen
  }

  look(signal: AbortSignal): Promise<ObservationOutcome> {
    return this.#look(signal)
  }

  forgetObservation(): void {
    this.#seen = null
  }

  async dataDirectory(): Promise<DataDirectory> {
    return this.#local.server.files === null ? { kind: 'empty' } : { kind: 'present' }
  }

  controlData(signal: AbortSignal): Promise<ControlData | null> {
    const { server } = this.#local
    return readFile(this.#local, this.#limit(signal), () => server.files && controlData(server.files))
  }

  async systemIdentifier(signal: AbortSignal): Promise<string | null> {
    this.#identifier ??= (await this.controlData(signal))?.systemIdentifier ?? null
    return this.#identifier
  }

  forgetSystemIdentifier(): void {
    this.#identifier = null
  }

  async hasRecoverySignal(): Promise<boolean> {
    return this.#local.server.files?.standbySignal ?? false
  }

  async hasBackupLabel(): Promise<boolean> {
    return false
  }

  async localTimelineHistory(t: Timeline): Promise<Awaited<ReturnType<Postgres['localTimelineHistory']>>> {
    const tip = this.#local.server.files?.position.branch
    const branch = tip && branchOf(tip, t)
    if (!branch || branch.parent === null) return null
    return {
      switches: historyOf(branch),
      modifiedAt: new Date(EPOCH_MS + Math.floor(branch.createdAt)).toISOString(),
    }
  }

  identifyTimeline(signal: AbortSignal): Promise<Timeline | null> {
    return askServer(this.#local, this.#limit(signal), STATEMENT_MS, (pm) => pm.files.position.branch.timeline)
  }

  shutdownPositions(signal: AbortSignal): Promise<ShutdownPositions | null> {
    const { server } = this.#local
    return readFile(this.#local, this.#limit(signal), () => {
      if (server.files?.state !== 'shut down') return null
      const { start } = server.files.checkpoint
      return { checkpoint: start, previous: start }
    })
  }

  // -- running it

  startAsPrimary(timeoutMs: number | null, signal: AbortSignal, mayLaunch?: MayLaunch): Promise<StartOutcome> {
    return this.#start(timeoutMs, signal, newLaunch(mayLaunch))
  }

  async follow(request: FollowRequest, signal: AbortSignal): Promise<StartOutcome> {
    const { server } = this.#local
    const files = server.files
    if (!files || this.#isUnfinished(request.upstream !== null)) return 'failed'
    files.standbySignal = files.standbySignal || !request.reload
    files.upstream = upstreamHost(request.upstream)
    const roleChanges = this.role !== request.role
    this.role = request.role
    if (request.reload) {
      reloadServer(this.#local)
      this.fireCallback(roleChanges ? 'on_role_change' : 'on_reload', request.role)
      return 'running'
    }
    if (server.postmaster !== null) {
      this.setState('restarting')
      const stop: StopRequest = { mode: 'fast', checkpoint: false, limitMs: null, forRestart: true }
      if (!(await stopServer(this.#local, stop, signal))) return 'failed'
    }
    files.standbySignal = true
    const outcome = await this.#start(request.timeoutMs, signal)
    if (outcome !== 'failed') this.fireCallback(roleChanges ? 'on_role_change' : 'on_start', request.role)
    return outcome
  }

  async stop(request: StopRequest, signal: AbortSignal): Promise<'stopped' | 'failed'> {
    if (this.isAlive() && !request.forRestart) this.setState('stopping')
    const stopped = await stopServer(this.#local, request, signal)
    if (!request.forRestart) this.setState(stopped ? 'stopped' : 'stop failed')
    return stopped ? 'stopped' : 'failed'
  }

  async restart(timeoutMs: number | null, signal: AbortSignal, mayLaunch?: MayLaunch): Promise<StartOutcome> {
    const launch = newLaunch(mayLaunch)
    this.#launch = launch
    this.setState('restarting')
    const stop: StopRequest = { mode: 'fast', checkpoint: true, limitMs: null, forRestart: true }
    if (!(await stopServer(this.#local, stop, signal)) || launch.cancelled) return 'failed'
    return this.#start(timeoutMs, signal, launch)
  }

  async cancelStart(): Promise<void> {
    if (this.#launch) this.#launch.cancelled = true
    const { postmaster } = this.#local.server
    if (postmaster?.phase === 'starting') postmaster.stop('immediate')
    await pause(this.#local, 5, new AbortController().signal)
  }

  async promote(waitMs: number, signal: AbortSignal): Promise<'promoted' | 'failed'> {
    if (!this.isAlive()) return 'failed'
    this.role = 'promoted'
    this.fireCallback('on_role_change', 'primary')
    const promoted = await promoteServer(this.#local, waitMs, signal)
    if (promoted) this.role = 'primary'
    return promoted ? 'promoted' : 'failed'
  }

  async checkpoint(signal: AbortSignal): Promise<'done' | 'failed'> {
    return (await takeCheckpoint(this.#local, { signal })) ? 'done' : 'failed'
  }

  async resumeReplay(signal: AbortSignal): Promise<void> {
    await askServer(this.#local, this.#limit(signal), STATEMENT_MS, (pm) => {
      pm.replayPaused = false
      pm.replayLsn = pm.files.position.lsn
    })
  }

  async recoveryDifference(
    upstream: Upstream | null,
    _role: StandbyRole,
    _signal: AbortSignal,
  ): Promise<RecoveryDifference> {
    const { postmaster, files } = this.#local.server
    if (!files || postmaster?.phase !== 'ready') return 'none'
    if (!files.standbySignal) return 'restart'
    return files.upstream === upstreamHost(upstream) ? 'none' : 'reload'
  }

  async setSynchronousStandbyNames(text: string | null, signal: AbortSignal): Promise<void> {
    const { files } = this.#local.server
    await pause(this.#local, 1, signal)
    if (!files) return
    files.synchronousStandbyNames = text ?? ''
    reloadServer(this.#local)
    await pause(this.#local, 3, signal)
  }

  async prePromote(signal: AbortSignal): Promise<boolean> {
    await pause(this.#local, 1, signal)
    return true
  }

  fireCallback(_name: CallbackName, _role: Role): void {
    this.callbackAttempted = true
  }

  // -- bootstrap and copies

  hasBootstrapSection(): boolean {
    return true
  }

  async bootstrap(signal: AbortSignal): Promise<boolean> {
    this.setState('initializing new cluster')
    if (!(await initdb(this.#local, signal))) {
      this.setState('initdb failed')
      return false
    }
    return (await this.#start(null, signal)) === 'running'
  }

  async postBootstrap(signal: AbortSignal): Promise<boolean> {
    await pause(this.#local, 100, signal)
    return this.isAlive()
  }

  canCloneWithoutSource(): boolean {
    return false
  }

  async clone(request: CloneRequest, signal: AbortSignal): Promise<boolean> {
    const source = this.#serverOf(request.source)
    this.setState('creating replica')
    this.#identifier = null
    const made = source !== null && (await baseBackup(this.#local, source, signal))
    this.setState('stopped')
    if (made) this.role = 'replica'
    return made
  }

  async removeDataDirectory(): Promise<void> {
    if (this.isAlive()) return
    this.#local.server.files = null
    this.role = 'uninitialized'
  }

  moveDataDirectoryAside(): Promise<void> {
    return this.removeDataDirectory()
  }

  // -- divergence and rewind

  async canRewind(): Promise<boolean> {
    return true
  }

  async localPosition(signal: AbortSignal): Promise<LocalPosition | null> {
    const { server } = this.#local
    if (server.postmaster !== null) {
      const running = await askServer(this.#local, this.#limit(signal), STATEMENT_MS, (pm) => ({
        timeline: pm.files.position.branch.timeline,
        lsn: pm.inRecovery ? pm.replayLsn : pm.files.position.lsn,
        inRecovery: pm.inRecovery,
      }))
      if (running !== null || server.postmaster?.phase !== 'starting') return running
    }
    const control = await this.controlData(signal)
    if (!control || !/^shut down|^in archive recovery/.test(control.clusterState)) return null
    const standby = control.clusterState !== 'shut down' && (control.minRecoveryLsn ?? 0) > 0
    return {
      timeline: (standby ? control.minRecoveryTimeline : control.checkpointTimeline) as Timeline,
      lsn: (standby ? control.minRecoveryLsn : control.checkpointLsn) as Lsn,
      inRecovery: standby,
    }
  }

  async shutdownCheckpointEnd(): Promise<Lsn> {
    const { files } = this.#local.server
    return files?.state === 'shut down' ? files.checkpoint.end : ZERO_LSN
  }

  async rewindSource(upstream: Upstream, signal: AbortSignal): Promise<RewindSource> {
    const source = this.#serverOf(upstream)
    await pause(this.#local, 3, signal)
    const postmaster = source && canReach(this.#local, source) ? source.postmaster : null
    if (!postmaster) return { kind: 'unreachable', reason: 'no connection' }
    if (postmaster.inRecovery) return { kind: 'in-recovery' }
    const { branch } = postmaster.files.position
    return { kind: 'primary', timeline: branch.timeline, history: historyOf(branch) }
  }

  async rewind(upstream: Upstream, signal: AbortSignal): Promise<RewindOutcome> {
    const source = this.#serverOf(upstream)
    if (!source) return { kind: 'failed', reason: 'no such host', sourceHealthy: false }
    return rewindTo(this.#local, source, signal)
  }

  async singleUserRecovery(signal: AbortSignal): Promise<'done' | 'failed'> {
    return (await recoverAlone(this.#local, signal)) ? 'done' : 'failed'
  }

  // -- slots, configuration

  syncSlots(): Promise<readonly string[]> {
    return Promise.resolve([])
  }

  copyLogicalSlots(): Promise<boolean> {
    return Promise.resolve(true)
  }

  scheduleSlotReload(): void {}

  async nudgeWal(signal: AbortSignal): Promise<void> {
    await askServer(this.#local, this.#limit(signal), STATEMENT_MS, (pm) => {
      pm.commits.commit(60, () => {})
    })
  }

  applyConfiguration(): Promise<void> {
    return Promise.resolve()
  }

  onEvent(listener: (event: 'postmaster-ended') => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async #start(timeoutMs: number | null, signal: AbortSignal, launch = newLaunch()): Promise<StartOutcome> {
    this.#launch = launch
    this.setState('starting')
    await pause(this.#local, 10, signal)
    if (launch.cancelled || signal.aborted || !launch.mayLaunch()) {
      this.setState('start failed')
      return 'failed'
    }
    const outcome = await startServer(this.#local, timeoutMs, signal)
    if (outcome === 'running') {
      this.setState('running')
      if (!this.#local.server.postmaster?.inRecovery) this.role = 'primary'
    }
    if (outcome === 'failed') this.setState('start failed')
    return outcome
  }

  async #look(signal: AbortSignal): Promise<ObservationOutcome> {
    const at = this.#local.clock.now()
    const seen = await askServer(this.#local, this.#limit(signal), STATEMENT_MS, (pm) => observation(pm, at))
    if (seen) return { kind: 'observed', observation: seen }
    const { postmaster } = this.#local.server
    if (postmaster?.phase === 'starting' && this.state === 'running') this.setState('starting')
    return { kind: 'unreachable', reason: postmaster ? 'the server does not answer' : 'no server is running' }
  }

  /** A half-rewound directory is not started; when nobody repaired it for a while it makes room for a copy. */
  #isUnfinished(following: boolean): boolean {
    const { server, clock } = this.#local
    if (!server.files?.damaged) {
      this.#refusedSince = null
      return false
    }
    this.#refusedSince ??= clock.now()
    if (following && elapsedMs(this.#refusedSince, clock.now()) >= PATIENCE_MS) server.files = null
    return true
  }

  #ended(): void {
    for (const listener of this.#listeners) listener('postmaster-ended')
  }

  #limit(signal: AbortSignal): { readonly signal: AbortSignal; readonly deadline: Instant } {
    return { signal, deadline: later(this.#local.clock.now(), QUERY_LIMIT_MS) }
  }

  #serverOf(upstream: Upstream | null): PgServer | null {
    const host = upstreamHost(upstream)
    return host === null ? null : (this.#local.around.servers.get(host) ?? null)
  }
}

function upstreamHost(upstream: Upstream | null): string | null {
  return upstream?.kind === 'member' ? upstream.member.name : null
}

interface Launch {
  cancelled: boolean
  readonly mayLaunch: MayLaunch
}

function newLaunch(mayLaunch: MayLaunch = () => true): Launch {
  return { cancelled: false, mayLaunch }
}
