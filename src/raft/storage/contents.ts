import type { Entry, HardState, NodeId, Restored, Snapshot } from '../core/types.ts'

/** What stands in a log file, one record each. */
export type LogRecord =
  /** The first record of each file. `snapshotIndex`: a snapshot that must be there for this file to make sense. */
  | { readonly kind: 'begin'; readonly format: 1; readonly id: NodeId; readonly snapshotIndex: number }
  | { readonly kind: 'hard-state'; readonly hardState: HardState }
  | { readonly kind: 'entry'; readonly entry: Entry }
  /** A snapshot of the leader has replaced everything before. */
  | { readonly kind: 'installed'; readonly index: number; readonly term: number }

export const FORMAT = 1

/** Replays the records of all log files, oldest first, on top of the snapshot. @returns text: why that is impossible */
export function replay(snapshot: Snapshot | null, records: Iterable<LogRecord>): (Restored & { id: NodeId }) | string {
  let hardState: HardState = { term: 0, vote: null }
  let entries: Entry[] = []
  let id: NodeId | null = null
  const base = snapshot?.index ?? 0
  for (const record of records) {
    switch (record.kind) {
      case 'begin':
        if (id !== null && id !== record.id) return `one file is of ${id}, another one of ${record.id}`
        if (record.snapshotIndex > base) return `the snapshot of entry ${record.snapshotIndex} is missing`
        id = record.id
        break
      case 'hard-state':
        hardState = record.hardState
        break
      case 'installed':
        entries = entries.filter(({ index, term }) => index === record.index && term === record.term)
        break
      case 'entry': {
        const { index } = record.entry
        entries = keepBefore(entries, index)
        const last = entries.at(-1)
        if (last && last.index + 1 !== index) return `entries ${last.index + 1} to ${index - 1} are missing`
        entries.push(record.entry)
        break
      }
    }
  }
  if (id === null) return 'there is no beginning'
  const after = behind(entries, snapshot)
  const [first] = after
  if (first && first.index !== base + 1) return `entries ${base + 1} to ${first.index - 1} are missing`
  return { id, hardState, snapshot, entries: after }
}

/** Entries replace everything from their index on; mostly they just follow. */
function keepBefore(entries: Entry[], index: number): Entry[] {
  const last = entries.at(-1)
  return !last || last.index < index ? entries : entries.filter((entry) => entry.index < index)
}

/** What follows the snapshot. A log that disagrees with it at its very place is of a branch that was given up. */
function behind(entries: readonly Entry[], snapshot: Snapshot | null): readonly Entry[] {
  if (!snapshot) return entries
  const meeting = entries.find(({ index }) => index === snapshot.index)
  if (meeting && meeting.term !== snapshot.term) return []
  return entries.filter(({ index }) => index > snapshot.index)
}
