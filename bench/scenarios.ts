import { spawnSync } from 'node:child_process'
import type { Cluster } from '../lab/cluster.ts'
import { dualWriteMs, longestGap } from '../lab/ledger.ts'
import type { Member, Timing } from '../lab/member.ts'
import { processTitle, processTree, resourceUse } from '../lab/processes.ts'
import { sleep, until } from '../lab/wait.ts'
import { Writer } from '../lab/writer.ts'

/** What one run of a scenario measured; the unit ends the name. */
export type Figures = Readonly<Record<string, number>>

export interface Bench {
  readonly cluster: Cluster
  readonly timing: Timing
  /** How long the agents are watched at rest. */
  readonly restMs: number
}

export interface Scenario {
  readonly name: string
  /** May be run several times in a row. */
  readonly repeats: boolean
  readonly run: (bench: Bench) => Promise<Figures>
}

const HEAL_MS = 180_000

export const SCENARIOS: readonly Scenario[] = [
  { name: 'rest', repeats: false, run: rest },
  { name: 'health-checks', repeats: false, run: healthChecks },
  { name: 'switchover', repeats: true, run: switchover },
  { name: 'crash-restart', repeats: true, run: crashRestart },
  { name: 'crash-failover', repeats: true, run: crashFailover },
  { name: 'host-lost', repeats: true, run: hostLost },
  { name: 'host-silent', repeats: true, run: hostSilent },
  { name: 'agent-killed', repeats: true, run: agentKilled },
  { name: 'agent-frozen', repeats: true, run: agentFrozen },
]

export async function bootstrap(cluster: Cluster): Promise<Figures> {
  const { writableMs, streamingMs } = await cluster.bootstrap(HEAL_MS)
  return { firstWritableMs: Math.round(writableMs), allStreamingMs: Math.round(streamingMs) }
}

/** Agents with nothing to do: memory, processor, requests to the store. */
async function rest({ cluster, restMs }: Bench): Promise<Figures> {
  await sleep(5000)
  const agents = cluster.members.flatMap((member) => (member.agentPid === null ? [] : [member.agentPid]))
  const own = agents.map((pid) => processTree(pid).filter((each) => !processTitle(each).includes('postgres')))
  const cpu = (): readonly number[] => own.map((pids) => sum(pids.map((pid) => resourceUse(pid).cpuMs)))
  const [cpuBefore, storeBefore] = [cpu(), await cluster.store.requestsServed()]
  await sleep(restMs)
  const [cpuAfter, storeAfter] = [cpu(), await cluster.store.requestsServed()]
  const perMinute = (count: number): number => Math.round((count * 60_000) / restMs)
  const methods = [
    'Range',
    'Txn',
    'Put',
    'DeleteRange',
    'LeaseGrant',
    'LeaseTimeToLive',
    'LeaseKeepAlive messages',
    'Watch messages',
  ]
  const requests = methods.map((method) => (storeAfter?.get(method) ?? 0) - (storeBefore?.get(method) ?? 0))
  return {
    pssMb: tenths(Math.max(...own.map((pids) => sum(pids.map((pid) => resourceUse(pid).pssKb)))) / 1024),
    anonymousMb: tenths(Math.max(...own.map((pids) => sum(pids.map((pid) => resourceUse(pid).anonymousKb)))) / 1024),
    cpuMsPerMinute: perMinute(Math.max(...cpuAfter.map((after, i) => after - (cpuBefore[i] ?? 0)))),
    ...(storeAfter ? { storeRequestsPerMinute: perMinute(sum(requests)) } : {}),
  }
}

/** Answers of the leader's REST server to a load balancer's question, from 16 connections, on one core of ours. */
async function healthChecks({ cluster }: Bench): Promise<Figures> {
  const leader = await cluster.healthy(HEAL_MS)
  const { stdout, error } = spawnSync('wrk', ['-t1', '-c16', '-d5s', '--latency', `${leader.apiUrl}/primary`], {
    encoding: 'utf8',
  })
  if (error) throw new Error('wrk is missing (apt-get install wrk)')
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1] ?? Number.NaN)
  const [, amount, unit] = /^\s+99%\s+([\d.]+)(us|ms|s)/m.exec(stdout) ?? []
  const scale = { us: 0.001, ms: 1, s: 1000 }[unit ?? ''] ?? Number.NaN
  return { perSecond: Math.round(perSecond), p99Ms: tenths(Number(amount) * scale) }
}

async function switchover({ cluster }: Bench): Promise<Figures> {
  const { figures } = await probe(cluster, {
    act: async (old) => {
      const to = cluster.members.find((member) => member !== old)
      const answer = await old.rest('POST', '/switchover', { leader: old.name, candidate: to?.name }, 60_000)
      if (answer?.status !== 200) throw new Error(`switchover: ${answer?.status} ${answer?.text}`)
    },
  })
  return figures
}

async function crashRestart({ cluster }: Bench): Promise<Figures> {
  return (await probe(cluster, { act: async (old) => old.killPostmaster(), inPlace: true })).figures
}

async function crashFailover({ cluster, timing }: Bench): Promise<Figures> {
  const leader = await cluster.healthy(HEAL_MS)
  await leader.rest('PATCH', '/config', { primary_start_timeout: 0 })
  await sleep((timing.loopWait + 2) * 1000)
  try {
    return (await probe(cluster, { act: async (old) => old.killPostmaster() })).figures
  } finally {
    const now = await cluster.healthy(HEAL_MS)
    await now.rest('PATCH', '/config', { primary_start_timeout: null })
  }
}

function hostLost({ cluster }: Bench): Promise<Figures> {
  return loseHost(cluster, { act: (old) => old.killHost() })
}

/** The host neither refuses connections nor answers them: whoever asks it has to wait. */
function hostSilent({ cluster }: Bench): Promise<Figures> {
  return loseHost(cluster, { act: async (old) => old.freezeHost(), after: (old) => old.killHost() })
}

/** Of a primary that also leads the store, if a member does. The gap, and the part of it after the store had ended the lease: before that nobody may take over. */
async function loseHost(cluster: Cluster, loss: Pick<Probe, 'act' | 'after'>): Promise<Figures> {
  let leaseEnd = Number.NaN
  const { figures, firstWriteAt } = await probe(cluster, {
    ...loss,
    before: (old) => cluster.store.leadFrom(old.config),
    act: async (old) => {
      await loss.act(old)
      const key = cluster.key('leader')
      await until('the lease ends', HEAL_MS, async () => (await cluster.store.get(key)) !== old.name)
      leaseEnd = performance.now()
    },
  })
  return { ...figures, afterLeaseMs: Math.round(firstWriteAt - leaseEnd) }
}

/** Only the agent of the primary dies. PostgreSQL goes on: for how long do two servers take writes? */
async function agentKilled({ cluster, timing }: Bench): Promise<Figures> {
  const { figures } = await probe(cluster, {
    act: async (old) => {
      old.signalAgent('SIGKILL')
      await old.agentEnd()
    },
    watchMs: (timing.ttl + 5) * 1000,
  })
  return figures
}

async function agentFrozen({ cluster, timing }: Bench): Promise<Figures> {
  const { figures } = await probe(cluster, {
    act: async (old) => old.signalAgent('SIGSTOP'),
    watchMs: timing.ttl * 500,
    after: async (old) => old.signalAgent('SIGCONT'),
  })
  return figures
}

interface Probe {
  readonly before?: (old: Member) => Promise<void>
  readonly act: (old: Member) => Promise<void>
  /** The same member is expected to come back. */
  readonly inPlace?: boolean
  /** How long to go on writing after writes were possible again. */
  readonly watchMs?: number
  readonly after?: (old: Member) => Promise<void>
}

interface Measured {
  readonly figures: Figures
  /** When the first write after the event was acknowledged. */
  readonly firstWriteAt: number
}

/** Writes to every member while something happens to the primary. */
async function probe(
  cluster: Cluster,
  { before, act, inPlace = false, watchMs = 1000, after }: Probe,
): Promise<Measured> {
  const old = await cluster.healthy(HEAL_MS)
  await before?.(old)
  const writer = await Writer.start(cluster)
  await sleep(1500)
  const since = performance.now()
  await act(old)
  const first = await until('writes go on', HEAL_MS, () => {
    if (!inPlace) return writer.acknowledged.find((row) => row.sentAt > since && row.node !== old.name)
    const gap = longestGap(writer.acknowledged, since)
    // A restart in place takes hardly more than 100 ms; between two writes there are some 10.
    return gap.ms > 60 && writer.firstWrite(old.name, gap.from)
  })
  await sleep(watchMs)
  await after?.(old)
  await writer.stop()
  const healing = performance.now()
  for (const member of cluster.members) if (!member.isRunning) await member.start()
  await cluster.healthy(HEAL_MS)
  const account = await writer.account()
  const figures = {
    gapMs: Math.round(longestGap(writer.acknowledged, since).ms),
    dualWriteMs: Math.round(dualWriteMs(writer.acknowledged, old.name, first.node, since)),
    healedMs: Math.round(performance.now() - healing),
    acknowledged: account.acknowledged,
    lost: account.lost.length,
  }
  return { figures, firstWriteAt: first.at }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10
}
