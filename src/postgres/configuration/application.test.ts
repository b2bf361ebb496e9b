import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clusterSettings, DEFAULT_TIMING } from '../../cluster/settings.ts'
import type { SqlOutcome, SqlRow } from '../parts.ts'
import { createApplication } from './application.ts'
import { parametersFrom } from './parameters.ts'
import type { ConfigurationDependencies, ConfigurationWriter } from './writer.ts'

const never = new AbortController().signal
const WORK_MEM = { name: 'work_mem', setting: '4096', unit: 'kB', vartype: 'integer', context: 'user' }
/** PostgreSQL before 14 calls its own limit of the stack a wish of the environment. */
const MAX_STACK_DEPTH = {
  name: 'max_stack_depth',
  setting: '2048',
  unit: 'kB',
  vartype: 'integer',
  context: 'superuser',
}

/** A primary of PostgreSQL 13 that runs as it is configured, with an agent that finds it. */
function found() {
  const log: string[] = []
  const sources = [
    { row: WORK_MEM, source: 'command line' },
    { row: MAX_STACK_DEPTH, source: 'environment variable' },
  ]
  const query = async (sql: string, [names]: readonly unknown[]): Promise<SqlOutcome> => {
    const rows: SqlRow[] = sql.includes('sourcefile')
      ? sources
          .filter(({ source }) => sql.includes(`'${source}'`))
          .map(({ row }) => ({ name: row.name, value: `${Number(row.setting) / 1024}MB` }))
      : sql.includes('setting, unit')
        ? sources.map(({ row }) => row).filter(({ name }) => (names as readonly string[]).includes(name))
        : []
    return { kind: 'rows', rows }
  }
  const deps = {
    log: { info: (text: string) => log.push(text), warning: (text: string) => log.push(text) },
    clock: { now: () => 0, sleep: async () => {} },
    memory: { role: 'primary', state: 'running' },
    settings: () => clusterSettings({}, DEFAULT_TIMING),
    server: () => ({ sql: { query }, reload: () => true }),
  } as unknown as ConfigurationDependencies
  const writer = {
    state: { effective: null, custom: null, syncNames: null, raised: {} },
    majorVersion: () => 130000,
    config: () => ({ postgresql: { configDir: '/data' } }),
    compute: () => ({ parameters: parametersFrom({ work_mem: '4MB' }), recoveryConf: new Map() }),
    writeAccess: async () => false,
    writeMain: async () => {},
  } as unknown as ConfigurationWriter
  return { log, application: createApplication(deps, writer) }
}

test('1.4 and 2.2 what a running server has by itself is no setting that somebody took away', async () => {
  const { log, application } = found()
  await application.joinRunning('primary', never)
  assert.deepEqual(log, ['No PostgreSQL configuration items changed, nothing to reload.'])
})
