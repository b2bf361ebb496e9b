import { scheduledSwitchover } from '../../cluster/member-rows.ts'
import type { Group, Snapshot } from '../snapshot.ts'

/** What stands below the table: maintenance mode and a switchover that waits for its time (spec ctl.md 4.7). */
export function footer(snapshot: Snapshot): string {
  return snapshot.groups
    .flatMap((group) => {
      const lines = groupLines(group)
      return lines.length > 0 && snapshot.extent === 'formation' ? [`Citus group: ${group.number}`, ...lines] : lines
    })
    .map((line) => `${line}\n`)
    .join('')
}

function groupLines(group: Group): string[] {
  const lines = group.settings.paused ? [' Maintenance mode: on'] : []
  const scheduled = scheduledSwitchover(group.view)
  if (scheduled && (scheduled.from || scheduled.to)) {
    lines.push(` Switchover scheduled at: ${scheduled.at}`)
    if (scheduled.from) lines.push(`${'from'.padStart(24)}: ${scheduled.from}`)
    if (scheduled.to) lines.push(`${'to'.padStart(24)}: ${scheduled.to}`)
  }
  return lines
}
