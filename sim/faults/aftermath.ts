import { printJson } from '../../src/cluster/json.ts'
import { clusterSettings, DEFAULT_TIMING } from '../../src/cluster/settings.ts'
import { isSystemIdentifier, KEYS, viewFromKeys } from '../../src/cluster/view.ts'
import { REMOTE } from '../world/remote.ts'
import type { World } from '../world/world.ts'
import { primaryOf } from './fault.ts'
import { endPause, orderFailover } from './operator.ts'

/**
 * What an operator finds when the faults are over, and no program can decide for him: a pause that is left, a cluster that
 * follows another site or does not although it is not that way any more, data of another cluster.
 */
export function putRight(world: World): void {
  endPause(world)
  endStandbyConfusion(world)
  removeForeignData(world)
}

/**
 * The members stand back, because what the store says of the last leader (it was put back from a backup, or wiped), whose
 * copy is left (a disk was lost) or how far the leader had got (`maximum_lag_on_failover`) does not show that anybody has
 * enough. Who is on call orders a failover to the best copy, also where its tags forbid it otherwise.
 * @returns whether there was something to order
 */
export function sayWhichCopyCounts(world: World): boolean {
  const best = bestCopy(world)
  if (!best || world.remote || primaryOf(world)) return false
  if (!world.exemptions.allows('healing alone') && !isTooFarBehind(world, best.at.lsn)) return false
  const { host } = best
  const { nofailover: _, failover_priority: __, ...tags } = host.tags
  host.tags = tags
  orderFailover(world, host)
  return true
}

function bestCopy(world: World) {
  const copies = [...world.hosts.values()].flatMap((host) =>
    host.server.files && !host.server.files.damaged ? [{ host, at: host.server.files.position }] : [],
  )
  const [best] = copies.sort((a, b) => b.at.branch.timeline - a.at.branch.timeline || b.at.lsn - a.at.lsn)
  return best ?? null
}

/** So much would be lost even with the best copy that the cluster's own limit says: not without a human being. */
function isTooFarBehind(world: World, lsn: number): boolean {
  const { config, status } = viewFromKeys(world.store.tree.keys)
  if (!config?.valid) return false
  const { maximumLagOnFailover } = clusterSettings(config.document, DEFAULT_TIMING)
  return status.lastLsn - lsn > maximumLagOnFailover
}

/** An old copy of the store has brought back `standby_cluster`, or taken it away: whoever changed it does so again. */
function endStandbyConfusion(world: World): void {
  const { config } = viewFromKeys(world.store.tree.keys)
  if (!config?.valid) return
  const { standby_cluster: standby, ...rest } = config.document
  if ((standby !== undefined) === (world.remote !== null)) return
  world.trace.add('store', `!!! this is ${world.remote ? 'a' : 'no'} standby cluster after all`)
  world.handsIn(['two writers', 'lost rows', 'timeline twice', 'mixed histories'])
  const document = world.remote ? { ...rest, standby_cluster: { host: REMOTE, port: 5432 } } : rest
  world.store.tree.put(KEYS.config, printJson(document), null, null)
}

/**
 * A store was wiped while the only member that was there had no data: it made a new cluster, and the others refuse to
 * start beside it. Which of the two is to stay is for a human being to say; here it is the one in the store.
 */
function removeForeignData(world: World): void {
  const { initialize } = viewFromKeys(world.store.tree.keys)
  if (!isSystemIdentifier(initialize) || !world.exemptions.allows('two clusters')) return
  for (const { server, name } of world.hosts.values()) {
    if (!server.files || server.files.systemIdentifier === initialize) continue
    world.trace.add(name, '!!! its data are of another cluster, and are removed')
    world.handsIn(['lost rows'])
    server.kill()
    server.files = null
  }
}
