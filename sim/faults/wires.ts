import { STORE } from '../store/service.ts'
import { REMOTE } from '../world/remote.ts'
import type { World } from '../world/world.ts'
import { type Fault, twoHosts, victim } from './fault.ts'

function all(undo: readonly (() => void)[]): () => void {
  return () => undo.forEach((one) => one())
}

function everybodyBut(world: World, name: string): readonly string[] {
  const outside = world.remote ? [STORE, REMOTE] : [STORE]
  return [...outside, ...[...world.hosts.keys()].filter((other) => other !== name)]
}

/** Cut off from everybody and everything. */
export function isolate(world: World, name: string): () => void {
  world.trace.add(name, '!!! isolated')
  const others = everybodyBut(world, name)
  const undo = all(others.map((other) => world.network.cutBothWays(name, other)))
  return () => {
    world.trace.add(name, '!!! no longer isolated')
    undo()
  }
}

export const memberIsolated: Fault = (scene) => isolate(scene.world, victim(scene).name)

export const membersParted: Fault = (scene) => {
  const pair = twoHosts(scene)
  if (!pair) return undefined
  scene.world.trace.add(pair[0].name, `!!! cut from ${pair[1].name}`)
  return scene.world.network.cutBothWays(pair[0].name, pair[1].name)
}

export const memberWithoutStore: Fault = (scene) => {
  const { name } = victim(scene)
  scene.world.trace.add(name, '!!! cut from the store')
  return scene.world.network.cutBothWays(name, STORE)
}

export const oneWayCut: Fault = (scene) => {
  const { world, rng } = scene
  const { name } = victim(scene)
  const peer = world.remote && rng.chance(0.3) ? REMOTE : twoHosts(scene)?.find((host) => host.name !== name)?.name
  const other = rng.chance(0.5) ? STORE : (peer ?? STORE)
  const [from, to] = rng.chance(0.5) ? [name, other] : [other, name]
  world.trace.add(from, `!!! nothing arrives at ${to}`)
  return world.network.cut(from, to)
}

export const badWire: Fault = (scene) => {
  const { world, rng } = scene
  const { name } = victim(scene)
  const trouble = { delayMs: rng.exponential(150), loss: rng.chance(0.5) ? rng.between(0, 0.4) : 0 }
  world.trace.add(name, `!!! bad wire: ${trouble.delayMs.toFixed(0)} ms, loss ${trouble.loss.toFixed(2)}`)
  const others = everybodyBut(world, name)
  return all(
    others.flatMap((other) => [
      world.network.degrade(name, other, trouble),
      world.network.degrade(other, name, trouble),
    ]),
  )
}
