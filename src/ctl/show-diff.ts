import { coloured, unifiedDiff } from './diff-text.ts'
import { CtlError } from './errors.ts'
import type { Session } from './session.ts'

/** Shows what would change: plain text into a pipe, in colour and through a pager on a terminal (spec ctl.md 8.8). */
export async function showDiff(session: Session, before: string, after: string): Promise<void> {
  const { terminal, tools } = session
  const lines = await unifiedDiff(before, after)
  if (!terminal.isInteractive) {
    terminal.write(`${lines.join('\n')}\n`)
    return
  }
  const { program, args } = findPager(session)
  await tools.page(program, args, `${lines.map(coloured).join('\n')}\n`)
}

function findPager({ tools }: Session): { readonly program: string; readonly args: readonly string[] } {
  const wanted = tools.env('PAGER')
  const chosen = [...(wanted === null ? [] : [wanted]), 'less', 'more'].find((name) => tools.which(name) !== null)
  if (chosen === undefined)
    throw new CtlError(
      'No pager could be found. Either set PAGER environment variable with your pager or install either "less" or "more" in the host.',
    )
  const isLess = chosen === 'less' || chosen.endsWith('/less')
  return { program: chosen, args: isLess && tools.env('LESS') === null ? ['-FRSX', '--shift', '1'] : [] }
}
