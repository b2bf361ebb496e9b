import { parseArgs } from 'node:util'
import { forbidAmbientInputs } from './engine/ambient.ts'
import { useLightAbortSignals } from './engine/light-abort.ts'
import { type RunRequest, type RunResult, runSeed } from './run.ts'
import { shrink } from './shrink.ts'
import { Total } from './total.ts'

const USAGE = `Runs clusters of the real decision code in a virtual world with faults, and checks that the invariants hold.

  npm run sim -- --seeds 100 --hours 1        seeds 1 to 100, one simulated hour each
  npm run sim -- --seed 17 --hours 1          this seed, with its log
      --first N         begin with seed N
      --without 3,1004  leave out faults by number
      --pardon NAMES    do not look at these invariants
      --lines N         lines of log to show of a failure (60)
      --no-shrink       do not look for a smaller failure
      --keep-going      do not stop at the first seed that fails
      --coverage        say how often each rule of the code decided, and which kinds of clusters were run
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
      coverage: { type: 'boolean', default: false },
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
  const total = new Total()
  let failures = 0
  for (const seed of seeds) {
    const request: RunRequest = { seed, hours, without, traceLines: 0, pardoned }
    const result = await runSeed(request)
    total.add(result)
    if (!result.violation) continue
    failures++
    report(result)
    await explain(result, request, {
      shrinks: !values['no-shrink'] && values.seed === undefined,
      lines: Number(values.lines),
    })
    if (!values['keep-going']) break
  }
  const { user, system } = process.cpuUsage(before)
  say(total.summary((user + system) / 1000))
  if (values.coverage) say(total.coverageTables())
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

/** Runs it once more, with its log; before that it is made smaller. */
async function explain(
  result: RunResult,
  request: RunRequest,
  { shrinks, lines }: { readonly shrinks: boolean; readonly lines: number },
): Promise<void> {
  const smaller = shrinks ? await shrink(result, request, 150) : request
  const again = await runSeed({ ...smaller, traceLines: lines })
  const left = again.faults.map(({ index, kind }) => `${index} ${kind}`).join(', ')
  say(`  faults needed: ${left}`)
  for (const line of again.trace) say(line)
  const option = smaller.without.size > 0 ? ` --without ${[...smaller.without].join(',')}` : ''
  say(`\nreplay: npm run sim -- --seed ${result.seed} --hours ${request.hours}${option}`)
}

process.exitCode = await main()
