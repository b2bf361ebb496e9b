import type { Sink } from './sink.ts'

/**
 * A bounded queue of lines and the one who writes them. Adding never waits: when the queue is full, because the disk
 * or the reader hangs, lines are lost and counted, and the rest of the program goes on (spec configuration.md 13.5).
 */
export class QueueWriter {
  readonly #sink: Sink
  #limit: number
  #queue: string[] = []
  #inFlight = 0
  #lost = 0
  #lostEver = 0
  #writing: Promise<void> | null = null
  readonly #printLost: (lost: number) => string

  /** @param printLost the line that tells how many records are missing */
  constructor(sink: Sink, limit: number, printLost: (lost: number) => string) {
    this.#sink = sink
    this.#limit = limit
    this.#printLost = printLost
  }

  get size(): number {
    return this.#queue.length + this.#inFlight
  }

  get lostEver(): number {
    return this.#lostEver
  }

  /** A limit of 0 or less: no limit. */
  get isFull(): boolean {
    return this.#limit > 0 && this.size >= this.#limit
  }

  add(line: string): void {
    if (this.isFull) {
      this.#lose(1)
      return
    }
    this.#queue.push(line)
    this.#writing ??= this.#writeAll()
  }

  setLimit(limit: number): void {
    this.#limit = limit
  }

  /** Writes what is queued and closes the sink; nothing may be added any more. Never rejects. */
  async finish(): Promise<void> {
    await this.drained()
    try {
      await this.#sink.close()
    } catch {
      // The destination is broken; that may be why it was replaced.
    }
  }

  /** Resolves when everything is written; never rejects. May wait as long as the disk hangs. */
  async drained(): Promise<void> {
    while (this.#writing) await this.#writing
  }

  async #writeAll(): Promise<void> {
    // The lines of one moment are written together.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      const lines = this.#queue
      this.#queue = []
      this.#inFlight = lines.length
      const lost = this.#lost
      try {
        await this.#sink.write(lost > 0 ? [...lines, this.#printLost(lost)] : lines)
        this.#lost -= lost
      } catch {
        // The disk is full or gone: nobody can be told by this way, the count is kept for later.
        this.#lose(lines.length)
      }
      this.#inFlight = 0
    }
    this.#writing = null
  }

  #lose(count: number): void {
    this.#lost += count
    this.#lostEver += count
  }
}
