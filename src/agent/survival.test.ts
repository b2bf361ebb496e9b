import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keptLog } from '../api/testing/fake-agent.ts'
import type { Instant } from '../cluster/time.ts'
import { survivor } from './survival.ts'

test('an error that nobody caught is told in one line with its cause, whatever was thrown', () => {
  const unprintable = Object.create(null) as object
  const thrown: readonly (readonly [unknown, string])[] = [
    [new RangeError('Maximum call stack size exceeded'), 'RangeError: Maximum call stack size exceeded'],
    [new Error('two\nlines'), 'Error: two lines'],
    ['text', 'text'],
    [undefined, 'undefined'],
    [null, 'null'],
    [unprintable, 'a object that can not be printed'],
    [new Error('x'.repeat(1_000_000)), `Error: ${'x'.repeat(293)}`],
  ]
  for (const [error, cause] of thrown) {
    const log = keptLog()
    survivor(log, () => 0 as Instant)(error)
    assert.deepEqual(log.lines, [`ERROR: Unexpected exception, the agent goes on: ${cause}`])
  }
})

test('an error that comes again and again is told once a minute, with how often it came', () => {
  let nowMs = 0
  const log = keptLog()
  const survive = survivor(log, () => nowMs as Instant)
  for (; nowMs <= 60_000; nowMs += 10) survive(new Error('a timer'))
  survive(new Error('another one'))
  assert.deepEqual(log.lines, [
    'ERROR: Unexpected exception, the agent goes on: Error: a timer',
    'ERROR: Unexpected exception, the agent goes on: Error: a timer, 5999 more times since it was told last',
    'ERROR: Unexpected exception, the agent goes on: Error: another one',
  ])
})

test('however many different errors there are, few are remembered, and each is told', () => {
  const log = keptLog()
  const survive = survivor(log, () => 0 as Instant)
  for (let i = 0; i < 1000; i++) survive(new Error(`number ${i}`))
  assert.equal(log.lines.length, 1000)
})
