import type { FaultRecord } from './history.ts'
import type { Outage } from './outages.ts'
import type { RunResult } from './run.ts'

/** What a run was and what came of it, for people. */
export function reportOf(result: RunResult): string {
  const { verdict, faults, healedMs, unexpectedEnds } = result
  const { violations, outages, dualWrites } = verdict
  const dualMs = dualWrites.reduce((sum, { ms }) => sum + ms, 0)
  const lengths = outages.map(({ ms }) => ms)
  const lines = [
    `${(result.lengthMs / 60_000).toFixed(1)} minutes, ${faults.length} faults, ${verdict.reigns.length} reigns`,
    ...faultTable(faults),
    `${verdict.acknowledged} writes acknowledged, ${verdict.lost} of them not there in the end`,
    `two members accepted writes at the same time: ${(dualMs / 1000).toFixed(3)} s`,
    `${outages.length} outages of 1 s and more, median ${seconds(median(lengths))}, longest ${seconds(Math.max(0, ...lengths))}`,
    ...outages.map((outage) => `  ${describeOutage(outage)}`),
    `longest time without writes while a majority could act: ${seconds(Math.max(0, ...outages.map(({ owedMs }) => owedMs)))} (limit ${seconds(verdict.outageLimitMs)})`,
    healedMs === null
      ? 'the members did not all stream again'
      : `all three streamed ${seconds(healedMs)} after the last fault`,
    ...unexpectedEnds.map((end) => `an agent ended by itself: ${end}`),
    ...violations.map(({ rule, text }) => `VIOLATION ${rule}: ${text}`),
  ]
  return lines.join('\n')
}

/** How many faults of each kind there were, most frequent first. */
function faultTable(faults: readonly FaultRecord[]): readonly string[] {
  const counts = new Map<string, number>()
  for (const { kind } of faults) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return [...counts].sort((a, b) => b[1] - a[1]).map(([kind, count]) => `  ${String(count).padStart(4)} ${kind}`)
}

function describeOutage({ from, ms, owedMs, faults }: Outage): string {
  const during = faults.map(({ number, kind, on }) => `${number} ${kind} on ${on}`).join(', ')
  return `${seconds(ms)} at ${seconds(from)}, ${seconds(owedMs)} of it with a majority: ${during || 'no fault'}`
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  if (sorted.length === 0) return 0
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}
