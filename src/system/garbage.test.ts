import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GarbageWatch } from './garbage.ts'

const MB = 1024 * 1024

test('garbage of 4 MB is collected, less is left, and what lives does not count', () => {
  let used = 20 * MB
  let live = 12 * MB
  let collected = 0
  const watch = new GarbageWatch({
    usedBytes: () => used,
    collect: () => {
      collected += 1
      used = live
    },
  })
  const grow = (bytes: number): number => {
    used += bytes
    watch.look()
    return collected
  }
  assert.equal(grow(3 * MB), 0)
  assert.equal(grow(1 * MB), 1, '4 MB since the start')
  assert.equal(grow(3 * MB), 1, '3 MB since the collection')
  used = 9 * MB
  assert.equal(grow(0), 1, 'V8 has collected by itself')
  assert.equal(grow(4 * MB), 2)
  live = 40 * MB
  assert.equal(grow(30 * MB), 3)
  assert.equal(grow(3 * MB), 3, 'it is not collected again and again because more lives than before')
})
