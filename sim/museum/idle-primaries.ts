import { killAgent } from '../faults/processes.ts'
import type { Scenario, Stage } from '../scenario.ts'
import type { Host } from '../world/host.ts'

/** Within this time the lock of a primary that serves nobody is somebody else's. */
const PATIENCE_MS = 180_000

function takenOver(stage: Stage, idle: Host): () => boolean {
  return () => [...stage.world.hosts.values()].some((host) => host !== idle && host.server.isWritable)
}

const NO_LIMIT = { primary_start_timeout: 100_000 }

export const hangingPromotion: Scenario = {
  name: 'a promotion hangs',
  config: { primary_start_timeout: 30 },
  guard: {
    name: 'a promotion may take as long as a start',
    out: { options: { dynamicConfig: { ttl: 20, loop_wait: 5, retry_timeout: 5, ...NO_LIMIT } } },
  },
  async play(stage) {
    const { world, leader, standbys } = stage
    for (const host of standbys) host.server.promotionHangs = true
    killAgent(world, leader, true)
    leader.server.kill()
    await stage.until('somebody else has the lock', () => standbys.some((host) => host.name === stage.holder))
    const idle = standbys.find((host) => host.name === stage.holder) ?? leader
    for (const host of standbys) if (host !== idle) host.server.promotionHangs = false
    await stage.until('another one is the primary', takenOver(stage, idle), PATIENCE_MS)
    idle.server.promotionHangs = false
    world.heldDown.clear()
    world.startAgent(leader)
    await stage.settled()
  },
}

export const stoppedPostmaster: Scenario = {
  name: 'the postmaster of the primary is stopped by a signal',
  config: { primary_start_timeout: 30 },
  guard: {
    name: 'a primary that serves nobody loses the lock',
    out: { options: { dynamicConfig: { ttl: 20, loop_wait: 5, retry_timeout: 5, ...NO_LIMIT } } },
  },
  async play(stage) {
    const { leader } = stage
    const { postmaster } = leader.server
    postmaster?.process.freeze()
    await stage.until('another one is the primary', takenOver(stage, leader), PATIENCE_MS)
    postmaster?.process.thaw({ timersFirst: false })
    stage.world.singleWriter.check()
    await stage.settled()
  },
}

export const hangingDisk: Scenario = {
  name: 'the disk of the primary hangs',
  config: { primary_start_timeout: 30 },
  guard: {
    name: 'a primary that serves nobody loses the lock',
    out: { options: { dynamicConfig: { ttl: 20, loop_wait: 5, retry_timeout: 5, ...NO_LIMIT } } },
  },
  async play(stage) {
    const { leader } = stage
    leader.server.disk.hang()
    await stage.until('another one is the primary', takenOver(stage, leader), PATIENCE_MS)
    leader.server.disk.recover()
    await stage.settled()
  },
}
