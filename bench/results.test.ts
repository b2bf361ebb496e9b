import assert from 'node:assert/strict'
import { test } from 'node:test'
import { median, type Result, table } from './results.ts'

test('the median of an even number of runs lies between the two in the middle', () => {
  assert.equal(median([5, 1, 3]), 3)
  assert.equal(median([4, 1, 3, 2]), 2.5)
  assert.ok(Number.isNaN(median([])))
})

test('the table has a column for each agent, and says where a scenario failed', () => {
  const result = (label: string, gaps: readonly number[]): Result => ({
    label,
    date: '2026-01-01T00:00:00Z',
    machine: { processors: 2, node: '20', postgres: '15', store: 'etcd 3.4', load: 0.5 },
    timing: { ttl: 30, loopWait: 10, retryTimeout: 10 },
    scenarios: gaps.length > 0 ? { switchover: gaps.map((gapMs) => ({ gapMs })) } : {},
    failures: gaps.length > 0 ? {} : { switchover: ['not within 60 s'] },
  })
  const text = table([result('a', [700, 500, 900]), result('b', [])])
  assert.match(text, /what a client sees +\| a \(ttl 30, loop_wait 10\) \| b/)
  assert.match(text, /writes stop during a switchover +\| 0\.70 s +\| failed +\|/)
  assert.equal(
    new Set(
      text
        .trim()
        .split('\n')
        .map((line) => line.length),
    ).size,
    1,
    'laid out as the formatter wants it',
  )
})
