import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLinearizable, type Operation } from './linearizable.ts'

const NEVER = Number.POSITIVE_INFINITY
const write = (from: number, to: number, value: string): Operation => ({
  kind: 'write',
  invokedAt: from,
  returnedAt: to,
  value,
  next: null,
  succeeded: null,
})
const read = (from: number, to: number, value: string | null): Operation => ({
  ...write(from, to, ''),
  kind: 'read',
  value,
})
const swap = (from: number, to: number, value: string, next: string, succeeded: boolean | null): Operation => ({
  ...write(from, to, value),
  kind: 'compare-and-set',
  next,
  succeeded,
})

test('histories that some order explains are accepted', () => {
  const cases: readonly (readonly Operation[])[] = [
    [],
    [read(0, 1, null), write(2, 3, 'a'), read(4, 5, 'a')],
    // Both reads overlap the write: one sees it, the other does not yet.
    [write(0, 10, 'a'), read(1, 4, null), read(5, 9, 'a')],
    // A write whose answer was lost took effect later.
    [write(0, NEVER, 'a'), read(1, 2, null), read(3, 4, 'a')],
    [write(0, 1, 'a'), swap(2, 9, 'a', 'b', true), swap(3, 8, 'a', 'c', false), read(10, 11, 'b')],
    [write(0, 1, 'a'), swap(2, NEVER, 'a', 'b', null), read(10, 11, 'a'), read(12, 13, 'b')],
  ]
  for (const history of cases) assert.equal(isLinearizable(history), 'yes')
})

test('stale reads, lost updates and double success are found', () => {
  const cases: readonly (readonly Operation[])[] = [
    [write(0, 1, 'a'), read(2, 3, null)],
    [write(0, 1, 'a'), write(2, 3, 'b'), read(4, 5, 'a')],
    [write(0, 10, 'a'), read(1, 4, 'a'), read(5, 9, null)],
    [write(0, 1, 'a'), swap(2, 9, 'a', 'b', true), swap(3, 8, 'a', 'c', true)],
    [write(0, 1, 'a'), swap(2, 3, 'x', 'b', true)],
    [write(0, 1, 'a'), swap(2, 3, 'a', 'b', false)],
  ]
  for (const history of cases) assert.equal(isLinearizable(history), 'no')
})
