import type { Journal, JournalEntry } from '../ports/journal.ts'

export interface CycleRecord {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly rule: string
  readonly text: string
  readonly tookMs: number
  readonly entries: readonly JournalEntry[]
  /** How many cycles in a row ended like this with nothing worth telling. */
  readonly times: number
}

/** Entries of one cycle beyond this many are dropped: a cycle that goes wild must not eat the memory. */
const ENTRIES_MAX = 200

/** Keeps the last cycles in memory. Quiet cycles that repeat are one record with a count. */
export class MemoryJournal implements Journal {
  readonly #records: CycleRecord[] = []
  readonly #max: number
  readonly #wallMs: () => number
  #entries: JournalEntry[] = []

  constructor(max: number, wallMs: () => number) {
    this.#max = max
    this.#wallMs = wallMs
  }

  record(entry: JournalEntry): void {
    if (this.#entries.length < ENTRIES_MAX) this.#entries.push(entry)
  }

  endCycle(result: Parameters<Journal['endCycle']>[0]): void {
    const entries = this.#entries
    this.#entries = []
    const last = this.#records.at(-1)
    const tookMs = result.endedAt - result.startedAt
    const quiet = entries.every((entry) => entry.kind === 'asked' && entry.what === 'renew lock')
    if (last && quiet && last.rule === result.rule && last.text === result.text) {
      this.#records[this.#records.length - 1] = { ...last, at: this.#wallMs(), tookMs, times: last.times + 1 }
      return
    }
    this.#records.push({ at: this.#wallMs(), rule: result.rule, text: result.text, tookMs, entries, times: 1 })
    if (this.#records.length > this.#max) this.#records.shift()
  }

  records(): readonly CycleRecord[] {
    return this.#records
  }
}
