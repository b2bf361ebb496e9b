// How the results of node:test are shown by ./check: one line per file, failures in full; and the counts for the sum.
import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'

const INDENT = '    '
/** Characters of what a test file wrote to stderr, shown where the file as a whole fails. */
const OUTPUT_KEPT = 3000

export default async function* report(source) {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  const files = new Map()
  const said = new Map()
  const file = (path) => {
    const name = path ? relative(process.cwd(), path) : '(no file)'
    if (!files.has(name)) files.set(name, { passed: 0, failed: 0, skipped: 0 })
    return files.get(name)
  }
  const count = (data, what) => {
    counts[what] += 1
    file(data.file)[what] += 1
  }

  for await (const { type, data } of source) {
    if (type === 'test:pass' && data.details?.type !== 'suite' && !isWholeFile(data)) {
      const skipped = data.skip !== undefined || data.todo !== undefined
      count(data, skipped ? 'skipped' : 'passed')
      if (skipped) yield `${INDENT}skipped: ${data.name}: ${data.skip === true ? 'no reason given' : data.skip}\n`
      if (data.details?.duration_ms > 5000) yield `${INDENT}${seconds(data.details.duration_ms)}  ${data.name}\n`
    }
    if (type === 'test:fail' && data.details?.error?.failureType !== 'subtestsFailed') {
      count(data, 'failed')
      yield `${INDENT}FAILED: ${data.name} (${relative(process.cwd(), data.file ?? '')}:${data.line ?? 0})\n`
      yield `${indented(isWholeFile(data) ? (said.get(data.file) ?? '(no output)') : explain(data.details?.error))}\n`
    }
    if (type === 'test:stderr') said.set(data.file, `${said.get(data.file) ?? ''}${data.message}`.slice(-OUTPUT_KEPT))
  }
  for (const [name, { passed, failed, skipped }] of files) {
    if (failed + skipped > 0) yield `${INDENT}${name}: ${passed} passed, ${failed} failed, ${skipped} skipped\n`
  }
  if (process.env.MATRIARCH_TEST_COUNTS) writeFileSync(process.env.MATRIARCH_TEST_COUNTS, JSON.stringify(counts))
}

/** Node reports a file whose tests all passed as a test of its own in some versions. */
function isWholeFile(data) {
  return (
    data.nesting === 0 && data.file !== undefined && (data.name === data.file || data.file.endsWith(`/${data.name}`))
  )
}

function explain(error) {
  const cause = error?.cause ?? error
  if (!(cause instanceof Error)) return String(cause)
  const where = (cause.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at .*\.(ts|js|mjs)/.test(line) && !line.includes('node:'))
  return [`${cause.name}: ${cause.message}`, ...where.slice(0, 6)].join('\n')
}

function indented(text) {
  return text.replace(/^/gm, INDENT.repeat(2))
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`
}
