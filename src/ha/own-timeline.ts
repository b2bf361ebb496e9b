import type { Timeline } from '../cluster/timeline.ts'
import type { Observation } from '../ports/postgres.ts'
import type { OwnPosition } from './memory.ts'
import type { Ha } from './world.ts'

/**
 * The timeline that others are told while this is a replica is remembered, and a promotion, its own or its leader's,
 * changes it: each look corrects it, also while the store is away. Who tells an older one than it is on gives its vote
 * to somebody who lacks its commits.
 */
export function correctTimeline(own: OwnPosition, seen: Observation): void {
  if (!seen.inRecovery) own.timeline = null
  else own.timeline = streamedTimeline(seen) ?? own.timeline
}

/** A WAL receiver that does not stream may name the timeline that it was started for, and cannot have. */
export function streamedTimeline({ walReceiver }: Observation): Timeline | null {
  return walReceiver?.status === 'streaming' ? walReceiver.timeline : null
}

/**
 * The timeline of this standby: free where WAL streams in, else its server is asked. What is remembered comes last: it may be
 * of before a promotion that came to nothing. @param seen `null`: the server does not show itself
 */
export async function standbyTimeline(
  { world, memory }: Ha,
  seen: Observation | null,
  signal: AbortSignal,
): Promise<Timeline | null> {
  const streamed = seen && streamedTimeline(seen)
  return streamed ?? (await world.postgres.identifyTimeline(signal)) ?? memory.own.timeline
}

/** As `standbyTimeline`, and remembers it, unless the next commit may be on another one, whoever looks or not. */
export async function learnTimeline(ha: Ha, seen: Observation, signal: AbortSignal): Promise<Timeline | null> {
  const { own } = ha.memory
  const toldToPromote = ha.world.postgres.role === 'promoted'
  if (toldToPromote) own.timeline = null
  const here = await standbyTimeline(ha, seen, signal)
  own.timeline = toldToPromote ? null : here
  return here
}
