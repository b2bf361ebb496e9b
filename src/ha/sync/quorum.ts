import type { NameSet } from '../../cluster/name-set.ts'
import { wantedSync } from '../../cluster/settings.ts'
import type { SyncState } from '../../cluster/sync-state.ts'
import { elapsedMs } from '../../cluster/time.ts'
import { insideCycleMs } from '../waiting.ts'
import type { Cycle } from '../world.ts'
import { waitForConfirmation } from './confirmation.ts'
import { commitsAreWith } from './holders.ts'
import { knownSync, votersOf, writeSync } from './key.ts'
import { assignNames } from './names.ts'
import { pictureOf, type SyncPicture } from './observe.ts'
import { ownTheKey } from './priority.ts'
import { planQuorum } from './quorum-plan.ts'
import type { PlanStep } from './quorum-state.ts'
import { holdInStrictMode } from './strict.ts'

/** How long standbys get to become synchronous before the plan is made anew, within the same cycle. */
const BECOME_SYNC_MS = 1000

/** One step of quorum commit (spec ha.md 17.2). */
export async function quorumStep(c: Cycle): Promise<void> {
  const { clock, log, name } = c.world
  const startedAt = clock.now()
  const overMs = (): number => elapsedMs(startedAt, clock.now())
  if (knownSync(c).leader === null && !(await ownTheKey(c))) return
  for (;;) {
    const picture = await pictureOf(c)
    if (!picture) return
    const sync = knownSync(c)
    if (sync.leader === name && (await holdInStrictMode(c, picture))) return
    const plan = planQuorum({
      leader: sync.leader ?? name,
      quorum: sync.quorum,
      voters: votersOf(sync),
      numsync: Math.min(picture.live.count, picture.liveNames.size),
      standbys: picture.liveNames,
      confirmed: picture.confirmed.size,
      active: picture.active,
      wanted: wantedSync(c.settings),
      me: name,
    })
    if (plan.warning !== null) log.warning(plan.warning)
    if (plan.steps.length === 0) return turnIntoQuorumForm(c, picture)
    for (const step of plan.steps) {
      if (overMs() >= c.settings.loopWaitMs || !(await execute(c, step))) return
    }
    const { active } = picture
    const leftMs = c.settings.loopWaitMs - overMs()
    if (plan.steps.at(-1)?.kind !== 'restart' || active.size === 0 || leftMs <= 0 || c.signal.aborted) return
    const enough = Math.min(wantedSync(c.settings), active.size)
    await waitForConfirmation(c, active, enough, Math.min(insideCycleMs(c, BECOME_SYNC_MS), leftMs))
  }
}

async function execute(c: Cycle, step: PlanStep): Promise<boolean> {
  switch (step.kind) {
    case 'restart':
      return true
    case 'sync':
      await assignNames(c, { kind: 'quorum', count: step.numsync, names: step.standbys })
      return true
    case 'quorum': {
      const { leader, quorum, voters } = step
      // A key that is somebody else's is ours first of all: under it, he could take over alone.
      const mustHaveAll = knownSync(c).leader === c.world.name && !elects(knownSync(c), voters, quorum)
      if (mustHaveAll && !(await commitsAreWith(c, voters, quorum))) {
        c.world.log.info(
          `Not yet setting quorum to ${quorum} of (${voters.names().join(', ')}): too few of them have all commits`,
        )
        return false
      }
      c.world.log.info(`Setting leader to ${leader}, quorum to ${quorum} of (${voters.names().join(', ')})`)
      if ((await writeSync(c, leader, voters, quorum)) === 'done') return true
      c.world.log.info('Synchronous replication key updated by someone else.')
      return false
    }
  }
}

/** Whether everybody whom a key with these voters and this quorum would elect is elected by the key as it is. */
function elects(sync: SyncState, voters: NameSet, quorum: number): boolean {
  return votersOf(sync).includes(voters) && quorum >= sync.quorum
}

async function turnIntoQuorumForm(c: Cycle, picture: SyncPicture): Promise<void> {
  if (picture.live.kind !== 'priority' || picture.liveNames.size === 0) return
  await assignNames(c, { kind: 'quorum', count: picture.live.count, names: picture.liveNames })
}
