import { printFailoverRequest } from '../../src/cluster/failover-request.ts'
import { type JsonObject, printJson } from '../../src/cluster/json.ts'
import { failsafeMembers, KEYS, viewFromKeys } from '../../src/cluster/view.ts'
import { reinitialize } from '../../src/ha/reinitialize.ts'
import { beginRestart } from '../../src/ha/restart.ts'
import type { Host } from '../world/host.ts'
import { openRemoteCopy, REMOTE } from '../world/remote.ts'
import type { World } from '../world/world.ts'
import { type Fault, primaryOf, victim } from './fault.ts'

/** Runs something in an agent's process as its REST server would. */
function inAgent(host: Host, run: () => Promise<unknown>): void {
  host.agent?.process.deliver(() => void run())
}

export function requestSwitchover(world: World, from: Host, to: Host | null): void {
  world.trace.add(from.name, `!!! switchover to ${to?.name ?? 'anybody'}`)
  const request = { leader: from.name, candidate: to?.name ?? null, scheduledAt: null }
  world.store.tree.put(KEYS.failover, printJson(printFailoverRequest(request)), null, null)
  from.agent?.wake()
}

export const switchover: Fault = ({ world, rng }) => {
  const from = primaryOf(world)
  if (!from) return undefined
  const { sync } = viewFromKeys(world.store.tree.keys)
  const others = [...world.hosts.values()].filter(
    (host) => host !== from && (sync.leader === null || sync.voters.includes(host.name)),
  )
  // The candidate that is named gets the lock however far it is, if the leader is gone before it could refuse.
  if (!world.isSynchronous) world.handsIn(['lost rows'])
  requestSwitchover(world, from, others.length > 0 && rng.chance(0.6) ? rng.pick(others) : null)
  return undefined
}

/**
 * Only in asynchronous mode: elsewhere it is an order to lose what the candidate does not have. A candidate that the failsafe
 * record does not name stands back by itself, and says for whom: the order would say that he is gone, so the operator looks.
 */
export const manualFailover: Fault = ({ world, rng }) => {
  if (world.isSynchronous) return undefined
  const to = rng.pick([...world.hosts.values()])
  const asked = failsafeMembers(viewFromKeys(world.store.tree.keys))
  if (asked === null || to.name in asked || !primaryOf(world)) orderFailover(world, to)
  return undefined
}

/** What the candidate does not have is lost, at the operator's risk. */
export function orderFailover(world: World, to: Host): void {
  world.trace.add(to.name, '!!! a failover to it is ordered')
  world.handsIn(['lost rows'])
  const request = { leader: null, candidate: to.name, scheduledAt: null }
  world.store.tree.put(KEYS.failover, printJson(printFailoverRequest(request)), null, null)
  primaryOf(world)?.agent?.wake()
}

export const restart: Fault = (scene) => {
  const host = victim(scene)
  const { agent } = host
  if (!agent) return undefined
  scene.world.trace.add(host.name, '!!! restart requested')
  inAgent(host, () =>
    agent.ha.mutex.run(() => {
      beginRestart(agent.ha, null)
      return Promise.resolve()
    }),
  )
  return undefined
}

export const reinitialized: Fault = (scene) => {
  const host = victim(scene)
  const { agent } = host
  if (!agent) return undefined
  scene.world.trace.add(host.name, '!!! reinitialize requested')
  const request = { force: scene.rng.chance(0.5), fromLeader: scene.rng.chance(0.5) }
  inAgent(host, () => reinitialize(agent.ha, request, new AbortController().signal))
  return undefined
}

/** In a paused cluster safety is the operator's business. */
export const paused: Fault = ({ world }) => {
  world.trace.add('store', '!!! paused')
  setPause(world, true)
  return () => {
    world.trace.add('store', '!!! resumed')
    setPause(world, false)
  }
}

/**
 * Whoever paused the cluster resumes it in the end, also where an old copy of the store has brought the pause back, or where
 * the store was wiped before the members had heard of the end of the pause: it is in force until they are told.
 */
export function endPause(world: World): void {
  const { config } = viewFromKeys(world.store.tree.keys)
  const inForce = config ? [config.document] : [...world.hosts.values()].map((host) => host.dynamicConfig)
  if (inForce.some((document) => document?.['pause'] === true)) setPause(world, false)
}

export function setPause(world: World, on: boolean): void {
  world.handsIn(['two writers', 'lost rows', 'timeline twice'])
  const { config } = viewFromKeys(world.store.tree.keys)
  const remembered = [...world.hosts.values()].find((host) => host.dynamicConfig)?.dynamicConfig
  const { pause: _, ...rest } = config?.document ?? remembered ?? world.options.dynamicConfig
  writeConfig(world, on ? { ...rest, pause: true } : rest)
}

function writeConfig(world: World, document: JsonObject): void {
  world.store.tree.put(KEYS.config, printJson(document), null, null)
}

/** Another site becomes the primary one: this cluster copies from there. It needs pg_rewind for that, which nothing replaces. */
export const becomesStandbyCluster: Fault = ({ world }) => {
  const source = primaryOf(world)
  const { config } = viewFromKeys(world.store.tree.keys)
  if (world.remote || !source?.server.files || !source.server.canRewind || !config?.valid) return undefined
  world.trace.add('store', '!!! another site took over, this is a standby cluster now')
  world.handsIn(['two writers', 'lost rows', 'timeline twice', 'mixed histories'])
  world.remote = openRemoteCopy(world.around, source.server.files)
  writeConfig(world, { ...config.document, standby_cluster: { host: REMOTE, port: 5432 } })
  return undefined
}

export const restartScheduled: Fault = (scene) => {
  const host = victim(scene)
  const { agent } = host
  if (!agent || agent.ha.memory.restart.scheduled) return undefined
  scene.world.trace.add(host.name, '!!! restart scheduled')
  agent.ha.memory.restart.scheduled = {
    at: new Date(host.clock.wallMs() + scene.rng.between(0, 30_000)).toISOString(),
    request: {},
    role: null,
    postgresVersion: null,
    restartPending: false,
    timeoutMs: null,
    postmasterStartTime: host.server.postmaster?.startTime ?? null,
  }
  return undefined
}

export const FOREIGN_IDENTIFIER = '7999999999999999999'

/** Somebody puts the identifier of another cluster into the store, and takes it back. */
export const systemIdentifierOverwritten: Fault = ({ world }) => {
  const { tree } = world.store
  const before = tree.keys.get(KEYS.initialize)
  if (!before || before.text === FOREIGN_IDENTIFIER) return undefined
  world.trace.add('store', '!!! another system identifier')
  world.handsIn(['lost rows'])
  tree.put(KEYS.initialize, FOREIGN_IDENTIFIER, null, null)
  return () => {
    world.trace.add('store', '!!! the system identifier is back')
    tree.put(KEYS.initialize, before.text, null, null)
  }
}

/**
 * The site that was copied is lost; an operator makes the copy a cluster of its own. Not while every copy is just being
 * rewound from there: then everything is lost, and only a backup is left.
 */
export const standbyClusterPromoted: Fault = ({ world }) => {
  const { remote } = world
  const { config } = viewFromKeys(world.store.tree.keys)
  if (!remote || !config?.valid) return undefined
  if (![...world.hosts.values()].some(({ server }) => server.postmaster?.phase === 'ready')) return undefined
  world.trace.add('store', '!!! the remote primary is lost, the standby cluster becomes a cluster of its own')
  world.handsIn(['lost rows'])
  remote.kill()
  world.remote = null
  const { standby_cluster: _, ...rest } = config.document
  writeConfig(world, rest)
  return undefined
}

export const bulkLoad: Fault = ({ world, rng }) => {
  const primary = primaryOf(world)
  if (world.remote) world.writer.write(world.remote, rng.int(1e5, 3e7))
  else if (primary) world.writer.write(primary.server, rng.int(1e5, 3e7))
  return undefined
}

export const wallClockSet: Fault = (scene) => {
  const host = victim(scene)
  const offset = scene.rng.pick([-300_000, -3_600_000, 300_000, 86_400_000])
  scene.world.trace.add(host.name, `!!! wall clock set by ${offset} ms`)
  host.clock.wallOffsetMs += offset
  return undefined
}
