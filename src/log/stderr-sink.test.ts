import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const LOGGING = new URL('./logging.js', import.meta.url).href
const SECTION = new URL('../config/section-log.js', import.meta.url).href

/** Logs far more than a pipe holds, then tells how long its event loop was held up, and exits. */
const CHILD = `
const { createLogging } = await import(${JSON.stringify(LOGGING)})
const { EARLY_LOG } = await import(${JSON.stringify(SECTION)})
const log = createLogging({ ...EARLY_LOG, maxQueueSize: 50 }, { wallMs: () => Date.now(), pid: process.pid, fileMode: 0o600 })
const ha = log.log('ha')
let worst = 0
for (let i = 0; i < 20; i += 1) {
  const before = performance.now()
  for (let k = 0; k < 10; k += 1) ha.info('x'.repeat(10000))
  await new Promise((resolve) => setTimeout(resolve, 10))
  worst = Math.max(worst, performance.now() - before)
}
const outcome = await log.flush(100)
process.stdout.write(JSON.stringify({ worst, outcome, lost: log.recordsLost() }), () => process.exit(5))
`

async function runChild(stderr: 'pipe' | number): Promise<void> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', CHILD], { stdio: ['ignore', 'pipe', stderr] })
  const kill = setTimeout(() => child.kill('SIGKILL'), 10_000)
  let told = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    told += text
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  clearTimeout(kill)
  const { worst, outcome, lost } = JSON.parse(told) as { worst: number; outcome: string; lost: number }
  assert.equal(outcome, 'full')
  assert.ok(lost > 0)
  assert.ok(worst < 1000, `the loop was held up for ${worst} ms`)
  assert.equal(code, 5, 'the process ended by itself')
}

test('13.5 nobody reads the socket at standard error: the agent goes on, says that its log is full, and can end', async () => {
  // Node connects its children by socket pairs; nobody reads from this one.
  await runChild('pipe')
})

test('13.5 nobody reads the pipe at standard error: the agent goes on, says that its log is full, and can end', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'config-pipe-'))
  try {
    const path = join(directory, 'pipe')
    assert.equal(spawnSync('/usr/bin/mkfifo', [path]).status, 0)
    const pipe = await open(path, constants.O_RDWR)
    try {
      await runChild(pipe.fd)
    } finally {
      await pipe.close()
    }
  } finally {
    await rm(directory, { recursive: true })
  }
})
