import type { MembershipChange } from '../../src/raft/core/membership.ts'
import { NOBODY } from '../../src/raft/core/membership.ts'
import type { Rng } from '../engine/random.ts'
import type { SimMember } from './member.ts'
import type { RaftWorld } from './world.ts'

/**
 * Leaders that follow each other so fast that none gets its entries to everybody: logs branch, votes meet restarts, and
 * changes of the membership overtake each other. What happens once in years elsewhere happens here many times a minute.
 */
export function shortReigns(world: RaftWorld, rng: Rng): void {
  const { network, scheduler } = world
  const changes = rng.chance(0.4) ? 2 : 0
  const restartRate = rng.pick([0, 0.3, 0.9])
  const meanMs = rng.pick([8, 20, 60, 300])
  const slowRate = rng.pick([0, 0.2, 0.5])
  const cutRate = rng.pick([0, 0, 0.2, 0.4])
  const syncMs = rng.pick([2, 2, 30])
  const round = (left: number): void => {
    if (world.isCalm) return
    network.heal()
    for (const { disk } of world.members) disk.syncMs = left > 0 ? syncMs : 2
    if (left === 0) return
    spoilWires(world, rng, cutRate)
    network.slowRate = slowRate
    network.slowMs = meanMs
    if (rng.chance(0.7)) network.lagMs.set(rng.pick(world.members).id, rng.between(8, 40))
    for (const leader of world.leaders()) makeWork(world, leader, rng, changes)
    for (const member of rng.shuffle(world.members).slice(0, rng.int(1, 3))) {
      scheduler.after(rng.between(0, 3), () => makeCampaign(world, member))
      if (rng.chance(restartRate)) restartSoon(world, rng.pick(world.members), rng)
    }
    scheduler.after(rng.exponential(meanMs), () => round(left - 1))
  }
  round(rng.int(5, 40))
}

/** Some let only through what is short, some nothing. */
function spoilWires({ members, network }: RaftWorld, rng: Rng, cutRate: number): void {
  const blackRate = rng.pick([0, 0.3, 0.6, 0.9])
  for (const { id: from } of members) {
    for (const { id: to } of members) {
      if (rng.chance(blackRate)) network.blackHoles.add(`${from}>${to}`)
      if (rng.chance(cutRate)) network.cut.add(`${from}>${to}`)
    }
  }
}

/** Commands that do nothing, and perhaps connections that break, and changes of the membership. */
function makeWork(world: RaftWorld, leader: SimMember, rng: Rng, changes: number): void {
  const { replica } = leader
  if (!replica) return
  for (let i = rng.int(0, 3); i > 0; i -= 1) replica.submit({ kind: 'expire', lease: 'nobody', renewal: 0 }, () => {})
  if (rng.chance(0.2)) for (const { id } of world.members) replica.raft.reportLost(id)
  for (let i = rng.int(0, changes); i > 0; i -= 1) {
    const change = anyChange(world, leader, rng)
    if (change) replica.raft.proposeMembership(change)
  }
  leader.pump()
}

function anyChange(world: RaftWorld, { replica }: SimMember, rng: Rng): MembershipChange | null {
  const { voters, learners } = replica?.raft.log.membership ?? NOBODY
  const strangers = world.members.filter(({ id }) => !voters.includes(id) && !learners.includes(id))
  const possible: MembershipChange[] = [
    ...learners.map((id) => ({ kind: 'promote', id }) as const),
    ...strangers.map(({ id }) => ({ kind: 'add-learner', id }) as const),
    ...(voters.length > 2 ? voters.map((id) => ({ kind: 'remove', id }) as const) : []),
  ]
  return possible.length === 0 ? null : rng.pick(possible)
}

/** As if its leader had asked it to, or it had lost patience. */
export function makeCampaign(world: RaftWorld, member: SimMember): void {
  const raft = member.replica?.raft
  if (!raft || world.isCalm) return
  const { leader, term } = raft
  if (leader === null) {
    raft.campaign()
    member.pump()
  } else member.step({ from: leader, to: member.id, term, body: { kind: 'campaign-now' } })
}

/** In the middle of an election, as a rule. */
function restartSoon(world: RaftWorld, member: SimMember, rng: Rng): void {
  world.scheduler.after(rng.between(1, 12), () => {
    if (world.isCalm) return
    if (rng.chance(0.7)) {
      member.crash()
      world.scheduler.after(rng.exponential(3), () => member.start())
    } else member.powerCut = { restartMs: 3 }
  })
}
