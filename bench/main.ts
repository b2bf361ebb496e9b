import { spawnSync } from 'node:child_process'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Cluster } from '../lab/cluster.ts'
import { STORE_KINDS } from '../lab/store.ts'
import { type Result, save, table } from './results.ts'
import { type Bench, bootstrap, type Figures, SCENARIOS } from './scenarios.ts'

const USAGE = `usage: npm run bench -- [options]

Measures three members from the outside, as a client sees them.

  --label NAME           name of the column and of the file in bench/results (default: matriarch)
  --dcs etcd3|raft       the store: one etcd server, or the members themselves (default etcd3)
  --agent-cmd "WORDS"    another agent than ours; {cfg} stands for its configuration file
  --scenario NAME        may be given several times; default: all (${SCENARIOS.map((scenario) => scenario.name).join(', ')})
  --repeat N             runs of each scenario that can be repeated (default 5)
  --ttl, --loop-wait, --retry-timeout   seconds (default 30, 10, 10)
  --rest-seconds N       how long the agents are watched at rest (default 60)
  --results FOLDER       default: bench/results; 'none' keeps nothing
Servers run as MATRIARCH_SERVER_USER (default postgres) when started as root.
`

async function main(): Promise<number> {
  const { values: options } = parseArgs({
    options: {
      label: { type: 'string', default: 'matriarch' },
      dcs: { type: 'string', default: 'etcd3' },
      'agent-cmd': { type: 'string' },
      scenario: { type: 'string', multiple: true, default: SCENARIOS.map((scenario) => scenario.name) },
      repeat: { type: 'string', default: '5' },
      ttl: { type: 'string', default: '30' },
      'loop-wait': { type: 'string', default: '10' },
      'retry-timeout': { type: 'string', default: '10' },
      'rest-seconds': { type: 'string', default: '60' },
      results: { type: 'string', default: 'bench/results' },
      help: { type: 'boolean', default: false },
    },
  })
  if (options.help) {
    process.stdout.write(USAGE)
    return 0
  }
  const unknown = options.scenario.filter((name) => SCENARIOS.every((scenario) => scenario.name !== name))
  if (unknown.length > 0) throw new Error(`no scenario ${unknown.join(', ')}; see --help`)
  const store = STORE_KINDS.find((kind) => kind === options.dcs)
  if (!store) throw new Error(`no store ${options.dcs}; see --help`)

  const timing = {
    ttl: number(options.ttl),
    loopWait: number(options['loop-wait']),
    retryTimeout: number(options['retry-timeout']),
  }
  const cluster = await Cluster.create({
    checkout: process.cwd(),
    scope: 'bench',
    members: ['n0', 'n1', 'n2'],
    timing,
    store,
    purpose: 'bench',
    ...(options['agent-cmd'] === undefined ? {} : { agentCommand: options['agent-cmd'].split(/\s+/) }),
  })
  const stop = (): void => void cluster.destroy().finally(() => process.exit(130))
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)

  const load = Math.round((loadavg()[0] ?? 0) * 10) / 10
  const scenarios: Record<string, Figures[]> = {}
  const failures: Record<string, string[]> = {}
  const measure = async (name: string, run: () => Promise<Figures>): Promise<void> => {
    try {
      const figures = await run()
      scenarios[name] = [...(scenarios[name] ?? []), figures]
      process.stdout.write(`${JSON.stringify({ label: options.label, scenario: name, ...figures })}\n`)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      failures[name] = [...(failures[name] ?? []), reason]
      process.stdout.write(`${JSON.stringify({ label: options.label, scenario: name, failed: reason })}\n`)
    }
  }
  try {
    await measure('bootstrap', () => bootstrap(cluster))
    const bench: Bench = { cluster, timing, restMs: number(options['rest-seconds']) * 1000 }
    for (const { name, repeats, run } of SCENARIOS) {
      if (!options.scenario.includes(name)) continue
      for (let i = 0; i < (repeats ? number(options.repeat) : 1); i += 1) await measure(name, () => run(bench))
    }
    const { postgresBin, etcd } = cluster.programs
    const result: Result = {
      label: options.label,
      date: new Date().toISOString(),
      machine: {
        processors: cpus().length,
        node: process.versions.node,
        postgres: version(join(postgresBin, 'postgres')),
        store: store === 'raft' ? 'its own Raft' : `etcd ${version(etcd)}`,
        load,
      },
      timing,
      scenarios,
      failures,
    }
    if (options.results !== 'none') save(options.results, result)
    process.stdout.write(`\n${table([result])}`)
  } finally {
    await cluster.destroy()
  }
  return Object.keys(failures).length === 0 ? 0 : 1
}

function number(text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new Error(`not a positive number: ${text}`)
  return value
}

function version(program: string): string {
  return /\d+(\.\d+)+/.exec(spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout)?.[0] ?? 'unknown'
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  },
)
