import type { Host } from '../world/host.ts'
import type { World } from '../world/world.ts'
import { type Fault, type Scene, victim } from './fault.ts'

export const agentKilled: Fault = (scene) => {
  const host = victim(scene)
  killAgent(scene.world, host, scene.rng.chance(0.5))
  return () => release(scene.world, host)
}

/** SIGKILL. With `held` nobody starts it again before the fault ends. */
export function killAgent(world: World, host: Host, held: boolean): void {
  world.trace.add(host.name, '!!! agent killed')
  if (held) world.heldDown.add(host.name)
  host.agent?.kill()
}

export function release(world: World, host: Host): void {
  world.heldDown.delete(host.name)
  world.startAgent(host)
}

export const agentFrozen: Fault = (scene) => {
  const host = victim(scene)
  const { agent } = host
  if (!agent) return undefined
  scene.world.trace.add(host.name, '!!! agent frozen')
  agent.process.freeze()
  return () => {
    scene.world.trace.add(host.name, '!!! agent thawed')
    agent.process.thaw({ timersFirst: scene.rng.chance(0.5) })
  }
}

export const agentSlow: Fault = ({ world, rng }) => {
  const { agent } = victim({ world, rng })
  if (!agent) return undefined
  world.trace.add(agent.host.name, '!!! agent slow')
  agent.process.slowMs = rng.between(5, 400)
  return () => {
    agent.process.slowMs = 0
  }
}

export const agentStopped: Fault = (scene) => {
  const host = victim(scene)
  scene.world.trace.add(host.name, '!!! agent is told to end')
  scene.world.heldDown.add(host.name)
  host.agent?.terminate()
  return () => release(scene.world, host)
}

export const postmasterKilled: Fault = (scene) => {
  const host = victim(scene)
  scene.world.trace.add(host.name, '!!! postmaster killed')
  host.server.kill()
  return undefined
}

export const postmasterFrozen: Fault = (scene) => {
  const host = victim(scene)
  const { postmaster } = host.server
  if (!postmaster) return undefined
  scene.world.trace.add(host.name, '!!! postmaster frozen')
  postmaster.process.freeze()
  return () => {
    scene.world.trace.add(host.name, '!!! postmaster thawed')
    postmaster.process.thaw({ timersFirst: false })
    scene.world.singleWriter.check()
  }
}

export const hostCrashed: Fault = (scene) => {
  const host = victim(scene)
  crashHost(scene.world, host)
  return () => bootHost(scene.world, host)
}

export function crashHost(world: World, host: Host): void {
  if (!host.isUp) return
  world.trace.add(host.name, '!!! host crashed')
  host.isUp = false
  host.guard.disarm()
  host.agent?.kill()
  host.server.kill()
}

export function bootHost(world: World, host: Host): void {
  if (host.isUp) return
  world.trace.add(host.name, '!!! host boots')
  host.isUp = true
  host.clock.reboot()
  world.startAgent(host)
}

/** The whole machine stands still, guard included, and goes on as if nothing had been. */
export const hostFrozen: Fault = (scene) => {
  const host = victim(scene)
  const thaw = freezeHost(scene, host)
  return thaw
}

export function freezeHost({ world, rng }: Scene, host: Host): () => void {
  const [agent, postmaster] = [host.agent, host.server.postmaster]
  world.trace.add(host.name, '!!! host frozen')
  host.guard.process.freeze()
  agent?.process.freeze()
  postmaster?.process.freeze()
  return () => {
    world.trace.add(host.name, '!!! host thawed')
    // The guard counts suspended time too and is the first to run: a machine that slept wakes up fenced.
    host.guard.process.thaw({ timersFirst: true })
    world.scheduler.after(0, () => {
      agent?.process.thaw({ timersFirst: rng.chance(0.5) })
      postmaster?.process.thaw({ timersFirst: false })
      // The service manager stood still as well.
      if (!world.heldDown.has(host.name)) world.startAgent(host)
      world.singleWriter.check()
    })
  }
}

export const diskHangs: Fault = (scene) => {
  const { server, name } = victim(scene)
  scene.world.trace.add(name, '!!! disk hangs')
  server.disk.hang()
  return () => {
    scene.world.trace.add(name, '!!! disk recovers')
    server.disk.recover()
  }
}

export const diskSlow: Fault = (scene) => {
  const { server, name } = victim(scene)
  scene.world.trace.add(name, '!!! disk slow')
  server.disk.factor = scene.rng.between(2, 30)
  return () => {
    server.disk.factor = 1
  }
}

export const promotionHangs: Fault = (scene) => {
  const { server, name } = scene.rng.pick([...scene.world.hosts.values()])
  scene.world.trace.add(name, '!!! promotions hang')
  server.promotionHangs = true
  return () => {
    server.promotionHangs = false
  }
}

export const replayLags: Fault = (scene) => {
  const { server } = scene.rng.pick([...scene.world.hosts.values()])
  server.replayDelayMs = scene.rng.between(100, 5000)
  return () => {
    server.replayDelayMs = 0
  }
}
