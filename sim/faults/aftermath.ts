import { printJson } from '../../src/cluster/json.ts'
import { isSystemIdentifier, KEYS, viewFromKeys } from '../../src/cluster/view.ts'
import { REMOTE } from '../world/remote.ts'
import type { World } from '../world/world.ts'
import { endPause } from './operator.ts'

/**
 * What an operator finds when the faults are over, and no program can decide for him: a pause that is left, a cluster that
 * follows another site or does not although it is not that way any more, data of another cluster.
 */
export function putRight(world: World): void {
  endPause(world)
  endStandbyConfusion(world)
  removeForeignData(world)
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
