import type { InstanceState, Role } from '../../cluster/instance.ts'
import { type JsonObject, printJson } from '../../cluster/json.ts'
import { type Lsn, lsn, ZERO_LSN } from '../../cluster/lsn.ts'
import { DEFAULT_TIMING, MINIMUM_TIMING } from '../../cluster/settings.ts'
import { type StoredValue, version } from '../../cluster/stored.ts'
import type { Tags } from '../../cluster/tags.ts'
import { type Instant, LONG_AGO, later } from '../../cluster/time.ts'
import { timeline } from '../../cluster/timeline.ts'
import { viewFromKeys } from '../../cluster/view.ts'
import type { Clock } from '../../ports/clock.ts'
import { type Dcs, keysAsRead, type StoreOutcome } from '../../ports/dcs.ts'
import type { Fence } from '../../ports/fence.ts'
import type { CycleRecording } from '../../ports/journal.ts'
import type { PeerStatus } from '../../ports/peers.ts'
import type {
  ControlData,
  DataDirectory,
  Observation,
  Postgres,
  RecoveryDifference,
  RewindSource,
  ServerRole,
  StopRequest,
} from '../../ports/postgres.ts'
import { createHa } from '../create.ts'
import { runCycle } from '../cycle.ts'
import type { CycleResult } from '../messages.ts'
import { replayCycle } from '../replay/replay.ts'
import type { Ha } from '../world.ts'

export const SYSTEM_ID = '7000000000000000001'

type Kind = StoreOutcome['kind']

/** What the local server shows, and what it answers. */
export interface ServerFacts {
  alive: boolean
  role: Role
  state: InstanceState
  inRecovery: boolean
  timeline: number
  lsn: number
  reachable: boolean
  directory: DataDirectory
  systemIdentifier: string | null
  clusterState: string
  recoverySignal: boolean
  callbackAttempted: boolean
  difference: RecoveryDifference
  canRewind: boolean
  bootstrapSection: boolean
  version: number
  rewindSource: RewindSource
  /** Of any other server that is asked itself. */
  remoteRole: ServerRole
  copyObstacle: string | null
  /** As a standby: WAL comes. */
  streams: boolean
  /** As a standby, with its data as they are. */
  starts: boolean
}

/** What the store answers to writes. */
export interface StoreAnswers {
  load: Kind
  acquire: Kind
  renew: Kind
  initialize: Kind
}

/** A healthy cluster of three, seen by `a`; each test says only what is different. */
export class Scene {
  readonly name = 'a'
  readonly log: string[] = []
  /** What was asked of PostgreSQL and the store, in order. */
  readonly calls: string[] = []
  readonly keys = new Map<string, string>()
  readonly peers = new Map<string, PeerStatus>()
  tags: Tags = {}
  fenceWorks = true
  fenceHealthy = true
  nowMs = 1_000_000
  /** 2026-01-02T12:00:00Z */
  wallMs = 1_767_355_200_000
  readonly answers: StoreAnswers = { load: 'done', acquire: 'done', renew: 'done', initialize: 'done' }
  readonly server: ServerFacts = {
    alive: true,
    role: 'replica',
    state: 'running',
    inRecovery: true,
    timeline: 1,
    lsn: 1000,
    reachable: true,
    directory: { kind: 'present' },
    systemIdentifier: SYSTEM_ID,
    clusterState: 'in archive recovery',
    recoverySignal: true,
    callbackAttempted: true,
    difference: 'none',
    canRewind: true,
    bootstrapSection: true,
    version: 150000,
    rewindSource: { kind: 'unreachable', reason: 'nobody there' },
    remoteRole: 'not-running',
    copyObstacle: null,
    streams: true,
    starts: true,
  }
  readonly ha: Ha
  /** Of the last cycle. */
  recording: CycleRecording | null = null

  constructor() {
    this.keys.set('initialize', SYSTEM_ID)
    this.config({})
    for (const name of ['a', 'b', 'c']) this.member(name)
    const { nowMs } = this
    this.nowMs = LONG_AGO
    this.ha = createHa(
      {
        name: this.name,
        clock: this.#clock(),
        random: { next: () => 0 },
        dcs: this.#store(),
        postgres: this.#postgres(),
        peers: {
          statuses: async (members) => members.map(({ name }) => this.peers.get(name) ?? { kind: 'unreachable', name }),
          askFailsafe: async (members) =>
            members.map(({ name }) => ({ name, accepted: this.peers.get(name)?.kind === 'reachable', lsn: null })),
          isAlive: async () => false,
        },
        fence: this.#fence(),
        log: {
          debug: () => {},
          info: (text) => this.log.push(`INFO ${text}`),
          warning: (text) => this.log.push(`WARNING ${text}`),
          error: (text, cause) => this.log.push(`ERROR ${text}${cause instanceof Error ? `: ${cause.stack}` : ''}`),
          critical: (text) => this.log.push(`CRITICAL ${text}`),
        },
        journal: {
          keepsRecordings: true,
          record: () => {},
          endCycle: ({ recording }) => {
            this.recording = recording?.() ?? null
          },
        },
        identity: () => ({
          connUrl: 'postgres://a:5432/postgres',
          apiUrl: 'http://a:8008/patroni',
          proxyUrl: null,
          version: '5.0.0',
          tags: this.tags,
        }),
        minimumTiming: MINIMUM_TIMING,
      },
      {},
      DEFAULT_TIMING,
      () => {},
    )
    this.nowMs = nowMs
  }

  config(settings: JsonObject): this {
    this.keys.set('config', printJson({ ttl: 30, loop_wait: 10, retry_timeout: 10, ...settings }))
    return this
  }

  member(name: string, more: JsonObject = {}): this {
    const role = this.keys.get('leader') === name ? 'primary' : 'replica'
    const urls = { conn_url: `postgres://${name}:5432/postgres`, api_url: `http://${name}:8008/patroni` }
    this.keys.set(`members/${name}`, printJson({ ...urls, state: 'running', role, version: '5.0.0', ...more }))
    return this
  }

  leader(name: string | null): this {
    if (name === null) this.keys.delete('leader')
    else this.keys.set('leader', name)
    for (const member of ['a', 'b', 'c']) if (this.keys.has(`members/${member}`)) this.member(member)
    return this
  }

  /** Nobody has any data yet, and the store knows nothing of the cluster. */
  newCluster(): this {
    this.leader(null).keys.delete('initialize')
    for (const name of ['a', 'b', 'c']) this.member(name, { role: 'uninitialized', state: 'stopped' })
    Object.assign(this.server, { directory: { kind: 'empty' }, alive: false })
    return this
  }

  /** This member is a healthy primary with the lock. */
  primary(): this {
    this.leader('a')
    Object.assign(this.server, {
      role: 'primary',
      inRecovery: false,
      recoverySignal: false,
      clusterState: 'in production',
    })
    this.ha.memory.lease.until = later(this.nowMs as Instant, 20_000)
    this.ha.memory.divergence.state = 'checkpointed'
    return this
  }

  /** The server is not there. */
  stopped(clusterState: string): this {
    Object.assign(this.server, { alive: false, clusterState })
    return this
  }

  request(request: JsonObject): this {
    this.keys.set('failover', printJson(request))
    return this
  }

  peer(name: string, more: Partial<Extract<PeerStatus, { kind: 'reachable' }>> = {}): this {
    this.peers.set(name, {
      kind: 'reachable',
      name,
      inRecovery: true,
      lsn: lsn(1000),
      role: 'replica',
      timeline: timeline(1),
      tags: {},
      watchdogFailed: false,
      ...more,
    })
    return this
  }

  /** Runs one cycle, and whatever it started beside itself. */
  async cycle(): Promise<CycleResult> {
    const result = await runCycle(this.ha, new AbortController().signal)
    for (let i = 0; i < 50; i++) await Promise.resolve()
    if (this.recording !== null) await assertReplays(this.recording)
    return result
  }

  did(call: string): boolean {
    return this.calls.some((one) => one.startsWith(call))
  }

  said(text: string): boolean {
    return this.log.some((line) => line.includes(text))
  }

  #clock(): Clock {
    return {
      now: () => this.nowMs as Instant,
      wallMs: () => this.wallMs,
      sleep: async (ms) => {
        this.nowMs += ms
      },
      deadline: (_deadline, parent) => ({ signal: parent ?? new AbortController().signal, done: () => {} }),
    }
  }

  #fence(): Fence {
    // oxlint-disable-next-line typescript/no-this-alias -- the getters below have a `this` of their own
    const scene = this
    let running = false
    return {
      activate: async () => {
        running = scene.fenceWorks
        return scene.fenceWorks
      },
      get isRunning() {
        return running
      },
      get isHealthy() {
        return scene.fenceHealthy
      },
      keepAlive: async () => {},
      disable: async () => {
        if (running) scene.calls.push('fence off')
        running = false
      },
    }
  }

  #outcome<T>(kind: Kind, value: T): StoreOutcome<T> {
    return kind === 'done' ? { kind, value } : { kind, reason: `the store says ${kind}` }
  }

  #store(): Dcs {
    const done = async (call: string): Promise<StoreOutcome> => {
      this.calls.push(call)
      return { kind: 'done', value: undefined }
    }
    const lease = (): { sentAt: Instant } => ({ sentAt: this.nowMs as Instant })
    const lock = (call: string, kind: Kind): StoreOutcome<{ sentAt: Instant }> => {
      this.calls.push(call)
      if (kind === 'done') this.keys.set('leader', this.name)
      return this.#outcome(kind, lease())
    }
    return {
      load: async () => this.#outcome(this.answers.load, viewFromKeys(this.#stored())),
      acquire: async (_budget, basis = {}) => {
        const stored = this.#stored()
        const isAsRead = keysAsRead(basis).every(([key, seen]) => (stored.get(key)?.version ?? null) === seen)
        return lock('acquire', this.keys.has('leader') || !isAsRead ? 'refused' : this.answers.acquire)
      },
      renew: async () => lock('renew', this.answers.renew),
      take: async () => lock('take', 'done'),
      release: async () => {
        if (this.keys.get('leader') === this.name) this.keys.delete('leader')
        return done('release')
      },
      touchMember: async (data) => {
        this.keys.set(`members/${this.name}`, printJson(data))
        return { kind: 'done', value: undefined }
      },
      writeStatus: async (status) => done(`status ${status.lastLsn}`),
      writeLegacyOptime: async () => done('legacy optime'),
      writeFailsafe: async () => done('failsafe'),
      writeHistory: async (records) => done(`history ${records.length}`),
      writeFailover: async (request) => {
        this.keys.set('failover', request.candidate ? printJson({ member: request.candidate }) : '{}')
        return done('failover')
      },
      writeConfig: async () => done('config'),
      writeSync: async (state) => {
        this.keys.set(
          'sync',
          printJson({ leader: state.leader, quorum: state.quorum, sync_standby: state.voters.join(',') }),
        )
        this.calls.push(`sync ${state.leader}:${state.voters.join(',')}:${state.quorum}`)
        return { kind: 'done', value: version('2') }
      },
      deleteSync: async () => {
        this.keys.delete('sync')
        return done('delete sync')
      },
      writeInitialize: async (value) => {
        this.calls.push(`initialize ${value}`)
        if (this.answers.initialize === 'done') this.keys.set('initialize', value)
        return this.#outcome(this.answers.initialize, undefined)
      },
      deleteInitialize: async () => done('delete initialize'),
      deleteCluster: async () => done('delete cluster'),
      onChange: () => () => {},
      configure: () => {},
      close: async () => {},
    }
  }

  #stored(): Map<string, StoredValue> {
    return new Map([...this.keys].map(([key, text]) => [key, { text, version: version('1'), session: 's' }]))
  }

  #observation(): Observation {
    const { inRecovery, lsn: position } = this.server
    const here = lsn(position)
    return {
      at: this.nowMs as Instant,
      inRecovery,
      timeline: timeline(inRecovery ? 0 : this.server.timeline),
      primaryLsn: inRecovery ? ZERO_LSN : here,
      receivedLsn: inRecovery ? here : ZERO_LSN,
      replayedLsn: inRecovery ? here : ZERO_LSN,
      replayedAt: null,
      replayPaused: false,
      postmasterStartTime: '2026-01-02 11:00:00+00',
      walReceiver:
        inRecovery && this.server.streams
          ? { status: 'streaming', slotName: 'a', timeline: timeline(this.server.timeline), latestEndLsn: here }
          : null,
      walSenders: [],
      slots: [],
      synchronousStandbyNames: '',
      synchronousCommit: 'on',
      hasRestoreCommand: false,
    }
  }

  #control(): ControlData | null {
    if (this.server.directory.kind !== 'present') return null
    const here = lsn(this.server.lsn)
    const on = timeline(this.server.timeline)
    return {
      systemIdentifier: this.server.systemIdentifier ?? '',
      clusterState: this.server.clusterState,
      checkpointLsn: here,
      checkpointTimeline: on,
      minRecoveryLsn: here,
      minRecoveryTimeline: on,
      walLogHints: true,
      dataChecksums: true,
      items: {},
    }
  }

  #postgres(): Postgres {
    // oxlint-disable-next-line typescript/no-this-alias -- the getters below have a `this` of their own
    const scene = this
    const { server, calls } = this
    const act = <T>(call: string, value: T): T => {
      calls.push(call)
      return value
    }
    const run = (role: Role): 'running' => {
      Object.assign(server, { alive: true, state: 'running', role, inRecovery: role !== 'primary' })
      return 'running'
    }
    return {
      get role() {
        return server.role
      },
      get state() {
        return server.state
      },
      stateSince: 0 as Instant,
      setRole: (role) => {
        server.role = role
      },
      setState: (state) => {
        server.state = state
      },
      get callbackAttempted() {
        return server.callbackAttempted
      },
      get serverVersion() {
        return server.version
      },
      isAlive: () => server.alive,
      resolveStarting: async () => {},
      observe: async () =>
        server.reachable && server.alive
          ? { kind: 'observed', observation: scene.#observation() }
          : { kind: 'unreachable', reason: 'no answer' },
      forgetObservation: () => {},
      look: async () => ({ kind: 'unreachable', reason: 'not asked here' }),
      dataDirectory: async () => server.directory,
      controlData: async () => scene.#control(),
      systemIdentifier: async () => server.systemIdentifier,
      forgetSystemIdentifier: () => {},
      hasRecoverySignal: async () => server.recoverySignal,
      hasBackupLabel: async () => false,
      localTimelineHistory: async () => null,
      identifyTimeline: async () => timeline(server.timeline),
      shutdownPositions: async () => ({ checkpoint: lsn(server.lsn), previous: lsn(server.lsn) }),
      pendingRestart: {},
      startAsPrimary: async () => act('start as primary', run('primary')),
      follow: async ({ upstream, role, reload }) => {
        const whom = upstream === null ? 'nobody' : upstream.kind === 'member' ? upstream.member.name : 'remote'
        const what = `${reload ? 'reload' : 'start'} following ${whom} as ${role}`
        return act(what, server.starts ? run(role) : 'failed')
      },
      stop: async (request: StopRequest) => {
        await request.onSafePoint?.()
        const here = lsn(server.lsn)
        await request.onShutdownCheckpoint?.({ checkpoint: here, previous: here })
        server.alive = false
        return act(`stop ${request.mode}`, 'stopped')
      },
      restart: async () => act('restart', 'running'),
      cancelStart: async () => act('cancel start', undefined),
      promote: async () => {
        server.role = 'promoted'
        return act('promote', 'promoted')
      },
      checkpoint: async () => act('checkpoint', 'done'),
      resumeReplay: async () => act('resume replay', undefined),
      recoveryDifference: async () => server.difference,
      setSynchronousStandbyNames: async (text) => act(`names ${text ?? 'none'}`, undefined),
      nudgeWal: async () => {},
      prePromote: async () => act('pre_promote', true),
      fireCallback: (name, role) => act(`${name} ${role}`, undefined),
      hasBootstrapSection: () => server.bootstrapSection,
      bootstrap: async () => act('bootstrap', true),
      postBootstrap: async () => act('post bootstrap', true),
      canCloneWithoutSource: () => false,
      clone: async () => act('clone', true),
      copyObstacle: async () => server.copyObstacle,
      removeDataDirectory: async () => act('remove data directory', undefined),
      moveDataDirectoryAside: async () => act('move data directory aside', undefined),
      canRewind: async () => server.canRewind,
      useRewind: true,
      removeOnRewindFailure: false,
      removeOnDivergedTimelines: false,
      localPosition: async () => ({
        timeline: timeline(server.timeline),
        lsn: lsn(server.lsn),
        inRecovery: server.inRecovery,
      }),
      shutdownCheckpointEnd: async (): Promise<Lsn> => lsn(server.lsn),
      rewindSource: async () => server.rewindSource,
      roleOf: async () => server.remoteRole,
      rewind: async () => act('rewind', { kind: 'done' }),
      singleUserRecovery: async () => act('single user recovery', 'done'),
      isArchiving: async () => false,
      archiveLatestCheckpoint: async () => act('archive checkpoint', true),
      syncSlots: async () => [],
      copyLogicalSlots: async () => true,
      scheduleSlotReload: () => {},
      onEvent: () => () => {},
    }
  }
}

/** Whatever a scene shows, its recording shows again, written down as text and read back. */
async function assertReplays(recording: CycleRecording): Promise<void> {
  const replay = await replayCycle(JSON.parse(JSON.stringify(recording)) as CycleRecording)
  if (replay.same) return
  const unanswered = replay.unanswered.join(', ')
  throw new Error(`${JSON.stringify(recording['result'])} became "${replay.result.text}"; not answered: ${unanswered}`)
}
