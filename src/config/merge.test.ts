import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { JsonObject } from '../cluster/json.ts'
import { mergePatch, sameDocument } from './merge.ts'

test('1.6 a patch deletes by null, merges mappings and replaces everything else', () => {
  const table: readonly (readonly [JsonObject, JsonObject, JsonObject])[] = [
    [{ a: 1 }, { a: null }, {}],
    [{ a: { b: 1, c: 2 } }, { a: { b: null, d: 3 } }, { a: { c: 2, d: 3 } }],
    [{ a: [1, 2] }, { a: [3] }, { a: [3] }],
    [{ a: 1 }, { a: { b: 1 } }, { a: { b: 1 } }],
    [{ a: { b: 1 } }, { a: 'x' }, { a: 'x' }],
    [{}, { a: { b: null } }, { a: { b: null } }],
    [{ a: 10 }, { a: '10' }, { a: 10 }],
    [{ a: true }, { a: 'True' }, { a: true }],
    [{ a: true }, { a: 'true' }, { a: 'true' }],
  ]
  for (const [base, patch, expected] of table) assert.deepEqual(mergePatch(base, patch), expected)
})

test('1.6 a patch that changes nothing gives back the same object', () => {
  const base = { a: 10, b: { c: [1, 2], d: null } }
  for (const patch of [{}, { a: '10' }, { b: { c: [1, 2] } }, { x: null }]) assert.equal(mergePatch(base, patch), base)
})

test('1.6 documents are equal when keys match and leaves have one text form', () => {
  assert.ok(sameDocument({ a: 10, b: { c: [1] } }, { b: { c: ['1'].map(Number) }, a: '10' }))
  assert.ok(!sameDocument({ a: null }, {}))
  assert.ok(!sameDocument({ a: {} }, { a: '{}' }))
  assert.ok(!sameDocument({ a: 1 }, { b: 1 }))
  assert.ok(sameDocument({ a: null }, { a: null }))
})

const document = fc.dictionary(
  fc.constantFrom('a', 'b', 'c', '__proto__', 'toString'),
  fc.jsonValue({ maxDepth: 2 }),
) as fc.Arbitrary<JsonObject>

test('1.6 applying a patch without nested nulls twice is the same as applying it once', () => {
  const plain = document.filter((patch) =>
    Object.values(patch).every((v) => v === null || !JSON.stringify(v).includes('null')),
  )
  fc.assert(
    fc.property(document, plain, (base, patch) => {
      const once = mergePatch(base, patch)
      assert.equal(JSON.stringify(mergePatch(once, patch)), JSON.stringify(once))
    }),
  )
})
