// `npm run lint`: everything that can be said about the sources without running the program.
import { spawnSync } from 'node:child_process'
import { globSources } from './sources.mjs'

const bin = (name) => `node_modules/.bin/${name}`

/** Stands for the compiled files of test/house/: in a fresh checkout there are none before the first check. */
const HOUSE_TESTS = Symbol('house tests')

/** Each check: a name, and the command that fails when something is wrong. */
const CHECKS = [
  ['types', bin('tsc'), '-p', '.'],
  ['lint (type-aware)', bin('oxlint'), '--type-aware', '--deny-warnings', '--quiet'],
  ['format and order of imports', bin('biome'), 'check', '--diagnostic-level=error'],
  ['import directions and dependency rule', process.execPath, '--test', HOUSE_TESTS],
  ['unused code and dependencies', bin('knip'), '--no-progress', '--no-config-hints'],
  ['package contents', bin('publint'), '--strict', '--level', 'warning'],
]

/** @returns how many checks passed and failed; prints one line for each, and the output of those that failed */
export function runLint() {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const [name, command, ...words] of CHECKS) {
    const args = words.flatMap((word) => (word === HOUSE_TESTS ? houseTests() : [word]))
    const startedAt = performance.now()
    const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', env: quietNpm() })
    const ok = status === 0
    counts[ok ? 'passed' : 'failed'] += 1
    const took = ((performance.now() - startedAt) / 1000).toFixed(1)
    process.stdout.write(`    ${ok ? 'ok    ' : 'FAILED'}  ${name} (${took} s)\n`)
    if (!ok) process.stdout.write(`${error ? error.message : `${stdout}${stderr}`}\n`.replace(/^/gm, '            '))
  }
  return counts
}

/** Without any file `node --test` would look for tests everywhere and run them all. */
function houseTests() {
  const files = globSources('.build/all/test/house', '.test.js')
  return files.length > 0 ? files : ['test/house is not compiled']
}

function quietNpm() {
  return { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined }
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const { passed, failed } = runLint()
  process.stdout.write(`${passed} passed, ${failed} failed\n`)
  process.exitCode = failed === 0 ? 0 : 1
}
