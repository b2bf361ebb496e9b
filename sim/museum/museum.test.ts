import assert from 'node:assert/strict'
import { test } from 'node:test'
import { perform } from '../scenario.ts'
import { MUSEUM } from './all.ts'

for (const scenario of MUSEUM) {
  test(`museum: ${scenario.name}`, async () => {
    const { violations, trace } = await perform(scenario, { guarded: true, traceLines: 60 })
    assert.deepEqual(
      violations.map(({ invariant, text }) => `${invariant}: ${text}`),
      [],
      trace.join('\n'),
    )
  })

  test(`museum: ${scenario.name}, but without "${scenario.guard.name}": it goes wrong`, async () => {
    const { violations } = await perform(scenario, { guarded: false })
    assert.notEqual(violations.length, 0)
  })
}
