import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Json } from '../cluster/json.ts'
import { sameContent } from './same-content.ts'

test('1.9 documents say the same whatever the order of their keys and whether numbers are text', () => {
  const same: readonly [Json, Json][] = [
    [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ],
    [{ optime: 67393608 }, { optime: '67393608' }],
    [{ slots: { x: '2' } }, { slots: { x: 2 } }],
    [['a'], ['a']],
    [null, null],
  ]
  for (const [a, b] of same) assert.ok(sameContent(a, b) && sameContent(b, a), JSON.stringify([a, b]))
})

test('1.9, 6.25 documents that mean something else differ, however alike their texts look', () => {
  const different: readonly [Json | undefined, Json][] = [
    [{ a: 1 }, { a: 2 }],
    [{ a: 1 }, { a: 1, b: null }],
    [{ a: null }, { b: null }],
    [
      ['a', 'b'],
      ['b', 'a'],
    ],
    [true, 'true'],
    [null, 'null'],
    [{}, []],
    [undefined, null],
    [undefined, {}],
    [{ constructor: 1 }, {}],
    [{}, { toString: 1 }],
  ]
  for (const [a, b] of different) assert.ok(!sameContent(a, b), JSON.stringify([a, b]))
})

test('property: a document that was written and read again says the same', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const json = value as Json
      return sameContent(JSON.parse(JSON.stringify(json)) as Json, JSON.parse(JSON.stringify(json)) as Json)
    }),
  )
})
