import { elapsedMs } from '../cluster/time.ts'
import { flag, float } from './cli/options.ts'
import { messageOf } from './errors.ts'
import type { Session } from './session.ts'

export const WATCH_OPTIONS = {
  everyTwoSeconds: flag('-W', 'Auto update the screen every 2 seconds'),
  every: float('-w, --watch', 'Auto update the screen every X seconds'),
} as const

const CLEAR_SCREEN = '\u001b[2J\u001b[1;1H'

/**
 * Prints what `render` makes once, or again and again until Ctrl-C (spec ctl.md 4.9). While watching, an error is
 * shown in the place of the picture: who watches a cluster in trouble wants to see it come back.
 */
export async function watched(
  session: Session,
  given: { readonly everyTwoSeconds: boolean; readonly every: number | null },
  render: () => Promise<string>,
  { clears }: { readonly clears: boolean },
): Promise<void> {
  const { terminal, clock, signal } = session
  const intervalMs = (given.every ?? (given.everyTwoSeconds ? 2 : 0)) * 1000
  const clear = clears && terminal.isInteractive ? CLEAR_SCREEN : ''
  if (!(intervalMs > 0)) {
    terminal.write(await render())
    return
  }
  let shown = false
  while (!signal.aborted) {
    const began = clock.now()
    try {
      terminal.write(clear + (await render()))
      shown = true
    } catch (error) {
      if (!shown || signal.aborted) throw error
      terminal.write(clear)
      terminal.writeError(`Error: ${messageOf(error)}\n`)
    }
    await clock.sleep(intervalMs - elapsedMs(began, clock.now()), signal)
  }
}
