import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Instant } from '../../cluster/time.ts'
import { BackupProgress, parseProgress } from './progress.ts'

test('5.3 lines of pg_basebackup --progress are understood, others are not', () => {
  const lines: readonly (readonly [string, ReturnType<typeof parseProgress>])[] = [
    ['  2048/40960 kB (5%), 0/1 tablespace', { doneBytes: 2_097_152, totalBytes: 41_943_040 }],
    ['40961/40960 kB (100%), 2/2 tablespaces', { doneBytes: 41_944_064, totalBytes: 41_944_064 }],
    ['   7/0 kB (100%), 0/1 tablespace (...data/base/1/2)', { doneBytes: 7168, totalBytes: null }],
    ['pg_basebackup: error: connection failed', null],
    ['waiting for checkpoint', null],
  ]
  for (const [line, expected] of lines) assert.deepEqual(parseProgress(line), expected, line)
})

test('5.3 a long copy is told in the log twice a minute', () => {
  let now = 0
  const lines: string[] = []
  const log = { debug() {}, warning() {}, error() {}, critical() {}, info: (text: string) => void lines.push(text) }
  const clock = {
    now: () => now as Instant,
    wallMs: () => now,
    sleep: async () => {},
    deadline: () => ({ signal: new AbortController().signal, done: () => {} }),
  }
  const progress = new BackupProgress(clock, log)
  progress.begin()
  for (now = 0; now <= 65_000; now += 1000) assert.ok(progress.read(`${now}/130000 kB (1%), 0/1 tablespace`))
  assert.deepEqual(lines, [
    'pg_basebackup: 30720000 bytes of 133120000 (23%) copied',
    'pg_basebackup: 61440000 bytes of 133120000 (46%) copied',
  ])
  assert.equal(progress.current?.doneBytes, 66_560_000)
  progress.end()
  assert.equal(progress.current, null)
})
