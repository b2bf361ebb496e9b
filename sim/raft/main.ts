import { parseArgs } from 'node:util'
import { forbidAmbientInputs } from '../engine/ambient.ts'
import { type RaftRunResult, RaftWorld } from './world.ts'

const USAGE = `Runs Raft groups of the real code in a virtual world with faults, and checks what Raft promises.

  npm run sim:raft -- --seeds 200                  seeds 1 to 200, a minute of faults each
  npm run sim:raft -- --seed 17                    this seed
      --first N         begin with seed N
      --seconds N       so many simulated seconds of faults for each seed (60)
      --until-elections N, --until-messages N      go on until there were so many
`

/** Groups between two lines of a long run. */
const TELL_EVERY = 250

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

class Totals {
  seeds = 0
  elections = 0
  messages = 0
  committed = 0
  operations = 0
  renewals = 0
  expirations = 0
  readonly faults = new Map<string, number>()
  unclear = 0
  simulatedMs = 0

  add(one: RaftRunResult): void {
    this.seeds += 1
    this.elections += one.elections
    this.messages += one.messages
    this.committed += one.committed
    this.operations += one.operations
    this.renewals += one.renewals
    this.expirations += one.expirations
    for (const [kind, count] of one.faults) this.faults.set(kind, (this.faults.get(kind) ?? 0) + count)
    this.unclear += one.unclear
    this.simulatedMs += one.simulatedMs
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '30' },
      first: { type: 'string', default: '1' },
      seed: { type: 'string' },
      seconds: { type: 'string', default: '60' },
      'until-elections': { type: 'string', default: '0' },
      'until-messages': { type: 'string', default: '0' },
      help: { type: 'boolean', default: false },
    },
  })
  const first = Number(values.seed ?? values.first)
  const count = values.seed === undefined ? Number(values.seeds) : 1
  const seconds = Number(values.seconds)
  const wanted = { elections: Number(values['until-elections']), messages: Number(values['until-messages']) }
  if (values.help || ![first, count, seconds, wanted.elections, wanted.messages].every((number) => number >= 0)) {
    say(USAGE)
    return values.help ? 0 : 2
  }
  forbidAmbientInputs()
  const before = process.cpuUsage()
  const totals = new Totals()
  let violations = 0
  const stop = new AbortController()
  // A long run tells what it has seen when it is stopped.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => stop.abort())
  }
  const isWanting = (): boolean => totals.elections < wanted.elections || totals.messages < wanted.messages
  for (let i = 0; !stop.signal.aborted && (i < count || isWanting()); i += 1) {
    const result = await new RaftWorld(String(first + i)).run(seconds * 1000)
    totals.add(result)
    if (totals.seeds % TELL_EVERY === 0)
      say(`${totals.seeds} groups, ${totals.elections} elections, ${totals.messages} messages`)
    if (!result.violation) continue
    violations += 1
    const { invariant, text, atMs } = result.violation
    say(`seed ${result.seed}: VIOLATED after ${(atMs / 1000).toFixed(1)} s: ${invariant}: ${text}`)
    say(`replay: npm run sim:raft -- --seed ${result.seed} --seconds ${seconds}`)
    if (violations >= 5) break
  }
  const { user, system } = process.cpuUsage(before)
  summarize(totals, (user + system) / 1e6, violations)
  return violations > 0 ? 1 : 0
}

function summarize(totals: Totals, cpuSeconds: number, violations: number): void {
  const { seeds, elections, messages, committed, operations, renewals, expirations, unclear } = totals
  const kinds = [...totals.faults].sort((a, b) => b[1] - a[1])
  const faults = kinds.reduce((sum, [, count]) => sum + count, 0)
  say(
    `${seeds} Raft groups, ${(totals.simulatedMs / 3_600_000).toFixed(2)} simulated hours in ${cpuSeconds.toFixed(1)} s of ` +
      `processor time, ${faults} faults: ${elections} elections, ${messages} messages, ${committed} entries committed, ` +
      `${operations} operations judged (${unclear} histories unclear), ${renewals} lease renewals, ` +
      `${expirations} leases ended; ${violations} violations`,
  )
  say(`faults: ${kinds.map(([kind, count]) => `${kind} ${count}`).join(', ')}`)
}

process.exitCode = await main()
