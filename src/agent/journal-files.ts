import { appendFile, mkdir, readFile, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { CycleRecord, CycleRecording } from '../ports/journal.ts'
import { parseRecords } from '../ports/journal-records.ts'
import type { Log } from '../ports/log.ts'
import type { JournalKeeper } from './journal.ts'

/** What happened, and what each of these cycles was told: two files, so that the long one cannot push out the short one. */
const RECORDS = 'journal.jsonl'
const RECORDINGS = 'cycles.jsonl'
/** The current file of each, and the older ones that are kept. */
const GENERATIONS = 4
/** A disk that hangs must not fill the memory: lines beyond this many wait in vain. */
const WAITING_MAX = 500

export interface JournalPlace {
  readonly dir: string
  /** Bytes that all files together may take. */
  readonly size: number
}

/**
 * The journal's files: a JSON document per line, appended, rotated at an eighth of the size that all may take. Whoever
 * is told to keep something neither waits nor fails; the first line that could not be written is told in the log.
 */
export class JournalFiles implements JournalKeeper {
  readonly #place: JournalPlace
  readonly #log: Log
  #waiting = 0
  #last: Promise<void> = Promise.resolve()
  #complained = false
  /** The directory is there, and the files end with whole lines. */
  readonly #ready = new Set<string>()

  constructor(place: JournalPlace, log: Log) {
    this.#place = place
    this.#log = log
  }

  /** What earlier runs kept, oldest first. */
  async read(): Promise<readonly CycleRecord[]> {
    const texts: string[] = []
    for (let generation = GENERATIONS - 1; generation >= 0; generation -= 1)
      texts.push(await readFile(this.#path(RECORDS, generation), 'utf8').catch(() => ''))
    return parseRecords(texts.join('\n'))
  }

  keep(record: CycleRecord): void {
    this.#append(RECORDS, JSON.stringify(record))
  }

  keepRecording(number: number, recording: CycleRecording): void {
    this.#append(RECORDINGS, JSON.stringify({ number, ...recording }))
  }

  /** Resolves when all that was kept so far is on its way to the disk. */
  async flush(): Promise<void> {
    await this.#last
  }

  #append(name: string, line: string): void {
    if (this.#waiting >= WAITING_MAX) return
    this.#waiting += 1
    this.#last = this.#last
      .then(() => this.#write(name, `${line}\n`))
      .catch((error: unknown) => this.#complain(error))
      .finally(() => {
        this.#waiting -= 1
      })
  }

  async #write(name: string, line: string): Promise<void> {
    const isFirst = !this.#ready.has(name)
    if (isFirst) await mkdir(this.#place.dir, { recursive: true, mode: 0o700 })
    const path = this.#path(name, 0)
    const size = await stat(path).then(
      (found) => found.size,
      () => 0,
    )
    if (size > 0 && size + line.length > this.#place.size / GENERATIONS / 2) await this.#rotate(name)
    // A line that a crash cut off must not swallow the next one.
    await appendFile(path, isFirst ? `\n${line}` : line, { mode: 0o600 })
    this.#ready.add(name)
    this.#complained = false
  }

  async #rotate(name: string): Promise<void> {
    for (let generation = GENERATIONS - 2; generation >= 0; generation -= 1) {
      const moved = rename(this.#path(name, generation), this.#path(name, generation + 1))
      await moved.catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
      })
    }
  }

  #path(name: string, generation: number): string {
    return join(this.#place.dir, generation === 0 ? name : `${name}.${generation}`)
  }

  #complain(error: unknown): void {
    this.#ready.clear()
    if (this.#complained) return
    this.#complained = true
    const reason = error instanceof Error ? error.message : String(error)
    this.#log.warning(`The journal is kept in memory only: ${reason}`)
  }
}
