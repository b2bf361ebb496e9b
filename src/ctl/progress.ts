import { elapsedMs } from '../cluster/time.ts'
import type { Session } from './session.ts'
import type { Terminal } from './term/terminal.ts'

/** Shorter waits are not worth a word. */
const SILENT_MS = 1500
const CLEAR_LINE = '\r\u001b[K'

/** One line on a terminal that changes in place and disappears in the end; nothing at all into a pipe. */
export class LiveLine {
  readonly #terminal: Terminal
  #shown = false

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  show(text: string): void {
    if (!this.#terminal.showsProgress) return
    this.#terminal.writeError(CLEAR_LINE + text)
    this.#shown = true
  }

  clear(): void {
    if (this.#shown) this.#terminal.writeError(CLEAR_LINE)
    this.#shown = false
  }
}

/** Says on a terminal what is being waited for and until when. */
export async function withProgress<T>(
  session: Pick<Session, 'terminal' | 'clock'>,
  what: string,
  limitMs: number,
  work: () => Promise<T>,
): Promise<T> {
  const { terminal, clock } = session
  if (!terminal.showsProgress) return work()
  const finished = new AbortController()
  const shown = showElapsed()
  try {
    return await work()
  } finally {
    finished.abort()
    await shown
  }

  async function showElapsed(): Promise<void> {
    const line = new LiveLine(terminal)
    const began = clock.now()
    await clock.sleep(SILENT_MS, finished.signal)
    while (!finished.signal.aborted) {
      const seconds = Math.round(elapsedMs(began, clock.now()) / 1000)
      line.show(`${what}, ${seconds} s of at most ${Math.round(limitMs / 1000)} s`)
      await clock.sleep(1000, finished.signal)
    }
    line.clear()
  }
}
