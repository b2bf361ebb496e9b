import { NameSet } from '../../cluster/name-set.ts'
import { parseStandbyNames, printStandbyNames, STRICT_PLACEHOLDER } from '../../cluster/standby-names.ts'
import { observation, walPosition } from '../facts.ts'
import { type Cycle, did } from '../world.ts'

/** How long the server may take to read a changed parameter. */
const RELOAD_MS = 1000
const LOOK_MS = 50

/** Makes commits wait for `count` of these, `null`: for nobody; in force when this returns, as far as the server is a primary. */
export async function setNames(c: Cycle, text: string | null): Promise<void> {
  await c.world.postgres.setSynchronousStandbyNames(text, c.signal)
}

export interface WantedNames {
  readonly kind: 'priority' | 'quorum'
  readonly count: number
  readonly names: NameSet
}

/** Sets synchronous_standby_names and waits until the server has it (spec ha.md 16.3). */
export async function assignNames(c: Cycle, wanted: WantedNames): Promise<void> {
  const { postgres, clock } = c.world
  const text = printStandbyNames(
    { kind: wanted.kind, count: wanted.count, members: wanted.names.names() },
    postgres.serverVersion,
  )
  did(c, 'set synchronous_standby_names', { text })
  await setNames(c, text)
  const limit = clock.now() + RELOAD_MS
  for (;;) {
    postgres.forgetObservation()
    const seen = await observation(c)
    if (!seen || seen.inRecovery || seen.synchronousStandbyNames === (text ?? '') || clock.now() >= limit) break
    await clock.sleep(LOOK_MS, c.signal)
  }
  if (!text?.includes(STRICT_PLACEHOLDER)) await noteNamesChanged(c)
}

/** Forgets who was ready under the names before, and makes standbys report under the new ones (spec ha.md 16.2). */
export async function noteNamesChanged(c: Cycle): Promise<void> {
  const seen = await observation(c)
  const { sync } = c.memory
  if (!seen || seen.inRecovery || seen.synchronousStandbyNames === sync.lastNames) return
  sync.lastNames = seen.synchronousStandbyNames
  sync.changedAtLsn = walPosition(seen)
  const listed = new NameSet(parseStandbyNames(seen.synchronousStandbyNames)?.members ?? [])
  for (const key of sync.ready) if (!listed.has(key.split('/')[0] ?? '')) sync.ready.delete(key)
  await c.world.postgres.nudgeWal(c.signal)
  c.world.postgres.forgetObservation()
}
