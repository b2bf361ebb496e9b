import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Figures } from './scenarios.ts'

/** One measurement of one agent, as kept in `bench/results/LABEL.json`. */
export interface Result {
  readonly label: string
  readonly date: string
  readonly machine: {
    readonly processors: number
    readonly node: string
    readonly postgres: string
    /** The kind of store and, where it is a program of its own, its version. */
    readonly store: string
    /** Processes that wanted a processor when the measurement began: more than there are means that figures are too high. */
    readonly load: number
  }
  readonly timing: { readonly ttl: number; readonly loopWait: number; readonly retryTimeout: number }
  /** Every run of each scenario. */
  readonly scenarios: Readonly<Record<string, readonly Figures[]>>
  /** Scenarios that did not come to an end, with the reason. */
  readonly failures: Readonly<Record<string, readonly string[]>>
}

interface TableRow {
  readonly title: string
  readonly scenario: string
  readonly cell: (figure: (name: string) => number) => string
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`

/** The rows of the table; each figure is the median of its runs. */
const ROWS: readonly TableRow[] = [
  { title: 'writes stop during a switchover', scenario: 'switchover', cell: (f) => seconds(f('gapMs')) },
  { title: 'postmaster killed, restarted in place', scenario: 'crash-restart', cell: (f) => seconds(f('gapMs')) },
  {
    title: 'postmaster killed, `primary_start_timeout: 0`',
    scenario: 'crash-failover',
    cell: (f) => seconds(f('gapMs')),
  },
  {
    title: 'host of the primary lost / of it after the lease',
    scenario: 'host-lost',
    cell: (f) => `${seconds(f('gapMs'))} / ${seconds(f('afterLeaseMs'))}`,
  },
  {
    title: 'host of the primary silent / of it after the lease',
    scenario: 'host-silent',
    cell: (f) => `${seconds(f('gapMs'))} / ${seconds(f('afterLeaseMs'))}`,
  },
  {
    title: 'agent killed: two nodes accept writes for',
    scenario: 'agent-killed',
    cell: (f) => seconds(f('dualWriteMs')),
  },
  {
    title: 'agent frozen: two nodes accept writes for',
    scenario: 'agent-frozen',
    cell: (f) => seconds(f('dualWriteMs')),
  },
  {
    title: 'first node writable / three nodes streaming',
    scenario: 'bootstrap',
    cell: (f) => `${seconds(f('firstWritableMs'))} / ${seconds(f('allStreamingMs'))}`,
  },
  {
    title: 'agent at rest: memory (PSS) / processor',
    scenario: 'rest',
    cell: (f) => `${f('pssMb')} MB / ${f('cpuMsPerMinute')} ms a minute`,
  },
  {
    title: 'requests to the store at rest, three members',
    scenario: 'rest',
    cell: (f) => (Number.isNaN(f('storeRequestsPerMinute')) ? '' : `${f('storeRequestsPerMinute')} a minute`),
  },
  {
    title: 'health checks / slowest of 100',
    scenario: 'health-checks',
    cell: (f) => `${f('perSecond')} a second / ${f('p99Ms')} ms`,
  },
]

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const [upper = Number.NaN, lower = Number.NaN] = [sorted[middle], sorted[middle - 1]]
  return sorted.length % 2 === 1 ? upper : (upper + lower) / 2
}

/** The results side by side, as Markdown. */
export function table(results: readonly Result[]): string {
  const header = [
    'what a client sees',
    ...results.map((result) => `${result.label} (ttl ${result.timing.ttl}, loop_wait ${result.timing.loopWait})`),
  ]
  const rows = ROWS.map((row) => [row.title, ...results.map((result) => cell(row, result))])
  const widths = header.map((_, i) => Math.max(...[header, ...rows].map((cells) => cells[i]?.length ?? 0)))
  const rule = widths.map((width) => '-'.repeat(width))
  const lines = [header, rule, ...rows].map(
    (cells) => `| ${cells.map((text, i) => text.padEnd(widths[i] ?? 0)).join(' | ')} |`,
  )
  return `${lines.join('\n')}\n`
}

function cell(row: TableRow, result: Result): string {
  const runs = result.scenarios[row.scenario] ?? []
  if (runs.length === 0) return result.failures[row.scenario] ? 'failed' : ''
  const figure = (name: string): number => Math.round(median(runs.map((run) => run[name] ?? Number.NaN)) * 10) / 10
  return row.cell(figure)
}

export function save(folder: string, result: Result): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${result.label}.json`), `${JSON.stringify(result, null, 2)}\n`)
  const all = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Result)
    .sort((a, b) => (a.label < b.label ? -1 : 1))
  const machines = all.map(({ label, date, machine }) => {
    const { processors, node, postgres, store, load } = machine
    return `- ${label}: ${date.slice(0, 10)}, ${processors} processors with ${load} processes waiting for them, Node.js ${node}, PostgreSQL ${postgres}, ${store}`
  })
  const runs =
    'Each figure is the median of the runs in the JSON file of the same name. The machines are shared and noisy: compare ratios within one day.'
  writeFileSync(join(folder, 'README.md'), `# Measurements\n\n${runs}\n\n${table(all)}\n${machines.join('\n')}\n`)
}
