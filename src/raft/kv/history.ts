/** A key as it is now. `version`: the entry that last wrote its value. */
export interface KeyValue {
  readonly key: string
  readonly value: string
  readonly version: number
  readonly lease: string | null
}

/** What an entry of the log did to one key. */
export interface KeyChange {
  readonly key: string
  /** The entry. */
  readonly index: number
  /** `null`: there was none. */
  readonly before: KeyValue | null
  /** `null`: it is gone. */
  readonly after: KeyValue | null
  /** Who did it; `null`: its lease has ended. */
  readonly session: number | null
}

/** Changes that a watch can be resumed from. */
const KEPT_MAX = 1000

/** The latest changes, for those who were away for a moment. */
export class History {
  #changes: KeyChange[] = []
  /** Everything after this entry is known. */
  #from: number

  constructor(from: number) {
    this.#from = from
  }

  add(change: KeyChange): void {
    this.#changes.push(change)
    if (this.#changes.length <= 2 * KEPT_MAX) return
    this.#changes = this.#changes.slice(-KEPT_MAX)
    this.#from = this.#changes[0]?.index ?? this.#from
  }

  /** @returns the changes after that entry, in order; `null` where they are no longer all known: read everything */
  after(index: number): readonly KeyChange[] | null {
    return index < this.#from ? null : this.#changes.filter((change) => change.index > index)
  }
}
