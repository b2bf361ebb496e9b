import assert from 'node:assert/strict'
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { recordedLog } from '../../test/support/server.ts'
import type { Config } from '../config/types.ts'
import { callbacks } from './callbacks.ts'
import { linuxProcessTable } from './process-table.ts'

const table = linuxProcessTable()

async function setUp(t: TestContext, commands: (file: string) => Readonly<Record<string, string>>) {
  const directory = await mkdtemp(join(tmpdir(), 'pga-'))
  t.after(() => rm(directory, { recursive: true }))
  const file = join(directory, 'calls')
  await appendFile(file, '')
  const log = recordedLog()
  const config = { scope: 'demo', postgresql: { callbacks: commands(file) } } as unknown as Config
  const called = () => readFile(file, 'utf8')
  return { made: callbacks(() => config, table, log), log, called }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 500 && !(await holds()); i++) await new Promise((resolve) => setTimeout(resolve, 10))
  assert.ok(await holds())
}

test('9.1 a callback gets its own words, the action, the role and the scope; promoted is said as primary', async (t) => {
  const { made, called } = await setUp(t, (file) => ({ on_role_change: `sh -c 'echo "$@" >> ${file}' sh 'my arg'` }))
  made.fire('on_role_change', 'promoted')
  await until(async () => (await called()) === 'my arg on_role_change primary demo\n')
})

test('9.3 an attempt counts whether something is configured or not, a reload does not', async (t) => {
  const { made } = await setUp(t, () => ({}))
  made.fire('on_reload', 'primary')
  assert.equal(made.attempted, false)
  made.fire('on_start', 'primary')
  assert.equal(made.attempted, true)
})

test('9.2 a new callback kills the running one with its children; of those that wait the latest runs', async (t) => {
  const { made, called, log } = await setUp(t, (file) => ({
    on_start: `sh -c 'echo begin >> ${file}; sleep 60; echo never >> ${file}'`,
    on_stop: `sh -c 'echo stop >> ${file}'`,
    on_role_change: `sh -c 'echo "$2" >> ${file}' sh`,
  }))
  made.fire('on_start', 'replica')
  await until(async () => (await called()) === 'begin\n')
  made.fire('on_stop', 'replica')
  made.fire('on_role_change', 'primary')
  await until(async () => (await called()) === 'begin\nprimary\n')
  assert.ok(
    log.lines.some((line) => line.startsWith('WARNING Killed sh -c') && line.endsWith('because it was still running')),
  )
})

test('9.2 on_reload has a slot of its own', async (t) => {
  const { made, called } = await setUp(t, (file) => ({
    on_start: `sh -c 'sleep 0.3; echo start >> ${file}'`,
    on_reload: `sh -c 'echo reload >> ${file}'`,
  }))
  made.fire('on_start', 'primary')
  made.fire('on_reload', 'primary')
  await until(async () => (await called()) === 'reload\nstart\n')
})

test('9.1 a callback that cannot be started is logged, and the next one runs', async (t) => {
  const { made, called, log } = await setUp(t, (file) => ({
    on_start: '/nowhere/script',
    on_restart: `echo "unclosed`,
    on_stop: `sh -c 'echo stop >> ${file}'`,
  }))
  made.fire('on_start', 'primary')
  made.fire('on_restart', 'primary')
  made.fire('on_stop', 'primary')
  await until(async () => (await called()) === 'stop\n')
  assert.ok(log.lines.some((line) => line.includes('Failed to start the callback /nowhere/script')))
  assert.ok(log.lines.some((line) => line.includes('callback on_restart: a quotation mark')))
})
