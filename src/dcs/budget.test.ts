import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { divide, leastTryMs, Pauses } from './budget.ts'

test('1.6 the time left is divided over endpoints and tries as in the table', () => {
  const table: readonly [timeMs: number, endpoints: number, used: number, tries: number, perTryMs: number][] = [
    [10_000, 1, 1, 3, 3333],
    [10_000, 2, 2, 2, 2500],
    [10_000, 3, 3, 1, 3333],
    [10_000, 5, 5, 1, 2000],
    [3000, 1, 1, 3, 1000],
    [3000, 2, 2, 1, 1500],
    [3000, 3, 3, 1, 1000],
    [3000, 5, 3, 1, 1000],
    [2000, 1, 1, 2, 1000],
  ]
  for (const [timeMs, endpoints, used, tries, perTryMs] of table) {
    const division = divide(timeMs, endpoints, 1000)
    const shown = division && [division.endpoints, division.tries, Math.floor(division.perTryMs)]
    assert.deepEqual(shown, [used, tries, perTryMs], `${timeMs} ms over ${endpoints}`)
  }
})

test('1.6 connecting may take half of a try, but a second at least', () => {
  assert.equal(divide(10_000, 1, 1000)?.connectMs, 10_000 / 6)
  assert.equal(divide(3000, 3, 1000)?.connectMs, 1000)
})

test('1.6 there is no try where less than a second is left', () => {
  assert.equal(divide(900, 1, 1000), null)
  assert.equal(divide(0, 3, 1000), null)
})

test('a budget of which preparing the request has used a little is divided as if it were whole', () => {
  assert.equal(divide(2990, 3, 1000)?.endpoints, 3)
  assert.equal(divide(2990, 1, 1000)?.tries, 3)
})

test('a retry time below 3 s still has room for tries', () => {
  const least = leastTryMs(1000)
  assert.equal(divide(1000, 1, least)?.tries, 3)
  assert.equal(divide(1000, 3, least)?.endpoints, 3)
})

test('property: the tries together never take longer than the time there is', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 60_000, noNaN: true }),
      fc.integer({ min: 1, max: 9 }),
      (timeMs, endpoints) => {
        const division = divide(timeMs, endpoints, 1000)
        if (!division) return timeMs < 1000
        return (
          division.endpoints <= endpoints &&
          division.endpoints * division.tries * division.perTryMs <= timeMs + 1e-6 &&
          division.connectMs <= division.perTryMs
        )
      },
    ),
  )
})

test('1.6 pauses double from 0.1 s to 1 s, with up to 0.8 s of jitter', () => {
  const without = new Pauses({ next: () => 0 })
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6].map(() => without.next()),
    [100, 200, 400, 800, 1000, 1000],
  )
  assert.equal(new Pauses({ next: () => 0.5 }).next(), 500)
})
