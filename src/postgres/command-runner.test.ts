import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '../system/clock.ts'
import { commandRunner } from './command-runner.ts'
import { linuxProcessTable } from './process-table.ts'

const table = linuxProcessTable()
const runner = commandRunner(systemClock, table)
const never = new AbortController().signal
const run = (script: string, signal: AbortSignal = never) => runner.run(['sh', '-c', script], { signal })

test('1.13 exit code and both outputs are collected', async () => {
  assert.deepEqual(await run('echo out; echo err >&2; exit 3'), {
    code: 3,
    stdout: 'out\n',
    stderr: 'err\n',
    failure: null,
  })
})

test('1.13 text for standard input is given, and a command that does not read it ends as it likes', async () => {
  const text = 'x'.repeat(1_000_000)
  const counted = await runner.run(['wc', '-c'], { stdin: text, signal: never })
  assert.equal(counted.stdout.trim(), String(text.length))
  assert.equal((await runner.run(['true'], { stdin: text, signal: never })).code, 0)
})

test('1.13 a command that cannot be started yields no exit code and the reason', async () => {
  const missing = await runner.run(['/nowhere/tool'], { signal: never })
  assert.equal(missing.code, null)
  assert.equal(missing.failure, 'not-started')
  assert.match(missing.stderr, /ENOENT/)
  assert.equal((await runner.run([], { signal: never })).failure, 'not-started')
  assert.equal((await runner.run(['a\0b'], { signal: never })).failure, 'not-started')
})

test('9.1 the command does not see how the agent is configured, but what is added for it', async () => {
  process.env['PATRONI_SUPERUSER_PASSWORD'] = 'secret'
  const { stdout } = await runner.run(['env'], { env: { PGPASSFILE: '/p' }, signal: never })
  delete process.env['PATRONI_SUPERUSER_PASSWORD']
  assert.doesNotMatch(stdout, /PATRONI|secret/)
  assert.match(stdout, /^PGPASSFILE=\/p$/m)
})

test('1.13 a signal from elsewhere is told from a cancellation', async () => {
  assert.deepEqual(await run('kill -9 $$'), { code: null, stdout: '', stderr: '', failure: 'killed' })
  const stop = new AbortController()
  setTimeout(() => stop.abort(), 50)
  const since = performance.now()
  const cancelled = await run('sleep 60', stop.signal)
  assert.equal(cancelled.failure, 'cancelled')
  assert.ok(performance.now() - since < 2000)
  assert.equal((await run('true', stop.signal)).failure, 'cancelled', 'after it nothing is started any more')
})

test('1.13 a command that ends well although it was cancelled has done its work', async () => {
  const stop = new AbortController()
  setTimeout(() => stop.abort(), 100)
  const result = await run(`trap 'exit 0' TERM; sleep 5 & wait`, stop.signal)
  assert.equal(result.code, 0)
})

test('1.13 a command that does not obey SIGTERM is killed with its children after 10 s', {
  timeout: 20_000,
}, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'pga-'))
  const stop = new AbortController()
  setTimeout(() => stop.abort(), 100)
  const since = performance.now()
  const script = `trap '' TERM; sh -c 'trap "" TERM; echo $$ > ${directory}/pid; while :; do sleep 1; done' & while :; do sleep 1; done`
  const result = await run(script, stop.signal)
  assert.equal(result.failure, 'cancelled')
  const tookMs = performance.now() - since
  assert.ok(tookMs > 9000 && tookMs < 12_000, `${tookMs} ms`)
  const child = Number(await readFile(join(directory, 'pid'), 'utf8'))
  await new Promise((resolve) => setTimeout(resolve, 50))
  const state = table.stat(child)?.state
  assert.ok(state === undefined || state === 'Z', `the child is ${state}`)
  await rm(directory, { recursive: true })
})

test('a daemon that keeps the output open does not keep us waiting', async () => {
  const since = performance.now()
  const result = await run('echo done; sleep 30 &')
  assert.equal(result.stdout, 'done\n')
  assert.equal(result.code, 0)
  assert.ok(performance.now() - since < 3000)
})
