import type { Json, JsonObject } from './json.ts'
import { isTruthy, parseBool, parseInteger, textForm } from './values.ts'

/** A member's tags, in the order and with the value types of its configuration (spec configuration.md 12). */
export type Tags = JsonObject

const STANDARD_FLAGS = ['clonefrom', 'nofailover', 'noloadbalance', 'nosync', 'nostream'] as const
const PRIORITY_OF = { nofailover: 'failover_priority', nosync: 'sync_priority' } as const

/** The tags to publish: standard flags that are off are left out, unless the priority tag beside them needs them. */
export function publishedTags(configured: Tags): Tags {
  return Object.fromEntries(
    Object.entries(configured).filter(([name, value]) => {
      if (!(STANDARD_FLAGS as readonly string[]).includes(name)) return true
      const priority = PRIORITY_OF[name as keyof typeof PRIORITY_OF] as string | undefined
      return isTruthy(value) || (priority !== undefined && priority in configured)
    }),
  )
}

/** Whether the member must never be promoted: the flag decides if present, else a priority of 0 or less. */
export function isNofailover(tags: Tags): boolean {
  return excludedBy(tags, 'nofailover')
}

/** Whether the member must never be a synchronous standby. */
export function isNosync(tags: Tags): boolean {
  return excludedBy(tags, 'nosync')
}

function excludedBy(tags: Tags, flag: keyof typeof PRIORITY_OF): boolean {
  if (flag in tags) return isTruthy(tags[flag])
  const priority = parseInteger(tags[PRIORITY_OF[flag]])
  return priority !== undefined && priority <= 0
}

export function failoverPriority(tags: Tags): number {
  return isTruthy(tags['nofailover']) ? 0 : (parseInteger(tags['failover_priority']) ?? 1)
}

export function syncPriority(tags: Tags): number {
  return isTruthy(tags['nosync']) ? 0 : (parseInteger(tags['sync_priority']) ?? 1)
}

export function isNostream(tags: Tags): boolean {
  return parseBool(tags['nostream']) ?? false
}

export function isClonefrom(tags: Tags): boolean {
  return isTruthy(tags['clonefrom'])
}

export function isNoloadbalance(tags: Tags): boolean {
  return isTruthy(tags['noloadbalance'])
}

/** The member to cascade from, if any. */
export function replicatefrom(tags: Tags): string | null {
  const value: Json | undefined = tags['replicatefrom']
  return isTruthy(value) ? textForm(value) : null
}

/** One warning for each flag that contradicts its priority; the flag wins. Outside tools match the text literally. */
export function tagConflicts(tags: Tags): string[] {
  return Object.entries(PRIORITY_OF).flatMap(([flag, priorityName]) => {
    const priority = parseInteger(tags[priorityName])
    if (!(flag in tags) || priority === undefined || isTruthy(tags[flag]) !== priority > 0) return []
    const shown = `${flag}: ${textForm(tags[flag])}`
    return [`Conflicting configuration between ${shown} and ${priorityName}: ${priority}. Defaulting to ${shown}`]
  })
}
