import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { systemClock } from '../system/clock.ts'
import { commandRunner } from './command-runner.ts'
import { parseControlData } from './control-data.ts'
import { linuxProcessTable } from './process-table.ts'
import { parseVersion } from './version.ts'

const runner = commandRunner(systemClock, linuxProcessTable())
const never = new AbortController().signal

test('1.1 a version that no PostgreSQL has is unknown, never a number that cannot be compared', () => {
  for (const text of ['', 'PostgreSQL', '9'.repeat(1000), '-15', 'NaN', '\u0000', '\ufffd15'])
    assert.equal(parseVersion(text), 0, text.slice(0, 20))
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9.]{0,30}$/)), (text) => {
      const version = parseVersion(text)
      assert.ok(Number.isSafeInteger(version) && version >= 0, `${version}`)
    }),
  )
})

test('1.12 whatever pg_controldata prints, its facts are of their type or missing', () => {
  const key = fc.constantFrom(
    'Database cluster state',
    'Database system identifier',
    'Latest checkpoint location',
    '__proto__',
    'constructor',
    "Latest checkpoint's TimeLineID",
    'Minimum recovery ending location',
    "Min recovery ending loc's timeline",
    '',
  )
  const value = fc.oneof(fc.string(), fc.constantFrom('0/0', 'FFFFFFFF/FFFFFFFF', '0/FFFFFFFFF', '-1', '4294967296'))
  const line = fc.tuple(key, fc.constantFrom(':', ': ', '', '::'), value).map((parts) => parts.join(''))
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const data = parseControlData(lines.join('\n'))
      if (!data) return
      assert.equal(typeof data.clusterState, 'string')
      assert.equal(typeof data.systemIdentifier, 'string')
      for (const position of [data.checkpointLsn, data.minRecoveryLsn])
        assert.ok(position === null || typeof position === 'bigint' || Number.isSafeInteger(position), `${position}`)
      for (const timeline of [data.checkpointTimeline, data.minRecoveryTimeline])
        assert.ok(timeline === null || (Number.isSafeInteger(timeline) && timeline >= 0), `${timeline}`)
    }),
  )
})

test('1.13 output that is garbage, or more than anybody reads, is cut and harms nobody', async () => {
  const run = (script: string) => runner.run(['sh', '-c', script], { signal: never })
  const much = await run('head -c 20000000 /dev/zero; head -c 20000000 /dev/zero >&2')
  assert.equal(much.code, 0)
  assert.ok(much.stdout.length < 9_000_000 && much.stderr.length < 9_000_000)
  const garbage = await run("printf '\\377\\376\\000x'")
  assert.equal(garbage.stdout, '\ufffd\ufffd\u0000x')
  assert.deepEqual(await run('kill -SEGV $$'), { code: null, stdout: '', stderr: '', failure: 'killed' })
})

test('1.13 a command that prints without end is ended when its time is over', async () => {
  const end = new AbortController()
  const running = runner.run(['sh', '-c', 'exec yes'], { signal: end.signal })
  await new Promise((resolve) => {
    setTimeout(resolve, 100)
  })
  end.abort()
  const { failure, stdout } = await running
  assert.equal(failure, 'cancelled')
  assert.ok(stdout.length < 9_000_000)
})

test('1.13 lines are handed over one by one, and a line without end in pieces', async () => {
  const lines: string[] = []
  const onErrorLine = (line: string): boolean => {
    lines.push(line)
    return true
  }
  const run = (script: string) => runner.run(['sh', '-c', script], { onErrorLine, signal: never })
  await run("printf 'a\\r\\nb\\rc\\n\\nd' >&2")
  assert.deepEqual(lines.splice(0), ['a', 'b', 'c', '', 'd'])
  await run('head -c 10000000 /dev/zero >&2')
  assert.ok(lines.every((line) => line.length <= 256 * 1024))
  assert.equal(lines.join('').length, 10_000_000)
})
