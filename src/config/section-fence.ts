import type { Section } from './section.ts'
import type { FenceConfig } from './types.ts'

/**
 * Section `fence`: the lease guard, which ends a primary whose agent does not renew its lease. Agents of other programs
 * pass the section over.
 */
export function fenceConfig(fence: Section): FenceConfig {
  const mode = (fence.text('mode') ?? 'on').toLowerCase()
  const off = ['off', 'false', 'no', 'disabled'].includes(mode)
  if (!off && !['on', 'true', 'yes', 'automatic'].includes(mode))
    fence.warning('mode', `${mode} is neither on nor off, the lease guard stays on`)
  const margin = fence.integer('safety_margin', 1)
  if (margin < 0) fence.warning('safety_margin', 'is less than 0, using 1')
  return { mode: off ? 'off' : 'on', safetyMarginMs: (margin < 0 ? 1 : margin) * 1000 }
}
