import type { Role } from '../../src/cluster/instance.ts'
import { elapsedMs, type Instant } from '../../src/cluster/time.ts'
import { type Timeline, UNKNOWN_TIMELINE } from '../../src/cluster/timeline.ts'
import type {
  CallbackName,
  CloneRequest,
  FollowRequest,
  MayLaunch,
  Postgres,
  RewindOutcome,
  StartOutcome,
  StopRequest,
  Upstream,
} from '../../src/ports/postgres.ts'
import { askServer, pause } from './context.ts'
import { baseBackup, canReach, initdb, recoverAlone, rewindTo } from './copying.ts'
import { ServerFacts, STATEMENT_MS, upstreamHost } from './facts.ts'
import { promoteServer, reloadServer, startServer, stopServer, takeCheckpoint } from './running.ts'

const PATIENCE_MS = 60_000

/** The port Postgres over a virtual server: to the facts the procedures that take time. */
export class SimPostgres extends ServerFacts implements Postgres {
  #launch: Launch | null = null
  #refusedSince: Instant | null = null

  // -- running it

  startAsPrimary(timeoutMs: number | null, signal: AbortSignal, mayLaunch?: MayLaunch): Promise<StartOutcome> {
    return this.#start(timeoutMs, signal, newLaunch(mayLaunch))
  }

  async follow(request: FollowRequest, signal: AbortSignal): Promise<StartOutcome> {
    const { server } = this.local
    const files = server.files
    if (!files || this.#isUnfinished(request.upstream !== null)) return 'failed'
    files.standbySignal = files.standbySignal || !request.reload
    files.upstream = upstreamHost(request.upstream)
    const roleChanges = this.role !== request.role
    this.role = request.role
    if (request.reload) {
      reloadServer(this.local)
      this.fireCallback(roleChanges ? 'on_role_change' : 'on_reload', request.role)
      return 'running'
    }
    if (server.postmaster !== null) {
      this.setState('restarting')
      const stop: StopRequest = { mode: 'fast', checkpoint: false, limitMs: null, forRestart: true }
      if (!(await stopServer(this.local, stop, signal))) return 'failed'
    }
    files.standbySignal = true
    const outcome = await this.#start(request.timeoutMs, signal)
    if (outcome !== 'failed') this.fireCallback(roleChanges ? 'on_role_change' : 'on_start', request.role)
    return outcome
  }

  async stop(request: StopRequest, signal: AbortSignal): Promise<'stopped' | 'failed'> {
    if (this.isAlive() && !request.forRestart) this.setState('stopping')
    const stopped = await stopServer(this.local, request, signal)
    if (!request.forRestart) this.setState(stopped ? 'stopped' : 'stop failed')
    return stopped ? 'stopped' : 'failed'
  }

  async restart(timeoutMs: number | null, signal: AbortSignal, mayLaunch?: MayLaunch): Promise<StartOutcome> {
    const launch = newLaunch(mayLaunch)
    this.#launch = launch
    this.setState('restarting')
    const stop: StopRequest = { mode: 'fast', checkpoint: true, limitMs: null, forRestart: true }
    if (!(await stopServer(this.local, stop, signal)) || launch.cancelled) return 'failed'
    this.#takeRoleOfFiles()
    return this.#start(timeoutMs, signal, launch)
  }

  async cancelStart(): Promise<void> {
    if (this.#launch) this.#launch.cancelled = true
    const { postmaster } = this.local.server
    if (postmaster?.phase === 'starting') postmaster.stop('immediate')
    await pause(this.local, 5, new AbortController().signal)
  }

  async promote(waitMs: number, signal: AbortSignal, begins?: Timeline): Promise<'promoted' | 'failed'> {
    if (!this.isAlive()) return 'failed'
    this.role = 'promoted'
    this.fireCallback('on_role_change', 'primary')
    const promoted = await promoteServer(this.local, waitMs, signal, begins ?? UNKNOWN_TIMELINE)
    if (promoted) this.role = 'primary'
    return promoted ? 'promoted' : 'failed'
  }

  async checkpoint(signal: AbortSignal): Promise<'done' | 'failed'> {
    return (await takeCheckpoint(this.local, { signal })) ? 'done' : 'failed'
  }

  async resumeReplay(signal: AbortSignal): Promise<void> {
    await askServer(this.local, this.limit(signal), STATEMENT_MS, (pm) => {
      pm.replayPaused = false
      pm.replayLsn = pm.files.position.lsn
    })
  }

  async setSynchronousStandbyNames(text: string | null, signal: AbortSignal): Promise<void> {
    const { files } = this.local.server
    await pause(this.local, 1, signal)
    if (!files) return
    files.synchronousStandbyNames = text ?? ''
    reloadServer(this.local)
    await pause(this.local, 3, signal)
  }

  async prePromote(signal: AbortSignal): Promise<boolean> {
    const { ms, passes } = this.local.server.prePromote
    await pause(this.local, ms, signal)
    return passes
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
    if (!(await initdb(this.local, signal))) {
      this.setState('initdb failed')
      return false
    }
    return (await this.#start(null, signal)) === 'running'
  }

  async postBootstrap(signal: AbortSignal): Promise<boolean> {
    await pause(this.local, 100, signal)
    return this.isAlive()
  }

  canCloneWithoutSource(): boolean {
    return false
  }

  async clone(request: CloneRequest, signal: AbortSignal): Promise<boolean> {
    const source = this.serverOf(request.source)
    this.setState('creating replica')
    this.identifier = null
    const made = source !== null && (await baseBackup(this.local, source, signal))
    this.setState('stopped')
    if (made) this.role = 'replica'
    return made
  }

  async copyObstacle({ source: upstream }: CloneRequest, signal: AbortSignal): Promise<string | null> {
    const source = this.serverOf(upstream)
    await pause(this.local, 3, signal)
    return source && canReach(this.local, source) ? null : 'no connection'
  }

  async removeDataDirectory(): Promise<void> {
    if (this.isAlive()) return
    this.local.server.files = null
    this.role = 'uninitialized'
  }

  moveDataDirectoryAside(): Promise<void> {
    return this.removeDataDirectory()
  }

  // -- divergence and rewind

  async rewind(upstream: Upstream, signal: AbortSignal): Promise<RewindOutcome> {
    const source = this.serverOf(upstream)
    if (!source) return { kind: 'failed', reason: 'no such host', sourceHealthy: false }
    return rewindTo(this.local, source, signal)
  }

  async singleUserRecovery(signal: AbortSignal): Promise<'done' | 'failed'> {
    return (await recoverAlone(this.local, signal)) ? 'done' : 'failed'
  }

  isArchiving(): Promise<boolean> {
    return Promise.resolve(false)
  }

  archiveLatestCheckpoint(): Promise<boolean> {
    return Promise.resolve(false)
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
    await askServer(this.local, this.limit(signal), STATEMENT_MS, (pm) => {
      pm.commits.commit(60, () => {})
    })
  }

  async #start(timeoutMs: number | null, signal: AbortSignal, launch = newLaunch()): Promise<StartOutcome> {
    this.#launch = launch
    this.setState('starting')
    await pause(this.local, 10, signal)
    if (launch.cancelled || signal.aborted || !launch.mayLaunch()) {
      this.setState('start failed')
      return 'failed'
    }
    const outcome = await startServer(this.local, timeoutMs, signal)
    if (outcome === 'running') {
      this.setState('running')
      if (!this.local.server.postmaster?.inRecovery) this.role = 'primary'
    }
    if (outcome === 'failed') this.setState('start failed')
    return outcome
  }

  /** A promotion that was under way is forgotten: the server comes up as the standby that its files make it. */
  #takeRoleOfFiles(): void {
    const found: Role = this.local.server.files?.standbySignal ? 'replica' : 'primary'
    if (found !== 'replica' || this.role !== 'standby_leader') this.role = found
  }

  /** A half-rewound directory is not started; when nobody repaired it for a while it makes room for a copy. */
  #isUnfinished(following: boolean): boolean {
    const { server, clock } = this.local
    if (!server.files?.damaged) {
      this.#refusedSince = null
      return false
    }
    this.#refusedSince ??= clock.now()
    if (following && elapsedMs(this.#refusedSince, clock.now()) >= PATIENCE_MS) server.files = null
    return true
  }
}

interface Launch {
  cancelled: boolean
  readonly mayLaunch: MayLaunch
}

function newLaunch(mayLaunch: MayLaunch = () => true): Launch {
  return { cancelled: false, mayLaunch }
}
