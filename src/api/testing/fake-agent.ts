import type { JsonObject } from '../../cluster/json.ts'
import { lsn, ZERO_LSN } from '../../cluster/lsn.ts'
import { clusterSettings, DEFAULT_TIMING } from '../../cluster/settings.ts'
import { version } from '../../cluster/stored.ts'
import type { Instant } from '../../cluster/time.ts'
import { timeline, UNKNOWN_TIMELINE } from '../../cluster/timeline.ts'
import { type ClusterView, viewFromKeys } from '../../cluster/view.ts'
import type { RestapiConfig } from '../../config/types.ts'
import type { AgentControl, MemberStatus } from '../../ports/control.ts'
import { type Dcs, DONE, type StoreEvent } from '../../ports/dcs.ts'
import type { Log } from '../../ports/log.ts'
import type { Observation, ObservationOutcome } from '../../ports/postgres.ts'

/** Keys of a store as documents; text stands for itself. */
export function viewOf(keys: JsonObject): ClusterView {
  const stored = Object.entries(keys).map(([key, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    return [key, { text, version: version(`v-${key}`), session: null }] as const
  })
  return viewFromKeys(new Map(stored))
}

export function settingsFrom(document: JsonObject) {
  return clusterSettings(document, DEFAULT_TIMING)
}

const API = (name: string): JsonObject => ({
  conn_url: `postgres://127.0.0.1:5432/postgres`,
  api_url: `http://127.0.0.1:8008/patroni`,
  state: 'running',
  role: name === 'n1' ? 'primary' : 'replica',
  timeline: 1,
})

/** Three healthy members: n1 leads, n2 and n3 follow. */
export const HEALTHY_KEYS: JsonObject = {
  initialize: '7268616322854375442',
  config: { ttl: 30, loop_wait: 10 },
  leader: 'n1',
  status: { optime: 67395656 },
  'members/n1': API('n1'),
  'members/n2': API('n2'),
  'members/n3': API('n3'),
}

/** A status with everything as it should be: the primary n1. Change what matters. */
export function statusOf(changes: Partial<MemberStatus> = {}): MemberStatus {
  return {
    name: 'n1',
    scope: 'demo',
    version: '4.1.4',
    role: 'primary',
    state: 'running',
    holdsLock: true,
    view: viewOf(HEALTHY_KEYS),
    dcsLastSeen: 1692356718,
    settings: settingsFrom({}),
    dynamicConfig: {},
    configuredTags: {},
    effectiveTags: {},
    pendingRestart: {},
    scheduledRestart: null,
    failsafeActive: false,
    watchdogFailed: false,
    systemIdentifier: '7268616322854375442',
    serverVersion: 160004,
    localTimeline: timeline(1),
    nextRunAt: 0 as Instant,
    longAction: null,
    ...changes,
  }
}

/** The same member as a streaming replica n2. */
export function replicaStatus(changes: Partial<MemberStatus> = {}): MemberStatus {
  return statusOf({ name: 'n2', role: 'replica', holdsLock: false, ...changes })
}

export function primarySeen(changes: Partial<Observation> = {}): Observation {
  return {
    at: 0 as Instant,
    inRecovery: false,
    timeline: timeline(1),
    primaryLsn: lsn(67395656),
    receivedLsn: ZERO_LSN,
    replayedLsn: ZERO_LSN,
    replayedAt: null,
    replayPaused: false,
    postmasterStartTime: '2024-08-28 19:39:26.352526+00',
    walReceiver: null,
    walSenders: [],
    slots: [],
    synchronousStandbyNames: '',
    synchronousCommit: 'on',
    hasRestoreCommand: false,
    ...changes,
  }
}

export function replicaSeen(changes: Partial<Observation> = {}): Observation {
  return primarySeen({
    inRecovery: true,
    timeline: UNKNOWN_TIMELINE,
    primaryLsn: ZERO_LSN,
    receivedLsn: lsn(67395656),
    replayedLsn: lsn(67395656),
    replayedAt: '2024-08-28 19:40:00+00',
    walReceiver: { status: 'streaming', slotName: 'n2', timeline: timeline(1), latestEndLsn: lsn(67395656) },
    ...changes,
  })
}

/** What was asked of the agent or the store, in order: a name and what went with it. */
export type Asked = readonly [name: string, detail?: unknown]

export interface FakeAgent extends AgentControl {
  current: MemberStatus
  /** What a look into the server brings; may be replaced by something that hangs. */
  look: () => Promise<ObservationOutcome>
  /** What a fresh read of the store brings. */
  read: () => Promise<ClusterView | null>
  readonly asked: Asked[]
  /** Makes the store tell of a change. */
  tell(event: StoreEvent): void
  answers: Partial<Omit<AgentControl, 'dcs' | 'status' | 'observe' | 'loadView'>>
  store: Partial<Dcs>
}

/** An agent made of values: what it answers is set by the test, what it was asked is written down. */
export function fakeAgent(status: MemberStatus = statusOf(), seen: Observation = primarySeen()): FakeAgent {
  const asked: Asked[] = []
  const listeners = new Set<(event: StoreEvent) => void>()
  const note = (name: string, detail?: unknown): void => {
    asked.push(detail === undefined ? [name] : [name, detail])
  }
  const dcs = {
    writeFailover: async (request, cas, budget) => {
      note('writeFailover', { ...request, version: cas })
      return agent.store.writeFailover?.(request, cas, budget) ?? DONE
    },
    writeConfig: async (document, cas, budget) => {
      note('writeConfig', { document, version: cas })
      return agent.store.writeConfig?.(document, cas, budget) ?? DONE
    },
    onChange: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  } satisfies Partial<Dcs>
  const agent: FakeAgent = {
    current: status,
    look: async () => ({ kind: 'observed', observation: seen }),
    read: async () => agent.current.view,
    asked,
    answers: {},
    store: {},
    tell: (event) => {
      for (const listener of listeners) listener(event)
    },
    dcs: dcs as Partial<Dcs> as Dcs,
    status: () => agent.current,
    observe: (maxAgeMs) => {
      note('observe', maxAgeMs)
      return agent.look()
    },
    loadView: () => {
      note('loadView')
      return agent.read()
    },
    wake: () => note('wake'),
    reload: () => note('reload'),
    restart: async (request, budget) => {
      note('restart', request)
      return agent.answers.restart?.(request, budget) ?? { ok: true, text: 'restarted successfully' }
    },
    scheduleRestart: async (request) => {
      note('scheduleRestart', request)
      return agent.answers.scheduleRestart?.(request) ?? { ok: true, text: '' }
    },
    deleteScheduledRestart: async () => agent.answers.deleteScheduledRestart?.() ?? false,
    reinitialize: async (request, budget) => {
      note('reinitialize', request)
      return agent.answers.reinitialize?.(request, budget) ?? { ok: true, text: 'reinitialize started' }
    },
    switchoverObstacle: async (view, request, budget) =>
      agent.answers.switchoverObstacle?.(view, request, budget) ?? null,
    journal: (sinceMs) => agent.answers.journal?.(sinceMs) ?? [],
    receiveFailsafe: (body) => {
      note('receiveFailsafe', body)
      return agent.answers.receiveFailsafe?.(body) ?? { status: 200, body: 'Accepted', lsn: null }
    },
    terminate: () => note('terminate'),
  }
  return agent
}

/** A log that keeps lines, level first; as usual, details are not asked for. */
export function keptLog(): Log & { readonly lines: string[]; isDebug: boolean } {
  const lines: string[] = []
  const at = (level: string) => (text: string) => {
    lines.push(`${level}: ${text}`)
  }
  return {
    lines,
    isDebug: false,
    debug: at('DEBUG'),
    info: at('INFO'),
    warning: at('WARNING'),
    error: at('ERROR'),
    critical: at('CRITICAL'),
  }
}

export function restConfig(changes: Partial<RestapiConfig> = {}): RestapiConfig {
  return {
    listen: '127.0.0.1:0',
    connectAddress: '127.0.0.1:0',
    authentication: null,
    certfile: null,
    keyfile: null,
    keyfilePassword: null,
    cafile: null,
    ciphers: null,
    verifyClient: 'none',
    allowlist: [],
    allowlistIncludeMembers: false,
    httpExtraHeaders: {},
    httpsExtraHeaders: {},
    requestQueueSize: 512,
    serverTokens: 'original',
    ...changes,
  }
}
