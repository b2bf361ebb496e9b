import { elapsedMs, type Instant } from '../../cluster/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { CloneProgress } from '../../ports/control.ts'
import type { Log } from '../../ports/log.ts'

/** A copy that takes long is told in the log so often. */
const LOG_EVERY_MS = 30_000
const KB = 1024

/** What pg_basebackup says with `--progress`: `  2048/40960 kB (5%), 0/1 tablespace`. `null`: another line. */
export function parseProgress(line: string): CloneProgress | null {
  const found = /^\s*(\d+)\/(\d+) kB \(\d+%\), \d+\/\d+ tablespaces?/.exec(line)
  if (!found) return null
  const [doneBytes, total] = found.slice(1).map((kilobytes) => Number(kilobytes) * KB) as [number, number]
  // The size is an estimate made before: the database may grow meanwhile. 0: none was made.
  return { doneBytes, totalBytes: total === 0 ? null : Math.max(total, doneBytes) }
}

/** How far the base backup under way is. */
export class BackupProgress {
  readonly #log: Log
  readonly #clock: Clock
  #current: CloneProgress | null = null
  #loggedAt: Instant

  constructor(clock: Clock, log: Log) {
    this.#clock = clock
    this.#log = log
    this.#loggedAt = clock.now()
  }

  get current(): CloneProgress | null {
    return this.#current
  }

  begin(): void {
    this.#current = null
    this.#loggedAt = this.#clock.now()
  }

  end(): void {
    this.#current = null
  }

  /** @returns false for a line that says something else */
  read(line: string): boolean {
    const progress = parseProgress(line)
    if (!progress) return false
    this.#current = progress
    const now = this.#clock.now()
    if (elapsedMs(this.#loggedAt, now) >= LOG_EVERY_MS) {
      this.#loggedAt = now
      const { doneBytes, totalBytes } = progress
      const of = totalBytes === null ? '' : ` of ${totalBytes} (${Math.floor((doneBytes / totalBytes) * 100)}%)`
      this.#log.info(`pg_basebackup: ${doneBytes} bytes${of} copied`)
    }
    return true
  }
}
