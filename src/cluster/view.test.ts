import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type StoredValue, version } from './stored.ts'
import { KEYS, ViewReader, viewFromKeys } from './view.ts'

function stored(text: string, written = '1', session: string | null = null): StoredValue {
  return { text, version: version(written), session }
}

const names = [KEYS.initialize, KEYS.config, KEYS.leader, KEYS.status, KEYS.legacyOptime, KEYS.history, KEYS.failover]
const keys = [...names, KEYS.sync, KEYS.failsafe, 'members/a', 'members/b', 'members/', 'members/a/b', 'unknown']
const texts = [
  '',
  'a',
  '{',
  '{}',
  '[]',
  '{"ttl":30}',
  '{"ttl":5}',
  '{"leader":"a"}',
  '{"optime":7}',
  '[[1,2,"x"]]',
  '9',
]
const trees = fc.array(
  fc.tuple(
    fc.constantFrom(...keys),
    fc
      .tuple(fc.constantFrom(...texts), fc.constantFrom('1', '2'), fc.constantFrom(null, 's'))
      .map(([text, written, session]) => stored(text, written, session)),
  ),
)

test('dcs 1.2 a reader that has seen other trees before reads each tree as if it were the first', () => {
  fc.assert(
    fc.property(fc.array(trees, { minLength: 2, maxLength: 6 }), (series) => {
      const reader = new ViewReader()
      for (const tree of series) assert.deepEqual(reader.read(new Map(tree)), viewFromKeys(new Map(tree)))
    }),
  )
})

test('dcs 1.2 what has not changed stays the same object, though the store answers anew', () => {
  const reader = new ViewReader()
  const tree = (status: string): Map<string, StoredValue> =>
    new Map([
      [KEYS.config, stored('{"ttl":30}')],
      [KEYS.status, stored(status)],
      ['members/a', stored('{"state":"running"}')],
      ['members/b', stored(`{"xlog_location":${status}}`)],
    ])
  const before = reader.read(tree('1'))
  const after = reader.read(tree('2'))
  assert.equal(after.config?.document, before.config?.document)
  assert.equal(after.members[0], before.members[0])
  assert.equal(after.status.lastLsn, 2)
  assert.equal(after.members[1]?.data.xlogLocation, 2)
})
