import type { Result } from './command.ts'

/** Sessions kept; the one unused for longest goes first. An agent uses its own every few seconds. */
const SESSIONS_MAX = 256
/** Results kept of one session, whatever it says to have received. */
const RESULTS_MAX = 128

interface Session {
  lastUse: number
  /** Results of requests below this one are gone. */
  keptFrom: number
  readonly results: Map<number, Result>
}

export type SessionsImage = readonly (readonly [
  id: number,
  lastUse: number,
  keptFrom: number,
  results: readonly (readonly [number, Result])[],
])[]

/** Remembers what became of requests, equally on every member: everything here follows from the log alone. */
export class Sessions {
  readonly #sessions = new Map<number, Session>()

  constructor(image: SessionsImage = []) {
    for (const [id, lastUse, keptFrom, results] of image) {
      this.#sessions.set(id, { lastUse, keptFrom, results: new Map(results) })
    }
  }

  /** @param index of the entry that opens it, and its number from then on */
  open(index: number): void {
    if (this.#sessions.size >= SESSIONS_MAX) {
      const oldest = [...this.#sessions].reduce((a, b) => (b[1].lastUse < a[1].lastUse ? b : a))
      this.#sessions.delete(oldest[0])
    }
    this.#sessions.set(index, { lastUse: index, keptFrom: 0, results: new Map() })
  }

  /** @returns the result of the request if it has been carried out before; `unknown`: it must not be carried out */
  find(id: number, request: number): Result | 'new' | 'unknown' {
    const session = this.#sessions.get(id)
    if (!session) return 'unknown'
    return session.results.get(request) ?? (request < session.keptFrom ? 'unknown' : 'new')
  }

  note(
    id: number,
    request: { readonly number: number; readonly answeredBelow: number },
    result: Result,
    index: number,
  ): void {
    const session = this.#sessions.get(id)
    if (!session) return
    session.lastUse = index
    session.results.set(request.number, result)
    session.keptFrom = Math.max(session.keptFrom, request.answeredBelow)
    if (session.results.size > RESULTS_MAX) {
      const newest = [...session.results.keys()].sort((a, b) => b - a)
      session.keptFrom = Math.max(session.keptFrom, newest[RESULTS_MAX - 1] ?? 0)
    }
    for (const number of session.results.keys()) if (number < session.keptFrom) session.results.delete(number)
  }

  image(): SessionsImage {
    return [...this.#sessions].map(([id, { lastUse, keptFrom, results }]) => [id, lastUse, keptFrom, [...results]])
  }
}
