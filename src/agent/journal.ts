import type { CycleRecord, CycleRecording, Journal, JournalEntry, TimedEntry } from '../ports/journal.ts'

/** Entries of one cycle beyond this many are dropped: a cycle that goes wild must not eat the memory. */
const ENTRIES_MAX = 200
/** Cycles in a row that are alike are one record; it is written down again so often, in case nobody ends it in order. */
const REWRITE_MS = 60_000

/** Where records go to outlive the agent. Neither waits nor fails. */
export interface JournalKeeper {
  keep(record: CycleRecord): void
  keepRecording(number: number, recording: CycleRecording): void
}

export interface JournalOptions {
  readonly max: number
  readonly wallMs: () => number
  readonly keeper?: JournalKeeper
  /** Of earlier runs, oldest first. */
  readonly earlier?: readonly CycleRecord[]
}

/**
 * The last cycles, for the REST server; all of them go to the keeper. Cycles in a row with the same result and the
 * same steps are one record with a count, so that what happened is not buried under what did not.
 */
export class CycleJournal implements Journal {
  readonly #options: JournalOptions
  readonly #records: CycleRecord[]
  #entries: TimedEntry[] = []
  #next: number
  /** Of the first record of this run: one of an earlier run does not go on. */
  readonly #first: number
  readonly keepsRecordings: boolean
  /** The last record as the keeper has it. */
  #kept: { number: number; at: number } = { number: 0, at: 0 }

  constructor(options: JournalOptions) {
    this.#options = options
    this.keepsRecordings = options.keeper !== undefined
    this.#records = (options.earlier ?? []).slice(-options.max)
    this.#next = (this.#records.at(-1)?.number ?? 0) + 1
    this.#first = this.#next
  }

  record(entry: JournalEntry): void {
    if (this.#entries.length < ENTRIES_MAX) this.#entries.push({ ...entry, at: this.#options.wallMs() })
  }

  endCycle(result: Parameters<Journal['endCycle']>[0]): void {
    const { wallMs, max, keeper } = this.#options
    const entries = this.#entries
    this.#entries = []
    const at = wallMs()
    const last = this.#records.at(-1)
    if (last && last.number >= this.#first && isRepetition(last, result, entries)) {
      const grown = { ...last, until: at, times: last.times + 1 }
      this.#records[this.#records.length - 1] = grown
      if (at - this.#kept.at >= REWRITE_MS) this.#keep(grown)
      return
    }
    // The count of the one before is final now.
    if (last && last.times > 1 && last.until > this.#kept.at) this.#keep(last)
    const { rule, text, startedAt, endedAt } = result
    const tookMs = Math.round((endedAt - startedAt) * 10) / 10
    const record = { number: this.#next, at, until: at, times: 1, rule, text, tookMs, entries }
    this.#next += 1
    this.#records.push(record)
    if (this.#records.length > max) this.#records.shift()
    this.#keep(record)
    if (result.recording && keeper) keeper.keepRecording(record.number, result.recording())
  }

  /** @param sinceMs milliseconds since 1970: records that ended before are left out */
  records(sinceMs = 0): readonly CycleRecord[] {
    const ended = this.#records.filter((record) => record.until >= sinceMs)
    return this.#entries.length === 0 ? ended : [...ended, this.#unended('unended', '')]
  }

  /** What is not written down yet: the agent ends. */
  close(): void {
    const last = this.#records.at(-1)
    if (this.#entries.length > 0) {
      this.#keep(this.#unended('shutdown', 'the agent has ended'))
    } else if (last && last.until > this.#kept.at) this.#keep(last)
  }

  /** The steps since the last cycle. */
  #unended(rule: string, text: string): CycleRecord {
    const at = this.#options.wallMs()
    return { number: this.#next, at, until: at, times: 1, rule, text, tookMs: 0, entries: [...this.#entries] }
  }

  #keep(record: CycleRecord): void {
    this.#kept = { number: record.number, at: record.until }
    this.#options.keeper?.keep(record)
  }
}

/** Details may differ from time to time: positions move. */
function isRepetition(
  last: CycleRecord,
  { rule, text }: { readonly rule: string; readonly text: string },
  entries: readonly JournalEntry[],
): boolean {
  return (
    last.rule === rule &&
    last.text === text &&
    last.entries.length === entries.length &&
    entries.every(({ kind, what }, i) => last.entries[i]?.kind === kind && last.entries[i]?.what === what)
  )
}
