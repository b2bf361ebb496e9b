import { NameSet } from '../../cluster/name-set.ts'
import { isSyncLeader } from '../../cluster/sync-state.ts'
import { printNames } from '../../cluster/values.ts'
import { insideCycleMs } from '../waiting.ts'
import type { Cycle } from '../world.ts'
import { waitForConfirmation } from './confirmation.ts'
import { knownSync, votersOf, writeSync } from './key.ts'
import { assignNames } from './names.ts'
import { pictureOf, type SyncPicture } from './observe.ts'
import { holdInStrictMode } from './strict.ts'

/** How long a standby gets to become synchronous within the same cycle. */
const BECOME_SYNC_MS = 2000

/**
 * One step of priority mode (spec ha.md 16.5): into PostgreSQL first, then into the key; out of the key first, then out
 * of PostgreSQL. So whoever is in the key is waited for by every commit.
 */
export async function priorityStep(c: Cycle): Promise<void> {
  const picture = await pictureOf(c)
  if (!picture || !(await ownTheKey(c))) return
  if (!(await agreeWithPostgres(c, picture))) return
  if (await holdInStrictMode(c, picture)) return
  const voters = votersOf(knownSync(c))
  const { active } = picture
  if (
    active.equals(voters) &&
    active.equals(picture.liveNames) &&
    (picture.live.count === active.size || active.size === 0)
  ) {
    if (picture.live.kind === 'quorum') await assignNames(c, { kind: 'priority', count: active.size, names: active })
    return
  }
  await moveTo(c, picture, voters)
}

/** Rows 1 and 2: the key is ours. @returns false: somebody else writes it */
export async function ownTheKey(c: Cycle): Promise<boolean> {
  const { log, name } = c.world
  const sync = knownSync(c)
  if (sync.leader !== null && isSyncLeader(sync, name)) return true
  if (sync.leader !== null)
    log.warning(
      `Inconsistent state of /sync key detected, leader = ${sync.leader} doesn't match ${name}, updating synchronous replication key`,
    )
  if ((await writeSync(c, name, new NameSet(), 0)) !== 'done') {
    log.warning('Updating sync state failed')
    return false
  }
  if (sync.leader === null) log.info('Enabled synchronous replication')
  return true
}

/** Row 3: the key promises somebody whom commits do not wait for. */
async function agreeWithPostgres(c: Cycle, { active, confirmed }: SyncPicture): Promise<boolean> {
  const voters = votersOf(knownSync(c))
  if (!active.equals(voters) || voters.equals(confirmed)) return true
  c.world.log.warning(
    `Inconsistent state between synchronous_standby_names = ${printNames(confirmed.names())} and /sync = ${printNames(voters.names())} key detected, updating synchronous replication key...`,
  )
  if ((await writeSync(c, c.world.name, confirmed, 0)) === 'done') return true
  c.world.log.warning('Updating sync state failed')
  return false
}

/** Rows 6 to 9. */
async function moveTo(c: Cycle, picture: SyncPicture, voters: NameSet): Promise<void> {
  const { log, name } = c.world
  const { active } = picture
  const kept = voters.and(picture.confirmed)
  if (!kept.equals(voters)) {
    log.info(`Updating /sync key temporarily from ${printNames(voters.names())} to ${printNames(kept.names())}`)
    if ((await writeSync(c, name, kept, 0)) !== 'done') {
      log.info('Synchronous replication key updated by someone else.')
      return
    }
  }
  await assignNames(c, { kind: 'priority', count: active.size, names: active })
  const confirmed = picture.confirmed.includes(active)
    ? active
    : await waitForConfirmation(c, active, active.size, insideCycleMs(c, BECOME_SYNC_MS))
  if (confirmed.size === 0 || confirmed.equals(kept)) return
  if ((await writeSync(c, name, confirmed, 0)) === 'done')
    log.info(`Synchronous standby status assigned to ${printNames(confirmed.names())}`)
  else log.info('Synchronous replication key updated by someone else')
}
