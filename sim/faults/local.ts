import { isVoter } from '../../src/cluster/sync-state.ts'
import { viewFromKeys } from '../../src/cluster/view.ts'
import type { PgServer } from '../pg/server.ts'
import { includes } from '../pg/wal.ts'
import type { Host } from '../world/host.ts'
import type { World } from '../world/world.ts'
import { type Fault, primaryOf, victim } from './fault.ts'

/** A new disk: the server ends, and nothing is left of its data. Not the primary's unless everybody could take over. */
export const dataLost: Fault = (scene) => {
  const { server, name } = victim(scene)
  const { world } = scene
  const primary = primaryOf(world)
  if (server.unmounted || !primary) return undefined
  if (primary.server === server && !everybodyCanFollow(world, server)) return undefined
  world.trace.add(name, '!!! its data are lost')
  world.handsIn(['lost rows', 'healing alone'])
  server.kill()
  server.files = null
  return undefined
}

function everybodyCanFollow(world: World, { files, host: leader }: PgServer): boolean {
  const { sync } = viewFromKeys(world.store.tree.keys)
  return [...world.hosts.values()].every(({ name, server }) => {
    const has = files !== null && server.files !== null && includes(server.files.position, files.position)
    return has && (name === leader || !world.isSynchronous || isVoter(sync, name))
  })
}

/** The file system of the data directory is not there for a while. */
export const dataAway: Fault = (scene) => {
  const host = victim(scene)
  return host.server.unmounted ? undefined : unmount(scene.world, host)
}

/** @returns what brings it back */
export function unmount(world: World, { server, name }: Host): () => void {
  world.trace.add(name, '!!! its data directory is not accessible')
  server.kill()
  server.unmounted = { files: server.files }
  server.files = null
  return () => {
    world.trace.add(name, '!!! its data directory is back')
    server.kill()
    server.files = server.unmounted?.files ?? null
    server.unmounted = null
  }
}

export const prePromoteSlow: Fault = ({ world, rng }) => {
  const { server, name } = rng.pick([...world.hosts.values()])
  world.trace.add(name, '!!! pre_promote takes its time')
  server.prePromote = { ms: rng.exponential(8000), passes: true }
  return () => {
    server.prePromote = { ms: 1, passes: true }
  }
}

export const prePromoteFails: Fault = ({ world, rng }) => {
  const { server, name } = rng.pick([...world.hosts.values()])
  world.trace.add(name, '!!! pre_promote fails')
  server.prePromote = { ms: 100, passes: false }
  return () => {
    server.prePromote = { ms: 1, passes: true }
  }
}

/** The guard has ended and cannot be started. Until the agent has noticed nobody stops the server in its place. */
export const guardBroken: Fault = (scene) => {
  const { guard, name } = victim(scene)
  scene.world.trace.add(name, '!!! the lease guard is broken')
  // Where commits wait for nobody, two writers lose what one of them takes.
  scene.world.handsIn(scene.world.isSynchronous ? ['two writers'] : ['two writers', 'lost rows'])
  guard.break()
  return () => {
    scene.world.trace.add(name, '!!! the lease guard works again')
    guard.repair()
  }
}
