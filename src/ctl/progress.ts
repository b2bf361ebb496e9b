import { elapsedMs } from '../cluster/time.ts'
import type { Session } from './session.ts'

/** Shorter waits are not worth a word. */
const SILENT_MS = 1500
const CLEAR_LINE = '\r\u001b[K'

/** Says on a terminal what is being waited for and until when; the line disappears with the end of the wait. */
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
    const began = clock.now()
    await clock.sleep(SILENT_MS, finished.signal)
    while (!finished.signal.aborted) {
      const seconds = Math.round(elapsedMs(began, clock.now()) / 1000)
      terminal.writeError(`${CLEAR_LINE}${what}, ${seconds} s of at most ${Math.round(limitMs / 1000)} s`)
      await clock.sleep(1000, finished.signal)
      if (finished.signal.aborted) terminal.writeError(CLEAR_LINE)
    }
  }
}
