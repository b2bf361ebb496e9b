// The suites behind ./check. Prints `N passed, N failed` over all of them as its last line.
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { runLint } from './lint.mjs'
import { MAJORS, otherPostgres } from './other-postgres.mjs'
import { globSources } from './sources.mjs'

const BUILT = '.build/all'
const MINUTE = 60_000
/** On which acceptance tests can run; `undefined`: as each suite has it. */
const STORES = [undefined, 'etcd3', 'raft']

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    node: { type: 'string' },
    pg: { type: 'string' },
    dcs: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

/** Needed by tests: `x.pg.test.ts` PostgreSQL, `x.etcd.test.ts` etcd, everything else in src/ and sim/ nothing. */
const isPg = (file) => file.endsWith('.pg.test.js')
const isStore = (file) => file.endsWith('.etcd.test.js')
const unitTests = () =>
  [
    ...tests('src'),
    ...tests('sim'),
    ...tests('lab'),
    ...tests('bench'),
    ...tests('chaos'),
    ...tests('test/house'),
  ].filter((file) => !isPg(file) && !isStore(file))

const SUITES = [
  { name: 'static', title: 'types, lint, format, rooms, dependencies', quick: true, run: async () => runLint() },
  {
    name: 'unit',
    title: 'unit tests',
    quick: true,
    run: () => runTests(unitTests(), { limit: 10 * MINUTE, atOnce: 2 }),
  },
  {
    name: 'store',
    title: 'tests with etcd',
    run: () => runTests(tests('src').filter(isStore), { limit: 8 * MINUTE, atOnce: 2 }),
  },
  {
    name: 'pg',
    title: 'tests with PostgreSQL',
    run: () => runTests(tests('src').filter(isPg), { limit: 10 * MINUTE, atOnce: 2 }),
  },
  { name: 'sim', title: 'simulation', run: runSimulation },
  {
    name: 'acceptance',
    title: `acceptance tests (real PostgreSQL, ${options.dcs ?? 'etcd3'} and agents)`,
    run: () => runAcceptance(options.dcs ?? 'etcd3'),
  },
  {
    name: 'raft',
    title: 'acceptance tests on the embedded Raft, the essential ones',
    run: () => runAcceptance('raft', ESSENTIAL),
  },
  { name: 'chaos', title: 'chaos (hosts of their own, faults, clients that keep account)', run: runChaos },
]

/** Which of the acceptance tests are repeated on the other store; with `--dcs raft` all of them run on it. */
const ESSENTIAL = ['life', 'outages']

function runAcceptance(dcs, names) {
  const files = tests('test/acceptance').filter(
    (file) => !names || names.some((name) => file.endsWith(`/${name}.test.js`)),
  )
  return runTests(files, { limit: 25 * MINUTE, atOnce: 2, env: { MATRIARCH_TEST_DCS: dcs } })
}

function tests(folder) {
  return globSources(`${BUILT}/${folder}`, '.test.js')
}

/** Runs test files with node:test and counts. A suite that does not end in time counts as one failure more. */
async function runTests(files, { limit, atOnce, env = {} }) {
  if (files.length === 0) return { passed: 0, failed: 0, skipped: 0 }
  const directory = temporaryFolder()
  const counted = join(directory, 'counts.json')
  const args = [
    '--enable-source-maps',
    '--test',
    `--test-concurrency=${atOnce}`,
    `--test-reporter=${resolve('scripts/reporter.mjs')}`,
    ...files,
  ]
  const status = await run(process.execPath, args, { ...env, MATRIARCH_TEST_COUNTS: counted, TMPDIR: directory }, limit)
  endWhatWorksIn(directory)
  const counts = existsSync(counted) ? JSON.parse(readFileSync(counted, 'utf8')) : { passed: 0, failed: 0, skipped: 0 }
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  if (status !== 0 && counts.failed === 0) counts.failed = 1
  return counts
}

/** Servers run as other users: open to all, as /tmp is. */
function temporaryFolder() {
  const directory = mkdtempSync(join(tmpdir(), 'matriarch-check-'))
  chmodSync(directory, 0o1777)
  return directory
}

/**
 * Kills what a suite has left running: it was interrupted, or a test forgot it. Servers have sessions of their own, so they
 * are known by the folder in which they work.
 */
function endWhatWorksIn(directory) {
  // An agent may start its server anew while we look: once more, and then again.
  for (let pass = 0; pass < 20; pass += 1) {
    for (const { pid, title } of processesIn(directory)) {
      process.stdout.write(`    left running, killed: ${title}\n`)
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended by itself.
      }
    }
  }
}

function processesIn(directory) {
  return readdirSync('/proc').flatMap((name) => {
    try {
      if (!/^\d+$/.test(name) || !readlinkSync(`/proc/${name}/cwd`).startsWith(`${directory}/`)) return []
      return [
        { pid: Number(name), title: readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').slice(0, 120) },
      ]
    } catch {
      // It has ended, or belongs to somebody else.
      return []
    }
  })
}

async function runSimulation() {
  if (!JSON.parse(readFileSync('package.json', 'utf8')).scripts.sim) return { passed: 0, failed: 0, skipped: 0 }
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const [script, ...args] of [['sim'], ['sim:raft', '--', '--seeds', '100']]) {
    const status = await run('npm', ['run', '--silent', script, ...args], {}, 6 * MINUTE)
    counts[status === 0 ? 'passed' : 'failed'] += 1
  }
  return counts
}

/** A minute with three members, three store servers and a few faults. */
async function runChaos() {
  const args = ['--minutes', '1', '--seed', '8', '--mode', 'quorum', '--quiet']
  const status = await run('npm', ['run', '--silent', 'chaos', '--', ...args], {}, 8 * MINUTE)
  const outcome = status === 0 ? 'passed' : status === NOT_PERMITTED ? 'skipped' : 'failed'
  return { passed: 0, failed: 0, skipped: 0, [outcome]: 1 }
}

/** How chaos ends where this machine does not permit it; it has printed why. */
const NOT_PERMITTED = 3

/** @returns the exit status; not 0 for a command that did not end within `limit` and was killed with all it started */
function run(command, args, env, limit) {
  return new Promise((done) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
      detached: true,
    })
    const kill = () => process.kill(-child.pid, 'SIGKILL')
    const timer = setTimeout(() => {
      process.stdout.write(`    FAILED: did not end within ${limit / MINUTE} minutes\n`)
      kill()
    }, limit)
    const interrupted = () => {
      process.kill(-child.pid, 'SIGTERM')
      process.exitCode = 130
    }
    process.once('SIGINT', interrupted)
    child.once('error', (error) => {
      process.stdout.write(`    FAILED: ${error.message}\n`)
      done(1)
    })
    child.once('exit', (code) => {
      clearTimeout(timer)
      process.off('SIGINT', interrupted)
      done(code ?? 1)
    })
  })
}

/** The binary of another Node.js version, from the package that npm has for it, in a folder of its own. */
function otherNode(version) {
  const folder = `.build/node-${version}`
  const name = `node-${process.platform}-${process.arch}`
  const binary = resolve(folder, 'node_modules', name, 'bin', 'node')
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true })
    const npm = [
      'install',
      '--prefix',
      folder,
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      `${name}@${version}`,
    ]
    if (spawnSync('npm', npm, { stdio: 'inherit' }).status !== 0)
      throw new Error(`no ${name}@${version} from the npm registry`)
  }
  return binary
}

function compile() {
  rmSync(BUILT, { recursive: true, force: true })
  const build = spawnSync('npm', ['run', '--silent', 'build'], { stdio: ['ignore', 'inherit', 'inherit'] })
  // The compiler emits also what has errors; the suite `static` tells them.
  spawnSync('node_modules/.bin/tsc', ['-p', '.', '--outDir', BUILT], { stdio: 'ignore' })
  return { passed: build.status === 0 ? 1 : 0, failed: build.status === 0 ? 0 : 1, skipped: 0 }
}

async function main() {
  const names = SUITES.map((suite) => suite.name)
  const unknown = options.only.filter((name) => !names.includes(name))
  const wrong =
    unknown.length > 0 || (options.pg !== undefined && !MAJORS.includes(options.pg)) || !STORES.includes(options.dcs)
  if (options.help || wrong) {
    const text = `usage: ./check [--quick] [--only ${names.join('|')}] [--node 22|24] [--pg ${MAJORS.join('|')}] [--dcs etcd3|raft]\n`
    ;(wrong ? process.stderr : process.stdout).write(text)
    return wrong ? 2 : 0
  }
  if (options.node) {
    const binary = otherNode(options.node)
    const args = process.argv.slice(2).filter((word, i, all) => !word.startsWith('--node') && all[i - 1] !== '--node')
    const path = `${dirname(binary)}${delimiter}${process.env.PATH}`
    return (
      spawnSync(binary, ['scripts/check.mjs', ...args], { stdio: 'inherit', env: { ...process.env, PATH: path } })
        .status ?? 1
    )
  }

  process.stdout.write(`Node.js ${process.versions.node}\n`)
  if (options.pg) {
    const bin = otherPostgres(options.pg)
    Object.assign(process.env, { PGBIN: bin, PG_BIN: bin })
    process.stdout.write(spawnSync(join(bin, 'postgres'), ['--version'], { encoding: 'utf8' }).stdout)
  }
  const total = { passed: 0, failed: 0, skipped: 0 }
  const add = (title, counts, startedAt) => {
    for (const key of Object.keys(total)) total[key] += counts[key]
    const took = ((performance.now() - startedAt) / 1000).toFixed(1)
    process.stdout.write(`${counts.failed > 0 ? 'FAILED' : 'ok'}  ${title}: ${describe(counts)} (${took} s)\n`)
  }
  let startedAt = performance.now()
  add('build', compile(), startedAt)
  for (const suite of SUITES) {
    if (options.only.length > 0 ? !options.only.includes(suite.name) : options.quick && !suite.quick) continue
    process.stdout.write(`\n${suite.title}\n`)
    startedAt = performance.now()
    add(suite.title, await suite.run(), startedAt)
    if (process.exitCode === 130) return 130
  }
  process.stdout.write(`\n${describe(total)}\n`)
  return total.failed > 0 ? 1 : 0
}

function describe({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

process.exitCode = await main()
