import { type InstanceState, isStarting, type Role } from '../../src/cluster/instance.ts'
import { type Lsn, ZERO_LSN } from '../../src/cluster/lsn.ts'
import { type Instant, later } from '../../src/cluster/time.ts'
import type { Timeline } from '../../src/cluster/timeline.ts'
import type {
  ControlData,
  DataDirectory,
  LocalPosition,
  ObservationOutcome,
  Postgres,
  RecoveryDifference,
  RewindSource,
  ServerRole,
  ShutdownPositions,
  StandbyRole,
  Upstream,
} from '../../src/ports/postgres.ts'
import { EPOCH_MS } from '../engine/clock.ts'
import { askServer, type Local, pause, readFile } from './context.ts'
import { canReach } from './copying.ts'
import { controlData } from './data.ts'
import { observation } from './observe.ts'
import { isReady } from './running.ts'
import type { PgServer } from './server.ts'
import { branchOf, historyOf } from './wal.ts'

const QUERY_LIMIT_MS = 5000
export const STATEMENT_MS = 1.5

/** The agent's side of a virtual server, first half of the port Postgres: what it remembers of it, and facts. */
export class ServerFacts {
  role: Role
  state: InstanceState
  stateSince: Instant
  callbackAttempted = false
  readonly serverVersion = 150004
  readonly removeOnRewindFailure = true
  readonly removeOnDivergedTimelines = true
  readonly pendingRestart = {}
  protected readonly local: Local
  readonly #listeners = new Set<(event: 'postmaster-ended') => void>()
  readonly #unsubscribe: () => void
  #seen: Promise<ObservationOutcome> | null = null
  protected identifier: string | null = null

  /** Adopts what it finds, as an agent does that starts beside a server (spec ha.md 1.4). */
  constructor(local: Local) {
    this.local = local
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

  get useRewind(): boolean {
    return this.local.server.canRewind
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
    this.stateSince = this.local.clock.now()
  }

  isAlive(): boolean {
    return this.local.server.postmaster !== null
  }

  async resolveStarting(signal: AbortSignal): Promise<void> {
    if (!isStarting(this.state)) return
    const answer = await isReady(this.local, signal)
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
    const { files, unmounted } = this.local.server
    if (unmounted) return { kind: 'inaccessible', reason: 'no such file or directory' }
    return files === null ? { kind: 'empty' } : { kind: 'present' }
  }

  controlData(signal: AbortSignal): Promise<ControlData | null> {
    const { server } = this.local
    return readFile(this.local, this.limit(signal), () => server.files && controlData(server.files))
  }

  async systemIdentifier(signal: AbortSignal): Promise<string | null> {
    this.identifier ??= (await this.controlData(signal))?.systemIdentifier ?? null
    return this.identifier
  }

  forgetSystemIdentifier(): void {
    this.identifier = null
  }

  async hasRecoverySignal(): Promise<boolean> {
    return this.local.server.files?.standbySignal ?? false
  }

  async hasBackupLabel(): Promise<boolean> {
    return false
  }

  async localTimelineHistory(t: Timeline): Promise<Awaited<ReturnType<Postgres['localTimelineHistory']>>> {
    const tip = this.local.server.files?.position.branch
    const branch = tip && branchOf(tip, t)
    if (!branch || branch.parent === null) return null
    return {
      switches: historyOf(branch),
      modifiedAt: new Date(EPOCH_MS + Math.floor(branch.createdAt)).toISOString(),
    }
  }

  identifyTimeline(signal: AbortSignal): Promise<Timeline | null> {
    return askServer(this.local, this.limit(signal), STATEMENT_MS, (pm) => pm.files.position.branch.timeline)
  }

  shutdownPositions(signal: AbortSignal): Promise<ShutdownPositions | null> {
    const { server } = this.local
    return readFile(this.local, this.limit(signal), () => {
      if (server.files?.state !== 'shut down') return null
      const { start } = server.files.checkpoint
      return { checkpoint: start, previous: start }
    })
  }

  async canRewind(): Promise<boolean> {
    return this.local.server.canRewind
  }

  async localPosition(signal: AbortSignal): Promise<LocalPosition | null> {
    const { server } = this.local
    if (server.postmaster !== null) {
      const running = await askServer(this.local, this.limit(signal), STATEMENT_MS, (pm) => ({
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
    const { files } = this.local.server
    return files?.state === 'shut down' ? files.checkpoint.end : ZERO_LSN
  }

  async rewindSource(upstream: Upstream, signal: AbortSignal): Promise<RewindSource> {
    const source = this.serverOf(upstream)
    await pause(this.local, 3, signal)
    const postmaster = source && canReach(this.local, source) ? source.postmaster : null
    if (!postmaster) return { kind: 'unreachable', reason: 'no connection' }
    if (postmaster.inRecovery) return { kind: 'in-recovery' }
    const { branch, lsn } = postmaster.files.position
    return { kind: 'primary', timeline: branch.timeline, lsn, history: historyOf(branch) }
  }

  async roleOf(upstream: Upstream, signal: AbortSignal): Promise<ServerRole> {
    const server = this.serverOf(upstream)
    await pause(this.local, 3, signal)
    if (!server || !this.local.around.network.isOpenBothWays(this.local.server.host, server.host)) return 'unknown'
    if (!server.postmaster) return 'not-running'
    if (!canReach(this.local, server)) return 'unknown'
    return server.postmaster.inRecovery ? 'standby' : 'primary'
  }

  async recoveryDifference(
    upstream: Upstream | null,
    _role: StandbyRole,
    _signal: AbortSignal,
  ): Promise<RecoveryDifference> {
    const { postmaster, files } = this.local.server
    if (!files || postmaster?.phase !== 'ready') return 'none'
    if (!files.standbySignal) return 'restart'
    return files.upstream === upstreamHost(upstream) ? 'none' : 'reload'
  }

  onEvent(listener: (event: 'postmaster-ended') => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async #look(signal: AbortSignal): Promise<ObservationOutcome> {
    const at = this.local.clock.now()
    const seen = await askServer(this.local, this.limit(signal), STATEMENT_MS, (pm) => observation(pm, at))
    if (seen) return { kind: 'observed', observation: seen }
    const { postmaster } = this.local.server
    if (postmaster?.phase === 'starting' && this.state === 'running') this.setState('starting')
    return { kind: 'unreachable', reason: postmaster ? 'the server does not answer' : 'no server is running' }
  }

  #ended(): void {
    for (const listener of this.#listeners) listener('postmaster-ended')
  }

  protected limit(signal: AbortSignal): { readonly signal: AbortSignal; readonly deadline: Instant } {
    return { signal, deadline: later(this.local.clock.now(), QUERY_LIMIT_MS) }
  }

  protected serverOf(upstream: Upstream | null): PgServer | null {
    const host = upstreamHost(upstream)
    return host === null ? null : (this.local.around.servers.get(host) ?? null)
  }
}

export function upstreamHost(upstream: Upstream | null): string | null {
  if (upstream === null) return null
  return upstream.kind === 'member' ? upstream.member.name : upstream.standbyCluster.host
}
