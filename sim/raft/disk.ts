import type { Entry, Ready, Restored, Snapshot } from '../../src/raft/core/types.ts'
import { NOTHING_RESTORED } from '../../src/raft/core/types.ts'
import type { Rng } from '../engine/random.ts'

/** What of one member outlives its process. */
export class Disk {
  content: Restored = NOTHING_RESTORED
  /** Writes fail for want of room until then. */
  fullUntil = 0
  /** Each sync takes up to so long. */
  syncMs = 2
  readonly #rng: Rng

  constructor(rng: Rng) {
    this.#rng = rng
  }

  latency(): number {
    return this.#rng.between(0.05, this.syncMs)
  }

  /** All of it has been synced. */
  write(ready: Pick<Ready, 'snapshot' | 'entries' | 'hardState'>): void {
    const { snapshot, hardState } = this.content
    this.content = {
      hardState: ready.hardState ?? hardState,
      snapshot: ready.snapshot ?? snapshot,
      entries: followedBy(
        ready.snapshot ? afterSnapshot(this.content.entries, ready.snapshot) : this.content.entries,
        ready.entries,
      ),
    }
  }

  /** The process died before the sync returned: any beginning of it may have reached the disk. */
  tear(ready: Ready): void {
    if (this.#rng.chance(0.4)) return
    if (ready.snapshot && this.#rng.chance(0.5)) return
    const count = this.#rng.int(0, ready.entries.length)
    this.write({ ...ready, entries: ready.entries.slice(0, count) })
  }

  compact(snapshot: Snapshot): void {
    this.content = { ...this.content, snapshot, entries: afterSnapshot(this.content.entries, snapshot) }
  }
}

/** A log that disagrees with the snapshot at its place is of another branch. */
function afterSnapshot(entries: readonly Entry[], snapshot: Snapshot): readonly Entry[] {
  const meeting = entries.find(({ index }) => index === snapshot.index)
  return meeting?.term === snapshot.term ? entries.filter(({ index }) => index > snapshot.index) : []
}

function followedBy(entries: readonly Entry[], more: readonly Entry[]): readonly Entry[] {
  const first = more[0]?.index
  return first === undefined ? entries : [...entries.filter(({ index }) => index < first), ...more]
}
