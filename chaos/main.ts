import { mkdtempSync, rmdirSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Timing } from '../lab/member.ts'
import { type Blow, type BlowResult, runCampaign } from './campaign.ts'
import type { Mode } from './checker.ts'
import { lookAtMachine, type Machine } from './machine.ts'
import { FAULT_NAMES, permittedFaults } from './plan.ts'
import { median, reportOf, seconds } from './report.ts'
import { runChaos } from './run.ts'
import { runStress, type StressResult } from './stress.ts'

const USAGE = `Runs three members and three etcd servers on hosts of their own (network namespaces), with clients that write and
faults that hit them, and checks afterwards that nothing acknowledged is lost and no two members took writes at once.

  npm run chaos -- --minutes 5 --seed 1 --mode quorum
      --minutes N         how long (default 2)
      --seed TEXT         decides which faults come when (default: a new one)
      --mode MODE         async (default), sync or quorum
      --ttl N             seconds of the lease (default 10)
      --only KIND,KIND    only these faults: ${FAULT_NAMES.join(', ')}
      --quiet             only the result
  npm run chaos -- --kills 50 --freezes 50 --ttl 5
  npm run chaos -- --stress 60 --ttl 10      minutes of a busy machine and a slow store: nothing may fail over
      kills and freezes the agent of the primary so many times instead, and measures

Exit code: 0 nothing was wrong, 1 something was, 2 wrong usage, 3 this machine does not permit it.
`
const MODES: readonly Mode[] = ['async', 'sync', 'quorum']

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '2' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      mode: { type: 'string', default: 'async' },
      ttl: { type: 'string', default: '10' },
      only: { type: 'string' },
      kills: { type: 'string', default: '0' },
      freezes: { type: 'string', default: '0' },
      stress: { type: 'string', default: '0' },
      quiet: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const mode = MODES.find((name) => name === values.mode)
  const ttl = Number(values.ttl)
  const wanted = values.only?.split(',') ?? FAULT_NAMES
  const kinds = FAULT_NAMES.filter((name) => wanted.includes(name))
  const numbers = [values.minutes, values.kills, values.freezes, values.stress].map(Number)
  if (values.help || !mode || !(ttl >= 5) || kinds.length < wanted.length || !numbers.every((n) => n >= 0)) {
    say(USAGE)
    return values.help ? 0 : 2
  }
  const machine = await tryMachine()
  if (machine.namespaces !== true || machine.filter !== true) {
    const why = machine.namespaces === true ? machine.filter : machine.namespaces
    say(`chaos: left out, this machine does not permit it: ${String(why)}`)
    return 3
  }
  const [minutes = 0, kills = 0, freezes = 0, stress = 0] = numbers
  const timing = timingFor(ttl)
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort())
  const common = { mode, timing, machine, signal: stop.signal, say: values.quiet ? () => {} : say }
  const blows = [...repeat('kill', kills), ...repeat('freeze', freezes)]
  if (blows.length > 0) return tellCampaign(await runCampaign({ ...common, blows }), blows.length)
  if (stress > 0) return tellStress(await runStress({ ...common, lengthMs: stress * 60_000 }))
  return attack({ ...common, kinds }, { seed: values.seed, minutes, only: values.only })
}

async function attack(
  common: Omit<Parameters<typeof runChaos>[0], 'seed' | 'lengthMs'>,
  run: { readonly seed: string; readonly minutes: number; readonly only: string | undefined },
): Promise<number> {
  const { kinds, leftOut } = permittedFaults(common.machine, common.kinds)
  for (const { kind, why } of leftOut) say(`left out: ${kind} (${why})`)
  const { mode, timing } = common
  const only = run.only === undefined ? '' : ` --only ${run.only}`
  const again = `npm run chaos -- --minutes ${run.minutes} --seed ${run.seed} --mode ${mode} --ttl ${timing.ttl}${only}`
  say(again)
  const result = await runChaos({ ...common, kinds, seed: run.seed, lengthMs: run.minutes * 60_000 })
  say(`\n${mode}, ttl ${timing.ttl}, seed ${run.seed}, load of the machine ${load()}`)
  say(reportOf(result))
  if (result.folder !== null) say(`logs, journals and what the clients saw: ${result.folder}\nagain: ${again}`)
  return result.verdict.violations.length === 0 ? 0 : 1
}

function tellCampaign(results: readonly BlowResult[], planned: number): number {
  for (const blow of ['kill', 'freeze'] as const) {
    const these = results.filter((result) => result.blow === blow)
    if (these.length === 0) continue
    const gaps = these.map(({ gapMs }) => gapMs)
    const dual = these.map(({ dualMs }) => dualMs)
    const total = dual.reduce((sum, ms) => sum + ms, 0)
    say(
      `${these.length} times ${blow}: two members accepted writes for ${(total / 1000).toFixed(3)} s in all, at most ` +
        `${(Math.max(...dual) / 1000).toFixed(3)} s; without writes median ${seconds(median(gaps))}, longest ${seconds(Math.max(...gaps))}`,
    )
  }
  say(`load of the machine ${load()}`)
  return results.length === planned && results.every(({ dualMs }) => dualMs === 0) ? 0 : 1
}

function tellStress({ reigns, writes, gapMs }: StressResult): number {
  say(`${writes} writes, the longest time without one ${seconds(gapMs)}; load of the machine ${load()}`)
  for (const { node, timeline, from } of reigns) say(`${node} on timeline ${timeline} from ${seconds(from)}`)
  return reigns.length === 1 ? 0 : 1
}

/** ttl has to be at least loop_wait + 2 * retry_timeout. */
function timingFor(ttl: number): Timing {
  return { ttl, loopWait: Math.max(1, Math.floor(ttl / 5)), retryTimeout: Math.max(1, Math.floor(ttl * 0.3)) }
}

async function tryMachine(): Promise<Machine> {
  const scratch = mkdtempSync(join(tmpdir(), 'matriarch-chaos-probe-'))
  try {
    return await lookAtMachine(scratch)
  } finally {
    rmdirSync(scratch)
  }
}

function repeat(blow: Blow, times: number): readonly Blow[] {
  return Array.from({ length: times }, () => blow)
}

function load(): string {
  return (loadavg()[0] ?? 0).toFixed(1)
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`chaos: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  },
)
