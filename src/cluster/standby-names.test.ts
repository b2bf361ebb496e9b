import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { NO_STANDBY_NAMES, parseStandbyNames, printStandbyNames, STRICT_PLACEHOLDER } from './standby-names.ts'

const PARSED: readonly (readonly [string, ReturnType<typeof parseStandbyNames>])[] = [
  ['', NO_STANDBY_NAMES],
  ['  ', NO_STANDBY_NAMES],
  ['a', { kind: 'priority', count: 1, members: ['a'], hasStar: false }],
  ['a, "node-1"', { kind: 'priority', count: 1, members: ['a', 'node-1'], hasStar: false }],
  ['2 (a,"b""c")', { kind: 'priority', count: 2, members: ['a', 'b"c'], hasStar: false }],
  ['FIRST 3 ( a , b )', { kind: 'priority', count: 3, members: ['a', 'b'], hasStar: false }],
  ['any 1 ("node-1","node-2")', { kind: 'quorum', count: 1, members: ['node-1', 'node-2'], hasStar: false }],
  ['first', { kind: 'priority', count: 1, members: ['first'], hasStar: false }],
  ['first, any', { kind: 'priority', count: 1, members: ['first', 'any'], hasStar: false }],
  [`ANY 1 (${STRICT_PLACEHOLDER})`, { kind: 'quorum', count: 1, members: [], hasStar: false }],
  [STRICT_PLACEHOLDER, { kind: 'priority', count: 1, members: [], hasStar: false }],
  ['*', { kind: 'priority', count: 1, members: [STRICT_PLACEHOLDER], hasStar: true }],
  ['ANY 2 (a,*)', { kind: 'quorum', count: 2, members: [STRICT_PLACEHOLDER], hasStar: true }],
  ['a b', null],
  ['ANY 1 (a', null],
  ['ANY 1 a', null],
  ['1 ()', null],
  ['a,', null],
  ['-x', null],
]

for (const [text, expected] of PARSED)
  test(`postgres.md 8.2: reads synchronous_standby_names '${text}'`, () => {
    assert.deepEqual(parseStandbyNames(text), expected)
  })

const PRINTED: readonly (readonly [Parameters<typeof printStandbyNames>[0], number, string | null])[] = [
  [{ kind: 'priority', members: ['node-1'] }, 150000, '"node-1"'],
  [{ kind: 'priority', members: ['node-2', 'node-1'] }, 150000, '2 ("node-1","node-2")'],
  [{ kind: 'priority', count: 1, members: ['b', 'a'] }, 90600, '1 (a,b)'],
  [{ kind: 'priority', members: ['b', 'a'] }, 90500, 'b'],
  [{ kind: 'quorum', count: 1, members: ['node-1'] }, 150000, 'ANY 1 ("node-1")'],
  [{ kind: 'quorum', count: 1, members: ['b', 'a'] }, 90600, '1 (a,b)'],
  [{ kind: 'priority', count: 1, members: [] }, 150000, STRICT_PLACEHOLDER],
  [{ kind: 'quorum', count: 1, members: [] }, 150000, `ANY 1 (${STRICT_PLACEHOLDER})`],
  [{ kind: 'quorum', count: 1, members: [] }, 90600, `1 (${STRICT_PLACEHOLDER})`],
  [{ kind: 'quorum', count: 1, members: ['*'] }, 150000, `ANY 1 (${STRICT_PLACEHOLDER})`],
  [{ kind: 'priority', count: 0, members: [] }, 150000, null],
  [{ kind: 'priority', members: [] }, 150000, null],
  [{ kind: 'priority', members: ['any'] }, 150000, '"any"'],
  [{ kind: 'priority', members: ['a"b'] }, 150000, '"a""b"'],
]

for (const [wanted, version, expected] of PRINTED)
  test(`postgres.md 8.4: prints ${JSON.stringify(wanted)} for version ${version} as ${expected}`, () => {
    assert.equal(printStandbyNames(wanted, version), expected)
  })

test('postgres.md 8.2: what is printed is read back as the same wish', () => {
  const name = fc.string({ minLength: 1 }).filter((text) => text !== '*' && text !== STRICT_PLACEHOLDER)
  const members = fc.uniqueArray(name, { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(members, fc.constantFrom('priority' as const, 'quorum' as const), (names, kind) => {
      const printed = printStandbyNames({ kind, count: names.length, members: names }, 150000)
      const read = parseStandbyNames(printed ?? '')
      assert.equal(read?.kind, kind)
      assert.deepEqual(new Set(read.members), new Set(names))
    }),
  )
})
