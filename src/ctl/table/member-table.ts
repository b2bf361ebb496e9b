import { isObject, type Json, type JsonObject } from '../../cluster/json.ts'
import type { Snapshot } from '../snapshot.ts'
import { footer } from './footer.ts'
import { type Format, printRecords, printTsv, yamlFlowText, yamlText } from './format.ts'
import {
  type Cell,
  type ColumnName,
  type MemberRecord,
  memberColumns,
  memberRecords,
  shortenedReasons,
} from './member-columns.ts'
import { type PrettyColumn, prettyTable } from './pretty.ts'
import { replicationTree } from './tree.ts'
import { displayWidth } from './width.ts'

const RIGHT_ALIGNED: readonly ColumnName[] = ['Group', 'TL', 'Receive LSN', 'Receive Lag', 'Replay LSN', 'Replay Lag']

export interface TableOptions {
  readonly format?: Format
  readonly extended?: boolean
  /** Members as a tree of who replicates from whom; `pretty` only. */
  readonly tree?: boolean
  /** Columns of the terminal: what does not fit is left out, and said to be. */
  readonly width?: number | undefined
}

/** The members of a cluster in the form asked for, with what stands below the table (spec ctl.md 4). */
export async function memberTable(snapshot: Snapshot, options: TableOptions = {}): Promise<string> {
  const { format = 'pretty', extended = false, tree = false } = options
  const records = memberRecords(snapshot)
  const columns = memberColumns(snapshot, records, extended)
  if (format === 'pretty') return fittedMembers(snapshot, records, columns, { tree, width: options.width })
  if (format === 'tsv') {
    const rows = records.map(({ cells }) => columns.map((column) => plainCell(cells[column])))
    return printTsv(columns, await Promise.all(rows.map((row) => Promise.all(row))))
  }
  return printRecords(
    format,
    records.map((record) => documentOf(record, columns)),
  )
}

/** Blank cells are left out. */
function documentOf({ cells }: MemberRecord, columns: readonly ColumnName[]): JsonObject {
  return Object.fromEntries(
    columns.map((column): [string, Json] => [column, cells[column]]).filter(([, cell]) => cell !== ''),
  )
}

async function plainCell(cell: Cell): Promise<string> {
  return isObject(cell) ? yamlFlowText(cell) : String(cell)
}

/** What is least missed, first. */
const LEFT_OUT_FIRST: readonly ColumnName[] = [
  'Tags',
  'Pending restart reason',
  'Receive LSN',
  'Replay LSN',
  'Scheduled restart',
  'Receive Lag',
]

/** The table with as many columns as the terminal is wide enough for. */
async function fittedMembers(
  snapshot: Snapshot,
  records: readonly MemberRecord[],
  columns: readonly ColumnName[],
  { tree, width }: { readonly tree: boolean; readonly width: number | undefined },
): Promise<string> {
  let shown = columns
  const hidden: ColumnName[] = []
  let table = await prettyMembers(snapshot, records, shown, tree)
  for (const column of LEFT_OUT_FIRST) {
    if (width === undefined || widthOf(table) <= width) break
    if (!shown.includes(column)) continue
    hidden.push(column)
    shown = shown.filter((one) => one !== column)
    table = await prettyMembers(snapshot, records, shown, tree)
  }
  const note = ` Not shown, the terminal has ${width} columns: ${hidden.join(', ')} (-f yaml shows everything)\n`
  return hidden.length > 0 ? table + note : table
}

function widthOf(table: string): number {
  return displayWidth(table.slice(0, table.indexOf('\n')))
}

async function prettyMembers(
  snapshot: Snapshot,
  records: readonly MemberRecord[],
  columns: readonly ColumnName[],
  tree: boolean,
): Promise<string> {
  const shown = columns.filter((column) => column !== 'Cluster' && !(column === 'Group' && snapshot.extent === 'group'))
  const lines = tree ? asTree(records) : records.map((record) => ({ record, label: record.row.name }))
  const texts = async (record: MemberRecord, label: string, column: ColumnName): Promise<string> => {
    if (column === 'Member') return label
    if (column === 'Pending restart reason') return shortenedReasons(record.row)
    const cell = record.cells[column]
    return isObject(cell) && !tree ? (await yamlText(cell)).trimEnd() : plainCell(cell)
  }
  const rows = await Promise.all(
    lines.map(({ record, label }) => Promise.all(shown.map((column) => texts(record, label, column)))),
  )
  return prettyTable(shown.map(prettyColumn), rows, title(snapshot)) + footer(snapshot)
}

function asTree(records: readonly MemberRecord[]): { readonly record: MemberRecord; readonly label: string }[] {
  const groups = [...new Set(records.map(({ group }) => group))]
  return groups.flatMap((group) => {
    const own = records.filter((record) => record.group === group)
    return replicationTree(own.map(({ row }) => row)).map(({ row, label }) => ({
      record: own.find((record) => record.row === row) as MemberRecord,
      label,
    }))
  })
}

function prettyColumn(column: ColumnName): PrettyColumn {
  return {
    header: column === 'Receive Lag' || column === 'Replay Lag' ? 'Lag' : column,
    align: RIGHT_ALIGNED.includes(column) ? 'right' : 'left',
  }
}

/** Spec ctl.md 4.4. */
function title({ cluster, extent, groups }: Snapshot): string {
  if (extent === 'formation') return ` Citus cluster: ${cluster} `
  const [{ number, view }] = groups
  const identity =
    view.initialize === null ? 'uninitialized' : view.initialize === '' ? 'initializing' : view.initialize
  return extent === 'group'
    ? ` Citus cluster: ${cluster} (group: ${number}, ${identity}) `
    : ` Cluster: ${cluster} (${identity}) `
}
