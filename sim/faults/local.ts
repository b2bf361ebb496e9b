import type { PgServer } from '../pg/server.ts'
import { includes } from '../pg/wal.ts'
import type { World } from '../world/world.ts'
import { type Fault, primaryOf, victim } from './fault.ts'

/** A new disk: the server ends, and nothing is left of its data. Not the primary's where somebody lacks a part of them. */
export const dataLost: Fault = (scene) => {
  const { server, name } = victim(scene)
  const { world } = scene
  const primary = primaryOf(world)
  if (server.unmounted || !primary) return undefined
  if (primary.server === server && !everybodyHas(world, server)) return undefined
  world.trace.add(name, '!!! its data are lost')
  world.handsIn(['lost rows'])
  server.kill()
  server.files = null
  return undefined
}

function everybodyHas(world: World, { files }: PgServer): boolean {
  const all = [...world.hosts.values()].map(({ server }) => server.files)
  return files !== null && all.every((one) => one !== null && includes(one.position, files.position))
}

/** The file system of the data directory is not there for a while. */
export const dataAway: Fault = (scene) => {
  const { server, name } = victim(scene)
  const { world } = scene
  if (server.unmounted) return undefined
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
  scene.world.handsIn(['two writers'])
  guard.break()
  return () => {
    scene.world.trace.add(name, '!!! the lease guard works again')
    guard.repair()
  }
}
