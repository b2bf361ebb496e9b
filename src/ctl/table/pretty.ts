import { displayWidth } from './width.ts'

export interface PrettyColumn {
  readonly header: string
  readonly align: 'left' | 'right'
}

/**
 * A table with a frame, its title in the top rule (spec ctl.md 4.5). Nothing is cut to the terminal's width.
 * @param rows cells as text, in column order; a cell may have several lines
 */
export function prettyTable(
  columns: readonly PrettyColumn[],
  rows: readonly (readonly string[])[],
  title?: string,
): string {
  const cells = rows.map((row) => row.map((cell) => cell.split('\n')))
  const widths = columns.map(({ header }, i) =>
    Math.max(displayWidth(header), ...cells.flatMap((row) => (row[i] ?? []).map(displayWidth))),
  )
  const rule = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+`
  const line = (texts: readonly string[]): string =>
    `|${columns.map(({ align }, i) => ` ${padded(texts[i] ?? '', widths[i] as number, align)} `).join('|')}|`
  const block = (row: readonly (readonly string[])[]): string[] => {
    const height = Math.max(1, ...row.map((cell) => cell.length))
    return Array.from({ length: height }, (_, i) => line(row.map((cell) => cell[i] ?? '')))
  }
  const isTall = cells.some((row) => row.some((cell) => cell.length > 1))
  const body = cells.flatMap((row, i) => (isTall && i > 0 ? [rule, ...block(row)] : block(row)))
  return [titled(rule, title ?? ''), line(columns.map(({ header }) => header)), rule, ...body, rule].join('\n') + '\n'
}

function titled(rule: string, title: string): string {
  const shown = title.slice(0, rule.length - 2)
  return rule.charAt(0) + shown + rule.slice(1 + shown.length)
}

function padded(text: string, width: number, align: 'left' | 'right'): string {
  const blanks = ' '.repeat(width - displayWidth(text))
  return align === 'left' ? text + blanks : blanks + text
}
