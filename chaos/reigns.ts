import type { Acknowledged, Moment } from './history.ts'

/** The time in which one member took writes on one timeline. */
export interface Reign {
  readonly node: string
  readonly timeline: number
  /** In the order in which they were acknowledged; at least one. */
  readonly writes: readonly Acknowledged[]
  /** When the first write was sent and when the last one was acknowledged. */
  readonly from: Moment
  readonly to: Moment
}

/** @param writes in the order in which they were acknowledged */
export function reignsOf(writes: readonly Acknowledged[]): readonly Reign[] {
  const byReign = new Map<string, Acknowledged[]>()
  for (const write of writes) {
    const key = `${write.timeline} ${write.node}`
    const reign = byReign.get(key)
    if (reign) reign.push(write)
    else byReign.set(key, [write])
  }
  return [...byReign.values()].flatMap((reign) => {
    const [first] = reign
    if (!first) return []
    const from = reign.reduce((earliest, { sentAt }) => Math.min(earliest, sentAt), first.sentAt)
    const to = reign.reduce((latest, { at }) => Math.max(latest, at), first.at)
    return [{ node: first.node, timeline: first.timeline, writes: reign, from, to }]
  })
}

/** Two members that took writes at the same time. */
export interface DualWrite {
  readonly nodes: readonly [string, string]
  readonly ms: number
  readonly at: Moment
}

/**
 * Counted from when the first write that the one accepted was *sent* until the last one that the other accepted was
 * *acknowledged*: rather too long than too short.
 */
export function dualWrites(reigns: readonly Reign[]): readonly DualWrite[] {
  return reigns.flatMap((a, i) =>
    reigns.slice(i + 1).flatMap((b): DualWrite[] => {
      const from = Math.max(a.from, b.from)
      const ms = Math.min(a.to, b.to) - from
      return a.node !== b.node && ms > 0 ? [{ nodes: [a.node, b.node], ms, at: from }] : []
    }),
  )
}

/** Timelines on which more than one member took writes: each promotion has to make a new one. */
export function sharedTimelines(reigns: readonly Reign[]): readonly number[] {
  const timelines = reigns.map(({ timeline }) => timeline)
  return [...new Set(timelines.filter((timeline, i) => timelines.indexOf(timeline) !== i))]
}
