import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { EARLY_LOG } from '../config/section-log.ts'
import type { LogConfig } from '../config/types.ts'
import { createLogging, type Logging } from './logging.ts'
import type { Sink } from './sink.ts'

const INFO: LogConfig = { ...EARLY_LOG, level: 'INFO', format: '%(levelname)s: %(message)s' }

class Memory implements Sink {
  readonly lines: string[] = []
  /** While set, writing hangs. */
  gate: Promise<void> | null = null
  fails = false
  async write(lines: readonly string[]): Promise<void> {
    if (this.gate) await this.gate
    if (this.fails) throw new Error('disk full')
    this.lines.push(...lines)
  }
  close(): Promise<void> {
    return Promise.resolve()
  }
}

function logging(config: Partial<LogConfig> = {}): { readonly system: Logging; readonly out: Memory } {
  const out = new Memory()
  const deps = { wallMs: () => new Date(2026, 0, 2, 3, 4, 5, 67).getTime(), pid: 42, fileMode: 0o644, stderr: out }
  return { system: createLogging({ ...INFO, ...config }, deps), out }
}

async function printed(config: Partial<LogConfig>, tell: (system: Logging) => void): Promise<readonly string[]> {
  const { system, out } = logging(config)
  tell(system)
  assert.equal(await system.flush(), 'written')
  return out.lines
}

test('13.1 the default line has the time of 23 characters and the level at column 24', async () => {
  const lines = await printed({ format: EARLY_LOG.format }, (system) => system.log('ha').info('no action'))
  assert.deepEqual(lines, ['2026-01-02 03:04:05,067 INFO: no action'])
})

test('13.1 flags, widths and every attribute of a template', async () => {
  const table: readonly (readonly [string, string])[] = [
    ['%(levelname)-8s|', 'INFO    |'],
    ['%(levelname)8s|', '    INFO|'],
    ['%(levelno)05d %(process)d %(msecs)03d', '00020 42 067'],
    ['%(name)s %(module)s %(message).3s%%', 'patroni.postgresql.config config hel%'],
    ['%(threadName)s %(processName)s %(relativeCreated)d', 'MainThread MainProcess 0'],
    ['%(created).3f', (new Date(2026, 0, 2, 3, 4, 5, 67).getTime() / 1000).toFixed(3)],
  ]
  for (const [format, expected] of table) {
    const lines = await printed({ format }, (system) => system.log('postgresql.config').info('hello'))
    assert.deepEqual(lines, [expected])
  }
})

test('13.1 the place in the program is told when the format asks for it', async () => {
  const format = '[%(pathname)s:%(lineno)d - %(funcName)s %(filename)s]: %(message)s'
  const lines = await printed({ format }, function told(system) {
    system.log('ha').info('x')
  })
  assert.match(lines[0] ?? '', /^\[.*\/log\/logging\.test\.[jt]s:\d+ - told logging\.test\.[jt]s\]: x$/)
})

test('13.1 a date format replaces the default time and its milliseconds', async () => {
  const lines = await printed({ format: '%(asctime)s %(message)s', dateFormat: '%d/%b/%Y %H:%M:%S %j' }, (system) =>
    system.log('ha').info('x'),
  )
  assert.deepEqual(lines, ['02/Jan/2026 03:04:05 002 x'])
})

test('13.1 a template without attributes or with an unknown one is refused, and nothing changes', async () => {
  const { system, out } = logging()
  for (const format of ['plain text', '%(nonsense)s', '%s', '%(message)s 100%'])
    assert.equal((await system.reconfigure({ ...INFO, format })).kind, 'broken', format)
  assert.equal((await system.reconfigure({ ...INFO, type: 'json', format: ['nonsense'] })).kind, 'broken')
  system.log('ha').info('still here')
  await system.flush()
  assert.deepEqual(out.lines, ['INFO: still here'])
})

test('13.1 a list as plain format is told and the default used', async () => {
  const { system, out } = logging()
  assert.equal((await system.reconfigure({ ...INFO, format: ['message'] })).kind, 'ok')
  await system.flush()
  assert.match(
    out.lines[0] ?? '',
    /WARNING: Expected log format to be a string when log type is plain, but got "list"$/,
  )
})

test('13.2 json: attributes, renamed attributes, static fields, traceback, no character beyond ASCII', async () => {
  const config: Partial<LogConfig> = {
    type: 'json',
    format: ['message', 'module', { asctime: '@timestamp' }, { levelname: 'level' }, 'levelno'],
    staticFields: { app: 'patroni' },
  }
  const lines = await printed(config, (system) => system.log('ha').error('é', new Error('boom')))
  assert.match(lines[0] ?? '', /"message":"\\u00e9"/)
  const { exc_info: trace, ...rest } = JSON.parse(lines[0] ?? '') as Record<string, unknown>
  assert.match(String(trace), /boom/)
  assert.deepEqual(rest, {
    message: 'é',
    module: 'ha',
    '@timestamp': '2026-01-02 03:04:05,067',
    level: 'ERROR',
    levelno: 40,
    app: 'patroni',
  })
})

test('13.2 json: names of a template are the fields; odd items are told and left out', async () => {
  assert.deepEqual(
    await printed({ type: 'json', format: '%(levelname)-8s: %(message)s' }, (system) => system.log('ha').info('x')),
    ['{"levelname":"INFO","message":"x"}'],
  )
  const { system, out } = logging()
  await system.reconfigure({ ...INFO, type: 'json', format: ['message', 5, { levelname: 5 }] })
  system.log('ha').info('x')
  await system.flush()
  assert.deepEqual(out.lines, [
    '{"message":"Expected each item of log format to be a string or dictionary, but got \\"int\\""}',
    '{"message":"Expected renamed log field to be a string, but got \\"int\\""}',
    '{"message":"x"}',
  ])
})

test('13.4 causes: a trace always, or with traceback_level DEBUG only at level DEBUG and else in one line', async () => {
  const tell = (system: Logging): void => system.log('ha').error('it failed', new Error('boom'))
  assert.match((await printed({}, tell))[0] ?? '', /^ERROR: it failed\nError: boom\n {4}at /)
  assert.deepEqual(await printed({ tracebackLevel: 'DEBUG' }, tell), ["ERROR: it failed, DETAIL: 'boom'"])
  const debug = await printed({ tracebackLevel: 'DEBUG', level: 'DEBUG' }, tell)
  assert.match(debug[0] ?? '', /^DEBUG: it failed\nError: boom\n/)
})

test('13.6 who asks is told whether debug lines go anywhere', async () => {
  const asked: (boolean | undefined)[] = []
  await printed({ loggers: { 'patroni.postgresql': 'DEBUG' } }, (system) => {
    for (const name of ['postgresql', 'postgresql.config', 'api']) asked.push(system.log(name).isDebug)
  })
  assert.deepEqual(asked, [true, true, false])
})

test('13.6 a level counts for a component and its children; names of libraries count for their counterpart', async () => {
  const loggers = { 'patroni.postgresql': 'DEBUG', 'patroni.api': 'ERROR', urllib3: 'CRITICAL', 'patroni.ha': 'NOTSET' }
  const lines = await printed({ loggers }, (system) => {
    for (const name of ['postgresql.config', 'postgresql', 'postgresqlx', 'api', 'request', 'ha', 'dcs.etcd3']) {
      system.log(name).debug(`${name} debug`)
      system.log(name).info(`${name} info`)
      system.log(name).error(`${name} error`)
    }
  })
  assert.deepEqual(lines, [
    'DEBUG: postgresql.config debug',
    'INFO: postgresql.config info',
    'ERROR: postgresql.config error',
    'DEBUG: postgresql debug',
    'INFO: postgresql info',
    'ERROR: postgresql error',
    'INFO: postgresqlx info',
    'ERROR: postgresqlx error',
    'ERROR: api error',
    'INFO: ha info',
    'ERROR: ha error',
    'INFO: dcs.etcd3 info',
    'ERROR: dcs.etcd3 error',
  ])
})

test('13.5 at level INFO "Lock owner" is printed only before something else than a heartbeat', async () => {
  const story = (system: Logging): void => {
    const ha = system.log('ha')
    ha.info('Lock owner: a; I am a')
    ha.info('no action. I am (a), the leader with the lock')
    ha.info('Lock owner: a; I am a')
    system.log('api').info('request')
    ha.info('no action. I am (a), the leader with the lock')
    ha.info('Lock owner: b; I am a')
    ha.info('demoting self')
    ha.info('Lock owner: a; I am a')
    ha.info('PAUSE: no action. I am (a)')
    ha.info('Lock owner: last')
  }
  assert.deepEqual(await printed({}, story), [
    'INFO: no action. I am (a), the leader with the lock',
    'INFO: request',
    'INFO: no action. I am (a), the leader with the lock',
    'INFO: Lock owner: b; I am a',
    'INFO: demoting self',
    'INFO: PAUSE: no action. I am (a)',
    'INFO: Lock owner: last',
  ])
  assert.equal((await printed({ level: 'DEBUG' }, story)).length, 10)
})

test('13.5 repeated heartbeats are left out only if that is asked for, and only until something else happens', async () => {
  const story = (system: Logging): void => {
    for (const text of ['no action. 1', 'no action. 1', 'no action. 2', 'other', 'no action. 2'])
      system.log('ha').info(text)
  }
  assert.equal((await printed({}, story)).length, 5)
  assert.deepEqual(await printed({ deduplicateHeartbeatLogs: true }, story), [
    'INFO: no action. 1',
    'INFO: no action. 2',
    'INFO: other',
    'INFO: no action. 2',
  ])
})

test('13.5 a destination that hangs loses records and never blocks; the loss is told afterwards', async () => {
  const { system, out } = logging({ maxQueueSize: 3 })
  let open = (): void => undefined
  out.gate = new Promise((resolve) => {
    open = resolve
  })
  const ha = system.log('ha')
  for (let i = 1; i <= 5; i += 1) ha.info(`line ${i}`)
  await new Promise((resolve) => {
    setImmediate(resolve)
  })
  assert.equal(system.queueSize(), 3)
  assert.equal(system.recordsLost(), 2)
  assert.equal(await system.flush(20), 'full')
  out.gate = null
  open()
  assert.equal(await system.flush(), 'written')
  ha.info('after')
  await system.flush()
  assert.deepEqual(out.lines, [
    'INFO: line 1',
    'INFO: line 2',
    'INFO: line 3',
    'WARNING: QueueHandler has lost 2 log records',
    'INFO: after',
  ])
})

test('13.5 records that cannot be written are counted and told after the next success', async () => {
  const { system, out } = logging()
  out.fails = true
  system.log('ha').info('lost')
  await system.flush()
  out.fails = false
  system.log('ha').info('kept')
  await system.flush()
  assert.deepEqual(out.lines, ['INFO: kept', 'WARNING: QueueHandler has lost 1 log records'])
  assert.equal(system.recordsLost(), 1)
})

test('13.3 a file is rotated before it would reach its size, with the wanted permissions', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'config-log-'))
  try {
    const { system } = logging()
    const file = { ...INFO, format: '%(message)s', dir, fileSize: 30, fileNum: 2, mode: 0o640 }
    assert.equal((await system.reconfigure(file)).kind, 'ok')
    for (let i = 1; i <= 9; i += 1) system.log('ha').info(`message ${i}`)
    await system.flush()
    assert.deepEqual((await readdir(dir)).toSorted(), ['patroni.log', 'patroni.log.1', 'patroni.log.2'])
    assert.equal(await readFile(join(dir, 'patroni.log'), 'utf8'), 'message 9\n')
    assert.equal(await readFile(join(dir, 'patroni.log.1'), 'utf8'), 'message 7\nmessage 8\n')
    assert.equal((await stat(join(dir, 'patroni.log'))).mode & 0o777, 0o640)
  } finally {
    await rm(dir, { recursive: true })
  }
})

test('13.3 and 16 W15 destinations are switched while running: standard error, a file, another directory, back', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'config-log-'))
  const other = await mkdtemp(join(tmpdir(), 'config-log-'))
  try {
    const { system, out } = logging()
    const ha = system.log('ha')
    ha.info('1')
    await system.reconfigure({ ...INFO, dir })
    ha.info('2')
    await system.reconfigure({ ...INFO, dir: other, level: 'ERROR' })
    ha.info('not printed')
    ha.error('3')
    await system.reconfigure(INFO)
    ha.info('4')
    assert.equal((await system.reconfigure({ ...INFO, dir: join(dir, 'missing') })).kind, 'broken')
    ha.info('5')
    await system.flush()
    assert.deepEqual(out.lines, ['INFO: 1', 'INFO: 4', 'INFO: 5'])
    assert.equal(await readFile(join(dir, 'patroni.log'), 'utf8'), 'INFO: 2\n')
    assert.equal(await readFile(join(other, 'patroni.log'), 'utf8'), 'ERROR: 3\n')
  } finally {
    await rm(dir, { recursive: true })
    await rm(other, { recursive: true })
  }
})
