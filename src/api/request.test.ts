import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { parseBody } from './body.ts'
import { parseTarget, type RequestBody } from './request.ts'

const TARGETS: readonly (readonly [target: string, path: string, segment: string, query?: Record<string, string>])[] = [
  ['/', '/', ''],
  ['/config', '/config', 'config'],
  ['/config/x', '/config/x', 'config'],
  ['//config', '/config', 'config'],
  ['config', '/config', 'config'],
  ['http://h:8008/config/x?a=b', '/config/x', 'config', { a: 'b' }],
  ['http://h:8008', '/', ''],
  ['http://h:8008?lag=1', '/', '', { lag: '1' }],
  ['/?lag=10MB', '/', '', { lag: '10MB' }],
  ['/a%2Fb', '/a%2Fb', 'a%2Fb'],
  ['/replica?lag=1&lag=2', '/replica', 'replica', { lag: '1' }],
  ['/replica?lag=&lag=2', '/replica', 'replica', { lag: '2' }],
  ['/replica?lag', '/replica', 'replica', {}],
  ['/replica?a=1;b=2&c=3', '/replica', 'replica', { a: '1;b=2', c: '3' }],
  [
    '/replica?replication_state=in+archive%20recovery',
    '/replica',
    'replica',
    { replication_state: 'in archive recovery' },
  ],
  ['/replica?%74ag_x=%C3%A4', '/replica', 'replica', { tag_x: 'ä' }],
  ['/replica?x=%zz%4', '/replica', 'replica', { x: '%zz%4' }],
  ['/replica?x=%ff', '/replica', 'replica', { x: '\ufffd' }],
  ['/replica?a=b=c', '/replica', 'replica', { a: 'b=c' }],
  ['/replica#x?y=1', '/replica', 'replica'],
  ['*', '/*', '*'],
  ['', '/', ''],
]
describe('2.2 request targets', () => {
  for (const [target, path, segment, query] of TARGETS)
    test(JSON.stringify(target), () => {
      const parsed = parseTarget(target)
      assert.deepEqual([parsed.path, parsed.segment, Object.fromEntries(parsed.query)], [path, segment, query ?? {}])
    })

  test('no target makes it fail', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webUrl(), fc.stringMatching(/^[/?&=%+a-f0-9]*$/)), (target) => {
        const { path, segment } = parseTarget(target)
        assert.ok(path.startsWith('/') && !path.startsWith('//') && !segment.includes('/'))
      }),
    )
  })
})

const bytes = (text: string): RequestBody => ({ kind: 'bytes', bytes: Buffer.from(text) })
const deep = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`
const BODIES: readonly (readonly [title: string, body: RequestBody, required: string, optional: string])[] = [
  ['no length at all', { kind: 'none' }, '411', '{}'],
  ['a length of 0', bytes(''), '400', '{}'],
  ['an object', bytes('{"a": [1]}'), '{"a":[1]}', '{"a":[1]}'],
  ['an object between blanks', bytes(' {"a":1}\n'), '{"a":1}', '{"a":1}'],
  ['an empty object', bytes('{}'), '400', '{}'],
  ['a list', bytes('[1]'), '400', '400'],
  ['a string', bytes('"x"'), '400', '400'],
  ['null', bytes('null'), '400', '400'],
  ['invalid JSON', bytes('{"a": }'), '400', '400'],
  ['two objects', bytes('{"a":1}{"b":2}'), '400', '400'],
  ['a byte-order mark', bytes('\ufeff{"a":1}'), '400', '400'],
  ['invalid UTF-8', { kind: 'bytes', bytes: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]) }, '400', '400'],
  ['too much', { kind: 'too-large' }, '413', '413'],
  ['deep nesting within the limit', bytes(deep(100)), deep(100), deep(100)],
  ['nesting that would overflow the stack', bytes(deep(200_000)), '400', '400'],
  [
    'brackets inside of strings are not nesting',
    bytes(`{"a":"${'{['.repeat(200)}"}`),
    `{"a":"${'{['.repeat(200)}"}`,
    `{"a":"${'{['.repeat(200)}"}`,
  ],
]
describe('2.5 bodies', () => {
  for (const [title, body, required, optional] of BODIES)
    test(title, () => {
      for (const [mode, wanted] of [
        ['required', required],
        ['optional', optional],
      ] as const) {
        const parsed = parseBody(body, mode)
        assert.equal(parsed.kind === 'object' ? JSON.stringify(parsed.object) : String(parsed.status), wanted, mode)
      }
    })

  test('a hostile key is a key like any other', () => {
    const parsed = parseBody(bytes('{"__proto__": {"x": 1}}'), 'required')
    assert.ok(parsed.kind === 'object')
    assert.deepEqual(Object.keys(parsed.object), ['__proto__'])
    assert.equal(({} as { x?: number }).x, undefined)
  })
})
