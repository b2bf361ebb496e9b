import type { LogRecord } from './record.ts'
import { threadOf } from './record.ts'

const isLockOwner = (message: string): boolean => message.startsWith('Lock owner: ')
const isHeartbeat = (message: string): boolean =>
  message.startsWith('no action. ') || message.startsWith('PAUSE: no action')

/**
 * Leaves out the lines that a healthy cycle repeats (spec configuration.md 13.5): `Lock owner: …` directly before a
 * heartbeat, and, if wanted, a heartbeat that equals the one before.
 */
export class HeartbeatFilter {
  /** A `Lock owner` record of each line of work that waits for what comes after it. */
  readonly #held = new Map<string, LogRecord>()
  #lastHeartbeat: string | null = null

  /** @returns the records to print now, in order */
  pass(record: LogRecord, deduplicate: boolean): readonly LogRecord[] {
    const thread = threadOf(record.name)
    const held = this.#held.get(thread)
    this.#held.delete(thread)
    if (isLockOwner(record.message)) {
      this.#held.set(thread, record)
      return held ? [held] : []
    }
    if (isHeartbeat(record.message)) {
      const repeated = deduplicate && this.#lastHeartbeat === record.message
      this.#lastHeartbeat = record.message
      return repeated ? [] : [record]
    }
    if (thread === 'MainThread') this.#lastHeartbeat = null
    return held ? [held, record] : [record]
  }

  /** What is still held back: printed before the program ends or the level changes. */
  release(): readonly LogRecord[] {
    const held = [...this.#held.values()]
    this.#held.clear()
    this.#lastHeartbeat = null
    return held
  }
}
