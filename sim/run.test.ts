import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runSeed } from './run.ts'

const REQUEST = { hours: 0.2, without: new Set<number>(), traceLines: 100_000, pardoned: new Set<string>() }

test('one seed is one history, to the last line of the log', async () => {
  const [one, again, other] = [
    await runSeed({ ...REQUEST, seed: 'same' }),
    await runSeed({ ...REQUEST, seed: 'same' }),
    await runSeed({ ...REQUEST, seed: 'other' }),
  ]
  assert.ok(one.trace.length > 100)
  assert.deepEqual(one.trace, again.trace)
  assert.notDeepEqual(one.trace, other.trace)
})

test('a fault that is left out does not happen, and the others stay what they were', async () => {
  const all = await runSeed({ ...REQUEST, seed: 'left out' })
  const [first, second] = all.faults
  assert.ok(first && second)
  const less = await runSeed({ ...REQUEST, seed: 'left out', without: new Set([first.index]) })
  assert.deepEqual(less.faults[0], second)
})
