import { isObject, type Json, type JsonObject } from '../../cluster/json.ts'
import { printLsn } from '../../cluster/lsn.ts'
import type { MemberRow, WalPosition } from '../../cluster/member-rows.ts'
import { isTruthy, roundHalfEven, textForm } from '../../cluster/values.ts'
import type { Snapshot } from '../snapshot.ts'

/** A value of the member table before it is laid out; empty text: blank. */
export type Cell = string | number | JsonObject

export type ColumnName =
  | 'Cluster'
  | 'Group'
  | 'Member'
  | 'Host'
  | 'Role'
  | 'State'
  | 'TL'
  | 'Receive LSN'
  | 'Receive Lag'
  | 'Replay LSN'
  | 'Replay Lag'
  | 'Pending restart'
  | 'Pending restart reason'
  | 'Scheduled restart'
  | 'Tags'

export type MemberCells = Readonly<Record<ColumnName, Cell>>

export interface MemberRecord {
  readonly group: number | null
  readonly row: MemberRow
  readonly cells: MemberCells
}

const EXTRA_COLUMNS = ['Pending restart', 'Pending restart reason', 'Scheduled restart', 'Tags'] as const

/** One record per member, groups in order, by name within a group (spec ctl.md 4.2). */
export function memberRecords(snapshot: Snapshot): MemberRecord[] {
  const rows = snapshot.groups.flatMap((group) => group.rows)
  const hosts = rows.map((row) => row.host).filter((host) => host !== null)
  const showPorts = rows.some((row) => row.port !== null && row.port !== 5432) || new Set(hosts).size < hosts.length
  return snapshot.groups.flatMap((group) =>
    group.rows.map((row) => ({
      group: group.number,
      row,
      cells: cellsOf(row, snapshot.cluster, group.number, showPorts),
    })),
  )
}

/** The columns to show, in order: the last four only where somebody has something to say, or on request (spec ctl.md 4.3). */
export function memberColumns(snapshot: Snapshot, records: readonly MemberRecord[], extended: boolean): ColumnName[] {
  const isUsed = (column: ColumnName): boolean =>
    extended || records.some(({ row, cells }) => row.host !== null && cells[column] !== '')
  return [
    'Cluster',
    ...(snapshot.extent === 'cluster' ? [] : (['Group'] as const)),
    'Member',
    'Host',
    'Role',
    'State',
    'TL',
    'Receive LSN',
    'Receive Lag',
    'Replay LSN',
    'Replay Lag',
    ...EXTRA_COLUMNS.filter(isUsed),
  ]
}

function cellsOf(row: MemberRow, cluster: string, group: number | null, showPort: boolean): MemberCells {
  const timeline = row.published['timeline']
  const tags = row.published['tags']
  return {
    Cluster: cluster,
    Group: group ?? '',
    Member: row.name,
    Host: row.host === null ? '' : showPort && row.port !== null ? `${row.host}:${row.port}` : row.host,
    Role: capitalised(row.role),
    State: row.state,
    TL: typeof timeline === 'number' || typeof timeline === 'string' ? timeline : '',
    ...positionCells(row),
    'Pending restart': isTruthy(row.published['pending_restart']) ? '*' : '',
    'Pending restart reason': pendingReasons(row.published['pending_restart_reason']).map(printReason).join('\n'),
    'Scheduled restart': scheduledRestart(row.published['scheduled_restart']),
    Tags: isObject(tags) && isTruthy(tags) ? tags : '',
  }
}

function capitalised(words: string): string {
  return words
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join(' ')
}

function positionCells(row: MemberRow): Pick<MemberCells, 'Receive LSN' | 'Receive Lag' | 'Replay LSN' | 'Replay Lag'> {
  if (!row.positions) return { 'Receive LSN': '', 'Receive Lag': '', 'Replay LSN': '', 'Replay Lag': '' }
  let { receive, replay } = row.positions
  const { location } = row.positions
  // Members before 4.1 publish one position only: a streaming one tells what it received, any other what it replayed.
  if (!receive && !replay && location) {
    if (row.state === 'streaming') receive = location
    else replay = location
  }
  return {
    'Receive LSN': receive ? printLsn(receive.lsn) : 'unknown',
    'Receive Lag': megabytes(receive),
    'Replay LSN': replay ? printLsn(replay.lsn) : 'unknown',
    'Replay Lag': megabytes(replay),
  }
}

function megabytes(position: WalPosition | null): number | '' {
  return position ? roundHalfEven(position.lag / 1024 ** 2) : ''
}

interface PendingReason {
  readonly name: string
  readonly change: string
}

function pendingReasons(value: Json | undefined): PendingReason[] {
  if (!isObject(value)) return []
  return Object.entries(value).map(([name, reason]) => {
    const { old_value: before, new_value: after } = isObject(reason) ? reason : {}
    return { name, change: `${textForm(before)}->${textForm(after)}` }
  })
}

function printReason({ name, change }: PendingReason): string {
  return `${name}: ${change}`
}

/** In tables for people a long reason would push everything else off the screen. */
export function shortenedReasons(row: MemberRow): string {
  return pendingReasons(row.published['pending_restart_reason'])
    .map((reason) => (printReason(reason).length > 50 ? `${reason.name}: [hidden - too long]` : printReason(reason)))
    .join('\n')
}

function scheduledRestart(value: Json | undefined): string {
  if (!isObject(value) || !isTruthy(value)) return ''
  const version = value['postgres_version']
  const condition = isTruthy(version) ? ` if version < ${textForm(version)}` : ''
  return textForm(value['schedule'] ?? '') + condition
}
