/**
 * What a leader knows of the log of one follower. Invariant: `match` < `next`.
 * `probing`: one append at a time, until one is accepted; `replicating`: appends follow each other without waiting;
 * `snapshot`: nothing, until the snapshot has arrived or has had its time.
 */
export interface Progress {
  state: 'probing' | 'replicating' | 'snapshot'
  match: number
  next: number
  /** Probing: an append is under way. */
  asked: boolean
  /** Replicating: last index of each append that was not answered. */
  inflight: number[]
  /** Snapshot: its index, and for how many ticks it has been under way. */
  snapshotIndex: number
  snapshotTicks: number
  /** Ticks since it was heard of. */
  silentTicks: number
  /** The latest heartbeat round that it has answered. */
  round: number
}

/** So many appends may be under way to one follower. */
const INFLIGHT_MAX = 32

export function newProgress(next: number): Progress {
  return {
    state: 'probing',
    match: 0,
    next,
    asked: false,
    inflight: [],
    snapshotIndex: 0,
    snapshotTicks: 0,
    silentTicks: 0,
    round: 0,
  }
}

export function isPaused(progress: Progress): boolean {
  switch (progress.state) {
    case 'probing':
      return progress.asked
    case 'replicating':
      return progress.inflight.length >= INFLIGHT_MAX
    case 'snapshot':
      return true
  }
}

/** An append up to `lastIndex` has left; `count` entries were in it. */
export function sent(progress: Progress, lastIndex: number, count: number): void {
  if (progress.state === 'probing') progress.asked = true
  if (progress.state !== 'replicating' || count === 0) return
  progress.next = lastIndex + 1
  progress.inflight.push(lastIndex)
}

export function snapshotSent(progress: Progress, index: number): void {
  progress.state = 'snapshot'
  progress.snapshotIndex = index
  progress.snapshotTicks = 0
  progress.inflight = []
}

/** @returns whether this told anything new */
export function accepted(progress: Progress, index: number): boolean {
  // An answer that was overtaken by later ones says nothing of the append that is waited for.
  if (index < progress.match) return false
  const isNews = index > progress.match
  progress.match = index
  progress.next = Math.max(progress.next, progress.match + 1)
  progress.asked = false
  progress.inflight = progress.inflight.filter((last) => last > index)
  if (progress.state === 'probing') progress.state = 'replicating'
  else if (progress.state === 'snapshot' && progress.match >= progress.snapshotIndex) probe(progress)
  return isNews
}

/**
 * An append after `index` did not fit. @param agreed where the logs may agree at the latest
 * @returns whether to try again from there; an answer to an append long past means nothing
 */
export function rejected(progress: Progress, index: number, agreed: number): boolean {
  if (progress.state === 'replicating') {
    if (index <= progress.match) return false
    probe(progress)
    return true
  }
  if (progress.state === 'snapshot' || progress.next - 1 !== index) return false
  progress.next = Math.max(Math.min(index, agreed + 1), progress.match + 1)
  progress.asked = false
  return true
}

export function probe(progress: Progress): void {
  progress.state = 'probing'
  progress.next = progress.match + 1
  progress.asked = false
  progress.inflight = []
}

/** What was under way may be lost. Where the common place is looked for, the search goes on from there. */
export function disturbed(progress: Progress): void {
  if (progress.state === 'probing') progress.asked = false
  else probe(progress)
}

/** It lives: what was lost on the way need not be waited for. */
export function breathe(progress: Progress): void {
  progress.asked = false
  if (progress.inflight.length >= INFLIGHT_MAX) progress.inflight.shift()
}
