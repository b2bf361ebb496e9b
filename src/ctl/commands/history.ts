import type { HistoryRecord } from '../../cluster/history.ts'
import { defineCommand } from '../cli/command.ts'
import { choice, integer, optional, withDefault } from '../cli/options.ts'
import { clusterName, groupOrConfigured, readSnapshot } from '../reading.ts'
import { FORMATS, printRecords, printTsv } from '../table/format.ts'
import { type PrettyColumn, prettyTable } from '../table/pretty.ts'

const COLUMNS: readonly PrettyColumn[] = [
  { header: 'TL', align: 'right' },
  { header: 'LSN', align: 'right' },
  { header: 'Reason', align: 'left' },
  { header: 'Timestamp', align: 'left' },
  { header: 'New Leader', align: 'left' },
]

/** Spec ctl.md 8.6. */
export default defineCommand({
  description: 'Show the history of failovers and switchovers.',
  arguments: { cluster: optional('CLUSTER_NAME') },
  options: {
    group: integer('--group', 'Citus group'),
    format: withDefault(choice('-f, --format', FORMATS, 'Output format'), 'pretty'),
  },
  async run(session, args, { group, format }) {
    const name = clusterName(session, args.cluster)
    const { groups } = await readSnapshot(session, name, groupOrConfigured(session, group))
    const rows = (groups[0].view.history?.records ?? []).map(cells)
    session.terminal.write(await printed(rows, format))
  },
})

function cells({ timeline, lsn, reason, at, leader }: HistoryRecord): readonly (string | number)[] {
  return [timeline, lsn, reason, at ?? '', leader ?? '']
}

async function printed(
  rows: readonly (readonly (string | number)[])[],
  format: (typeof FORMATS)[number],
): Promise<string> {
  const texts = rows.map((row) => row.map(String))
  if (format === 'pretty') return prettyTable(COLUMNS, texts)
  const headers = COLUMNS.map(({ header }) => header)
  if (format === 'tsv') return printTsv(headers, texts)
  return printRecords(
    format,
    rows.map((row) => Object.fromEntries(headers.map((header, i) => [header, row[i] ?? '']))),
  )
}
