import { parseArgs } from 'node:util'
import { forbidAmbientInputs } from './engine/ambient.ts'
import { useLightAbortSignals } from './engine/light-abort.ts'
import { countByKind, type RunRequest, type RunResult, runSeed } from './run.ts'
import { shrink } from './shrink.ts'

const USAGE = `Runs clusters of the real decision code in a virtual world with faults, and checks that the invariants hold.

  npm run sim -- --seeds 100 --hours 1        seeds 1 to 100, one simulated hour each
  npm run sim -- --seed 17 --hours 1          this seed, with its log
      --first N         begin with seed N
      --without 3,1004  leave out faults by number
      --pardon NAMES    do not look at these invariants
      --lines N         lines of log to show of a failure (60)
      --no-shrink       do not look for a smaller failure
      --keep-going      do not stop at the first seed that fails
`

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '10' },
      first: { type: 'string', default: '1' },
      seed: { type: 'string' },
      hours: { type: 'string', default: '1' },
      pardon: { type: 'string', default: '' },
      without: { type: 'string', default: '' },
      lines: { type: 'string', default: '60' },
      'no-shrink': { type: 'boolean', default: false },
      'keep-going': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    say(USAGE)
    return 0
  }
  const hours = Number(values.hours)
  const without = new Set(values.without.split(',').filter(Boolean).map(Number))
  const pardoned = new Set(values.pardon.split(',').filter(Boolean))
  const first = Number(values.first)
  const seeds =
    values.seed === undefined
      ? Array.from({ length: Number(values.seeds) }, (_, i) => String(first + i))
      : [values.seed]
  if (!(hours > 0) || seeds.length === 0) {
    say(USAGE)
    return 2
  }
  forbidAmbientInputs()
  useLightAbortSignals()
  const before = process.cpuUsage()
  const results: RunResult[] = []
  let failures = 0
  for (const seed of seeds) {
    const request: RunRequest = { seed, hours, without, traceLines: Number(values.lines), pardoned }
    const result = await runSeed(request)
    results.push(result)
    if (!result.violation) continue
    failures++
    report(result)
    await explain(result, request, values['no-shrink'] || values.seed !== undefined)
    if (!values['keep-going']) break
  }
  const { user, system } = process.cpuUsage(before)
  summarize(results, (user + system) / 1000)
  return failures > 0 ? 1 : 0
}

function report(result: RunResult): void {
  const { violation } = result
  if (!violation) return
  say(`\nseed ${result.seed}: VIOLATED after ${(violation.atMs / 1000).toFixed(1)} s: ${violation.invariant}`)
  say(`  ${violation.text}`)
  if (violation.cause instanceof Error) say(`  ${violation.cause.stack ?? ''}`)
  say(`  ${result.configuration}`)
}

async function explain(result: RunResult, request: RunRequest, asItIs: boolean): Promise<void> {
  if (asItIs) {
    for (const line of result.trace) say(line)
    return
  }
  const smaller = await shrink(result, request, 150)
  const again = await runSeed(smaller)
  const left = again.faults.map(({ index, kind }) => `${index} ${kind}`).join(', ')
  say(`  faults needed: ${left}`)
  for (const line of again.trace) say(line)
  const option = smaller.without.size > 0 ? ` --without ${[...smaller.without].join(',')}` : ''
  say(`\nreplay: npm run sim -- --seed ${result.seed} --hours ${request.hours}${option}`)
}

function summarize(results: readonly RunResult[], cpuMs: number): void {
  const simulated = results.reduce((sum, one) => sum + one.simulatedMs, 0)
  const faults = results.flatMap((one) => one.faults)
  const sum = (value: (one: RunResult) => number): number => results.reduce((total, one) => total + value(one), 0)
  say(
    `\n${results.length} seeds, ${(simulated / 3_600_000).toFixed(2)} simulated hours in ${(cpuMs / 1000).toFixed(1)} s of processor time ` +
      `(${Math.round(simulated / cpuMs)} times faster), ${faults.length} faults, ${sum((one) => one.promotions)} timelines, ` +
      `${sum((one) => one.rows)} rows acknowledged`,
  )
  for (const [kind, count] of [...countByKind(faults)].sort((a, b) => b[1] - a[1]))
    say(`  ${String(count).padStart(6)} ${kind}`)
}

process.exitCode = await main()
