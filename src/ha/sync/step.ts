import { NameSet } from '../../cluster/name-set.ts'
import { minimumSync, syncMode } from '../../cluster/settings.ts'
import { printStandbyNames } from '../../cluster/standby-names.ts'
import type { Cycle } from '../world.ts'
import { isQuorumActive } from './active.ts'
import { deleteSync, knownSync, votersOf, writeSync } from './key.ts'
import { setNames } from './names.ts'
import { priorityStep } from './priority.ts'
import { quorumStep } from './quorum.ts'

/** Keeps `sync` and synchronous_standby_names in step with the replicas, once a cycle (spec ha.md 16.1). */
export async function syncStep(c: Cycle): Promise<void> {
  switch (syncMode(c.settings)) {
    case 'off':
      return disable(c)
    case 'on':
      return priorityStep(c)
    case 'quorum':
      return quorumStep(c)
  }
}

/** Makes sure that no commit is acknowledged under rules of the leader before (spec ha.md 16.5, 17.3). */
export async function prepareSyncForPromotion(c: Cycle): Promise<'ready' | 'refused'> {
  switch (syncMode(c.settings)) {
    case 'off':
      await disable(c)
      return 'ready'
    case 'on':
      return preparePriority(c)
    case 'quorum':
      return prepareQuorum(c)
  }
}

/**
 * The new primary's first commit waits for as many of the others as could otherwise elect somebody else. The key is its own
 * before that: whom it names needs no votes, and the leader of yesterday may be back before the new one has written it; and
 * without any key everybody may take over, whatever was acknowledged.
 */
async function prepareQuorum(c: Cycle): Promise<'ready' | 'refused'> {
  const sync = knownSync(c)
  const everybody = sync.leader === null ? new NameSet() : votersOf(sync).with([sync.leader])
  const quorum = isQuorumActive(c) ? sync.quorum : 0
  const others = everybody.without([c.world.name])
  if (sync.leader !== c.world.name && (await writeSync(c, c.world.name, others, quorum)) !== 'done') return 'refused'
  const outsider = others.size === everybody.size ? 1 : 0
  const count = Math.max(everybody.size - quorum - 1 + outsider, minimumSync(c.settings))
  await announce(c, 'quorum', others, Math.min(count, Math.max(others.size, minimumSync(c.settings))))
  return 'ready'
}

async function preparePriority(c: Cycle): Promise<'ready' | 'refused'> {
  const sync = knownSync(c)
  const strict = minimumSync(c.settings) > 0
  const before = sync.leader === null ? new NameSet() : votersOf(sync).with([sync.leader])
  const names = strict ? before.without([c.world.name]) : new NameSet()
  if ((await writeSync(c, c.world.name, names, 0)) !== 'done') return 'refused'
  await announce(c, 'priority', names, Math.max(names.size, minimumSync(c.settings)))
  return 'ready'
}

async function announce(c: Cycle, kind: 'priority' | 'quorum', names: NameSet, count: number): Promise<void> {
  const text = printStandbyNames({ kind, count, members: names.names() }, c.world.postgres.serverVersion)
  await setNames(c, text)
}

/**
 * The leader of a standby cluster follows the remote primary: what the key promised of this cluster's own commits is over,
 * and were it left, it would bar every copy but those of that time from being promoted later.
 */
export async function forgetPromises(c: Cycle): Promise<void> {
  if (knownSync(c).leader === null || (await deleteSync(c)) !== 'done') return
  c.world.log.info('Deleted the sync key of the time before this was a standby cluster')
}

async function disable(c: Cycle): Promise<void> {
  if (knownSync(c).leader === null) return setNames(c, null)
  if ((await deleteSync(c)) !== 'done') return
  await setNames(c, null)
  c.world.log.info('Disabled synchronous replication')
}
