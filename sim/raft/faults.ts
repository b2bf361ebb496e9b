import { addressOf } from '../../src/raft/replica/identity.ts'
import type { Rng } from '../engine/random.ts'
import type { SimMember } from './member.ts'
import { makeCampaign, shortReigns } from './reigns.ts'
import type { RaftWorld } from './world.ts'

type Fault = (world: RaftWorld, rng: Rng) => void

const any = (world: RaftWorld, rng: Rng): SimMember => rng.pick(world.members)
const later = (world: RaftWorld, rng: Rng, meanMs: number, what: () => void): void => {
  world.scheduler.after(rng.exponential(meanMs), () => {
    if (!world.isCalm) what()
  })
}

/** What may happen, by name. A seed draws a mixture of them. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  crash(world, rng) {
    const member = any(world, rng)
    member.crash()
    later(world, rng, 1500, () => member.start())
  },
  'crash of the leader'(world, rng) {
    const leader = world.leader()
    leader?.crash()
    if (leader) later(world, rng, 1000, () => leader.start())
  },
  'crash of all'(world, rng) {
    for (const member of world.members) {
      member.crash()
      later(world, rng, 800, () => member.start())
    }
  },
  'power cut while writing'(world, rng) {
    for (const member of rng.shuffle(world.members).slice(0, rng.int(1, world.members.length))) {
      member.powerCut = { restartMs: 600 }
    }
  },
  /** A transfer that comes late, to several: it passes over the question whether anybody wants an election. */
  impatience(world, rng) {
    for (const member of rng.shuffle(world.members).slice(0, rng.int(1, 3))) {
      world.scheduler.after(rng.exponential(rng.pick([1, 5, 300])), () => {
        const raft = member.replica?.raft
        if (!raft || world.isCalm || raft.leader === null) return
        member.step({ from: raft.leader, to: member.id, term: raft.term, body: { kind: 'campaign-now' } })
      })
    }
  },
  /** The leader takes commands that reach few others, then something happens to it. */
  'unfinished replication'(world, rng) {
    const leader = world.leader()
    if (!leader) return
    const wires = world.members.filter((one) => one !== leader && rng.chance(0.7)).map(({ id }) => `${leader.id}>${id}`)
    for (const wire of wires) world.network.cut.add(wire)
    later(world, rng, 300, () => {
      const what = rng.int(0, 2)
      if (what === 0) leader.crash()
      if (what === 1) leader.freeze(rng.between(500, 2500))
      for (const wire of wires) world.network.cut.delete(wire)
      later(world, rng, 500, () => leader.start())
    })
  },
  'short reigns': shortReigns,
  freeze(world, rng) {
    any(world, rng).freeze(Math.min(10_000, rng.exponential(2000)))
  },
  partition(world, rng) {
    const side = new Set(rng.shuffle(world.members).slice(0, rng.int(1, Math.max(1, world.members.length - 1))))
    for (const a of world.members) {
      for (const b of world.members) {
        if (side.has(a) === side.has(b)) continue
        world.network.cut.add(`${a.id}>${b.id}`)
      }
    }
    later(world, rng, 3000, () => world.network.cut.clear())
  },
  /** It goes on believing that it leads, and clients still reach it. */
  'leader cut off'(world, rng) {
    const leader = world.leader()
    const others = world.members.filter((member) => member !== leader)
    if (!leader || others.length === 0) return
    const wires = others.flatMap(({ id }) => [`${leader.id}>${id}`, `${id}>${leader.id}`])
    for (const wire of wires) world.network.cut.add(wire)
    if (rng.chance(0.7)) makeCampaign(world, rng.pick(others))
    later(world, rng, 3000, () => {
      for (const wire of wires) world.network.cut.delete(wire)
    })
  },
  'cut in one direction'(world, rng) {
    const [a, b] = rng.shuffle(world.members)
    if (!a || !b) return
    const wire = `${a.id}>${b.id}`
    world.network.cut.add(wire)
    later(world, rng, 4000, () => world.network.cut.delete(wire))
  },
  loss(world, rng) {
    world.network.lossRate = rng.between(0.02, 0.5)
    world.courier.lossRate = world.network.lossRate / 2
    later(world, rng, 3000, () => {
      world.network.lossRate = 0
      world.courier.lossRate = 0
    })
  },
  doubling(world, rng) {
    world.network.doubleRate = rng.between(0.05, 0.5)
    later(world, rng, 4000, () => {
      world.network.doubleRate = 0
    })
  },
  reordering(world, rng) {
    world.network.slowRate = rng.between(0.02, 0.3)
    world.courier.slowRate = world.network.slowRate
    later(world, rng, 4000, () => {
      world.network.slowRate = 0
      world.courier.slowRate = 0
    })
  },
  'slow disk'(world, rng) {
    const { disk } = any(world, rng)
    disk.syncMs = rng.between(20, 1500)
    later(world, rng, 4000, () => {
      disk.syncMs = 2
    })
  },
  'full disk'(world, rng) {
    any(world, rng).disk.fullUntil = world.scheduler.now + rng.exponential(3000)
  },
  transfer(world, rng) {
    const leader = world.leader()
    const raft = leader?.replica?.raft
    if (!leader || !raft) return
    raft.transfer(rng.pick(raft.log.membership.voters))
    leader.pump()
  },
  'new member'(world, rng) {
    if (world.members.length >= 6) return
    world.enrol(world.newMember(`n${rng.int(1, 6)}`))
  },
  removal(world, rng) {
    const leader = world.leader()
    const raft = leader?.replica?.raft
    if (!leader || !raft || raft.log.membership.voters.length <= 2) return
    const id = rng.pick([...raft.log.membership.voters, ...raft.log.membership.learners])
    raft.proposeMembership({ kind: 'remove', id })
    leader.pump()
  },
  'lost disk'(world, rng) {
    // The disk of one member is gone: it comes back under its address as somebody else.
    const member = any(world, rng)
    if (world.members.length < 3 || world.lostDisks >= 1) return
    world.lostDisks += 1
    world.forget(member)
    const successor = world.newMember(addressOf(member.id))
    world.enrol(successor)
  },
}
