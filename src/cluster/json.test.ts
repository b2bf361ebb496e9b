import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseJson } from './json.ts'

test('what is nested deeper than anything of ours is no document: it could be parsed, but neither compared nor printed', () => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
  assert.equal(JSON.stringify(parseJson(nested(100))), nested(100))
  assert.equal(parseJson(nested(101)), undefined)
  assert.equal(parseJson(`{"a": ${nested(20_000)}}`), undefined)
  assert.deepEqual(parseJson(`{"a": "${nested(200)}\\"[", "b": []}`), { a: `${nested(200)}"[`, b: [] })
  assert.equal(parseJson('{"a": '), undefined)
  assert.equal(parseJson('null'), null)
})
