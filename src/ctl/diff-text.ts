/** A unified diff without file names and with three lines of context (spec ctl.md 8.8). The library is loaded only here. */
export async function unifiedDiff(before: string, after: string): Promise<readonly string[]> {
  const { structuredPatch } = await import('diff')
  const { hunks } = structuredPatch('', '', before, after, undefined, undefined, { context: 3 })
  return [
    '--- ',
    '+++ ',
    ...hunks.flatMap((hunk) => [
      `@@ -${range(hunk.oldStart, hunk.oldLines)} +${range(hunk.newStart, hunk.newLines)} @@`,
      // A missing end of line at the end of an edited file is nothing to show.
      ...hunk.lines.filter((line) => !line.startsWith('\\')),
    ]),
  ]
}

function range(start: number, lines: number): string {
  if (lines === 1) return `${start}`
  return `${lines === 0 ? start - 1 : start},${lines}`
}

const RED = '\u001b[31m'
const GREEN = '\u001b[32m'
const CYAN = '\u001b[36m'
const BOLD = '\u001b[1m'
const PLAIN = '\u001b[0m'

export function coloured(line: string): string {
  if (line === '--- ' || line === '+++ ') return `${BOLD}${line}${PLAIN}`
  if (line.startsWith('@@')) return `${CYAN}${line}${PLAIN}`
  if (line.startsWith('-')) return `${RED}${line}${PLAIN}`
  return line.startsWith('+') ? `${GREEN}${line}${PLAIN}` : line
}
