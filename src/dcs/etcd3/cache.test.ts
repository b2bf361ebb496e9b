import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Cache, type Change, eventOf } from './cache.ts'
import type { KeyValue } from './wire.ts'

const P = '/service/b/'
const kv = (key: string, value: string, modRevision: number | string, lease: string | null = null): KeyValue => ({
  key: P + key,
  value,
  modRevision: String(modRevision),
  lease,
})
const put = (key: string, value: string, revision: number): Change => ({ kind: 'put', kv: kv(key, value, revision) })
const gone = (key: string, revision: number): Change => ({
  kind: 'delete',
  key: P + key,
  modRevision: String(revision),
})

function list(cache: Cache, kvs: readonly KeyValue[], revision: number): Change[] {
  const news = cache.newsIn(kvs, String(revision))
  for (const change of news) cache.correct(change)
  cache.reached(String(revision))
  return news
}

test('1.8 a watch event counts only when it is newer than what is known', () => {
  const cache = new Cache(P)
  list(cache, [kv('leader', 'a', 5)], 5)
  assert.equal(cache.apply(put('leader', 'old', 4)), undefined)
  assert.equal(cache.apply(put('leader', 'a', 5)), undefined)
  assert.equal(cache.apply(put('leader', 'b', 6))?.value, 'a')
  assert.equal(cache.apply(gone('leader', 6)), undefined)
  assert.equal(cache.apply(gone('leader', 7))?.value, 'b')
  assert.equal(cache.view().leader, null)
})

test('a late answer to a write does not bring a deleted key back', () => {
  const cache = new Cache(P)
  list(cache, [], 5)
  cache.apply(put('sync', 'x', 6))
  cache.apply(gone('sync', 7))
  assert.equal(cache.apply(put('sync', 'x', 6)), undefined)
  cache.reached('7')
  assert.equal(cache.get(`${P}sync`), null)
})

test('a list deletes what it does not have, but not what we wrote after it was read', () => {
  const cache = new Cache(P)
  list(cache, [kv('leader', 'a', 3), kv('sync', 's', 4)], 5)
  cache.apply(put('failover', 'f', 9))
  list(cache, [kv('leader', 'a', 3)], 8)
  assert.equal(cache.get(`${P}sync`), null)
  assert.equal(cache.get(`${P}failover`)?.value, 'f')
})

test('after a restore from a backup, older revisions replace newer ones', () => {
  const cache = new Cache(P)
  list(cache, [kv('leader', 'a', 90), kv('sync', 's', 80)], 100)
  const news = list(cache, [kv('leader', 'b', 10)], 20)
  assert.equal(news.length, 2)
  assert.equal(cache.get(`${P}leader`)?.value, 'b')
  assert.equal(cache.get(`${P}sync`), null)
  assert.equal(cache.revision, '20')
  assert.notEqual(cache.apply(put('leader', 'c', 21)), undefined)
})

test('a restored store that has moved on past the revision we knew is believed as well', () => {
  const cache = new Cache(P)
  list(cache, [kv('leader', 'a', 90)], 100)
  list(cache, [kv('leader', 'b', 60)], 150)
  assert.equal(cache.get(`${P}leader`)?.value, 'b')
})

test('the view is read from the keys under the prefix, each with its revision and lease', () => {
  const cache = new Cache(P)
  list(cache, [kv('leader', 'a', 3, '77'), kv('members/a', '{"state":"running"}', 2, '77'), kv('unknown', 'x', 1)], 5)
  assert.deepEqual(cache.view().leader, { name: 'a', version: '3', session: '77' })
  assert.deepEqual(
    cache.view().members.map(({ name, session }) => [name, session]),
    [['a', '77']],
  )
  assert.equal(cache.view(), cache.view(), 'read once for each change')
})

test('property: events and answers in any order lead to the state of the highest revision', () => {
  const keys = ['leader', 'sync', 'failover'] as const
  const changes = fc.array(fc.tuple(fc.constantFrom(...keys), fc.boolean()), { minLength: 1, maxLength: 12 })
  fc.assert(
    fc.property(changes, fc.array(fc.nat(30), { maxLength: 10 }), (history, echoes) => {
      const log = history.map(([key, isPut], i) => (isPut ? put(key, `v${i}`, i + 1) : gone(key, i + 1)))
      const cache = new Cache(P)
      // The watch tells everything in order; answers to our writes come before or after, once more.
      for (const [i, change] of log.entries()) {
        for (const echo of echoes) {
          const early = log[i + (echo % 3)]
          if (early && echo % 2 === 0) cache.apply(early)
        }
        cache.apply(change)
        cache.reached(String(i + 1))
        const late = log[i - ((echoes[i] ?? 0) % (i + 1))]
        if (late) cache.apply(late)
      }
      for (const key of keys) {
        const last = log.findLast((change) => (change.kind === 'put' ? change.kv.key : change.key) === P + key)
        const expected = last?.kind === 'put' ? last.kv.value : null
        assert.equal(cache.get(P + key)?.value ?? null, expected, key)
      }
    }),
  )
})

test('1.8 which changes wake somebody up', () => {
  const a = kv('x', 'a', 1)
  const b = kv('x', 'b', 2)
  const table: readonly [key: string, before: KeyValue | null, after: KeyValue | null, event: string | null][] = [
    ['leader', a, b, 'leader'],
    ['leader', a, null, 'leader'],
    ['leader', null, a, 'leader'],
    ['leader', a, { ...a, lease: '5', modRevision: '9' }, null],
    ['config', a, b, 'config'],
    ['config', null, a, null],
    ['config', a, null, null],
    ['status', a, b, 'status'],
    ['optime/leader', a, b, 'status'],
    ['failover', null, a, 'failover'],
    ['sync', a, b, 'sync'],
    ['initialize', a, null, 'initialize'],
    ['members/a', a, b, 'members'],
    ['members/a', a, { ...a, modRevision: '9' }, null],
    ['history', a, b, null],
    ['failsafe', a, b, null],
    ['something', a, b, null],
  ]
  for (const [key, before, after, event] of table) assert.equal(eventOf(key, before, after), event, key)
})
