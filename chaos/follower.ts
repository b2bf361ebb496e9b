import type { Member } from '../lab/member.ts'
import { Session } from '../lab/sql.ts'
import { sleep } from '../lab/wait.ts'

/** A standby's refusals would fill its log. */
const QUIET = { log_min_messages: 'panic', log_min_error_statement: 'panic' }
const CONNECT_LIMIT_MS = 1000
/** Longer than this no client waits for one statement. */
export const STATEMENT_LIMIT_MS = 3000
/** Between two tries while nobody takes writes. */
const RETRY_MS = 50

/** A connection to one member that is opened when it is needed and again when it broke. */
export class Connection {
  readonly member: Member
  #session: Session | null = null

  constructor(member: Member) {
    this.member = member
  }

  async use<T>(run: (session: Session) => Promise<T>): Promise<T> {
    if (!this.#session?.isOpen) {
      this.#session = await Session.open({ ...this.member.server, settings: QUIET }, CONNECT_LIMIT_MS)
    }
    return run(this.#session)
  }

  close(): void {
    this.#session?.destroy()
    this.#session = null
  }
}

/** A client of the cluster that stays with the member that takes its writes, and looks for another when it no longer does. */
export class Follower {
  readonly #connections: readonly Connection[]
  readonly #signal: AbortSignal
  #current = 0

  constructor(members: readonly Member[], signal: AbortSignal) {
    this.#connections = members.map((member) => new Connection(member))
    this.#signal = signal
  }

  /**
   * Tries one write after the other, at a pace.
   * @param write sends one write and keeps account of it; what it throws makes the client try the next member
   */
  async run(everyMs: number, write: (session: Session, node: string) => Promise<void>): Promise<void> {
    while (!this.#signal.aborted) {
      const begun = performance.now()
      const connection = this.#connections[this.#current]
      if (!connection) throw new Error('a client without members')
      try {
        await connection.use((session) => write(session, connection.member.name))
        await sleep(Math.max(1, everyMs - (performance.now() - begun)))
      } catch {
        connection.close()
        this.#current = (this.#current + 1) % this.#connections.length
        await sleep(RETRY_MS)
      }
    }
    for (const connection of this.#connections) connection.close()
  }
}

/** The server said that it did not do it: it is a standby, or the table has not arrived there yet. */
export function isRefusal(error: unknown): boolean {
  const { code } = error as { code?: string }
  return code === '25006' || code === '42P01'
}
