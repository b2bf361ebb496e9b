import { stdout } from 'node:process'
import { styleText } from 'node:util'
import type { MemberRow } from '../cluster.ts'

const isTerminal = stdout.isTTY
/** Lines that the next `redraw` replaces. */
let drawn = 0
let lastDrawn = ''

type Style = Parameters<typeof styleText>[0]

export function styled(style: Style, text: string): string {
  return isTerminal && !process.env['NO_COLOR'] ? styleText(style, text) : text
}

export function say(text = ''): void {
  settle()
  stdout.write(`${text}\n`)
}

/** The beginning of a chapter. */
export function chapter(title: string): void {
  say()
  say(styled(['bold', 'cyan'], title))
}

export function good(text: string): void {
  say(`${styled('green', '✓')} ${text}`)
}

export function bad(text: string): void {
  say(`${styled('red', '✗')} ${text}`)
}

/** A command as the reader could type it. */
export function command(text: string): void {
  say(styled('yellow', `  $ ${text}`))
}

/** Output of a command or a log, set off from our own words. */
export function quote(text: string): void {
  for (const line of text.trimEnd().split('\n')) say(styled('dim', `  ${line}`))
}

/** Text that changes in place in a terminal; elsewhere it is printed when it has changed. */
export function redraw(text: string): void {
  if (isTerminal) {
    if (drawn > 0) stdout.write(`\u001b[${drawn}A\u001b[J`)
    stdout.write(`${text}\n`)
    drawn = text.split('\n').length
  } else if (text !== lastDrawn) {
    stdout.write(`${text}\n`)
  }
  lastDrawn = text
}

/** A moving line for terminals only: elsewhere it would fill the log. */
export function progress(text: string): void {
  if (isTerminal) redraw(styled('dim', text))
}

/** What was drawn stays; the next output comes below it. */
export function settle(): void {
  drawn = 0
}

/** Takes a moving line away. */
export function clear(): void {
  if (isTerminal && drawn > 0) stdout.write(`\u001b[${drawn}A\u001b[J`)
  drawn = 0
}

const COLUMNS = ['Member', 'Address', 'Role', 'State', 'Timeline', 'Lag'] as const

/** The members as a table; the leader stands out. */
export function memberTable(rows: readonly MemberRow[]): string {
  const cells = rows.map((row) => [
    row.name,
    `${row.host ?? ''}:${row.port ?? ''}`,
    row.role,
    row.state,
    String(row.timeline ?? ''),
    row.role === 'leader' ? '' : lagText(row.lag),
  ])
  const widths = COLUMNS.map((title, i) => Math.max(title.length, ...cells.map((cell) => cell[i]?.length ?? 0)))
  const line = (cell: readonly string[]): string =>
    `  ${cell.map((text, i) => text.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd()
  const body = cells.map((cell, i) => (rows[i]?.role === 'leader' ? styled(['bold', 'green'], line(cell)) : line(cell)))
  return [styled('underline', line(COLUMNS)), ...body].join('\n')
}

function lagText(lag: number | string | undefined): string {
  if (lag === undefined || lag === '') return ''
  if (typeof lag === 'string') return lag
  return lag < 1024 ? `${lag} B` : `${Math.round(lag / 1024)} kB`
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`
}
