import { Violation } from './checks.ts'
import type { SimMember } from './member.ts'
import type { RaftWorld } from './world.ts'

/** How long the two trials take. */
export const STEADINESS_MS = 20_000
const AWAY_MS = 5000
/** Time-outs of the leader that must notice, and of those who then elect another one. */
const NOTICE_MS = 7000

/** A group at rest: a member that was away must not cost it its leader, and a leader that hears nobody must not stay one. */
export function tryPatience(world: RaftWorld): void {
  const { scheduler } = world
  const leader = world.leader()
  const raft = leader?.replica?.raft
  if (!leader || !raft) return
  const { term } = raft
  const { voters } = raft.log.membership
  const present = world.members.filter(({ id }) => voters.includes(id))
  const follower = present.find((member) => member !== leader)
  // Without all of them, one less might be one too few.
  if (!follower || present.length < 3 || present.length < voters.length) return
  cutOff(world, follower)
  scheduler.after(AWAY_MS, () => world.network.cut.clear())
  scheduler.after(2 * AWAY_MS, () => {
    if (!raft.isLeader || raft.term !== term) {
      throw new Violation('steadiness', `${follower.id} was away, and when it came back ${leader.id} lost the lead`)
    }
    deafen(world, leader)
    let before = 0
    scheduler.after(NOTICE_MS, () => {
      before = world.answered()
    })
    scheduler.after(STEADINESS_MS - 2 * AWAY_MS - 1, () => {
      if (world.answered() - before < 10) {
        throw new Violation('progress', `${leader.id} hears nobody, and keeps the others from having another leader`)
      }
    })
  })
}

function cutOff(world: RaftWorld, member: SimMember): void {
  deafen(world, member)
  for (const { id } of world.members) world.network.cut.add(`${member.id}>${id}`)
}

function deafen(world: RaftWorld, member: SimMember): void {
  for (const { id } of world.members) world.network.cut.add(`${id}>${member.id}`)
}
