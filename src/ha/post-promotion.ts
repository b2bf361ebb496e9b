import { isPrimary, observation } from './facts.ts'
import type { Cycle } from './world.ts'

/**
 * After a promotion the control file still shows the old timeline until the first checkpoint; others must not rewind
 * from this server before. So one is made in the background (spec ha.md 7.2 row 2).
 */
export async function checkpointAfterPromotion(c: Cycle): Promise<void> {
  const { divergence } = c.memory
  const { postgres } = c.world
  if (divergence.state === 'checkpointed' || !(await isPrimary(c))) return
  if (divergence.checkpoint === 'running') return
  if (divergence.checkpoint === 'done') {
    divergence.state = 'checkpointed'
    return
  }
  const seen = await observation(c)
  const control = seen && (await postgres.controlData(c.signal))
  if (control && control.checkpointTimeline === seen.timeline) {
    divergence.state = 'checkpointed'
    return
  }
  divergence.checkpoint = 'running'
  const forever = new AbortController().signal
  void postgres.checkpoint(forever).then((outcome) => {
    if (divergence.checkpoint !== 'running') return
    divergence.checkpoint = outcome
    if (outcome === 'done') c.wake()
  })
}
