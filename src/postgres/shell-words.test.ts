import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { splitShellWords } from './shell-words.ts'

const CASES: readonly (readonly [string, readonly string[]])[] = [
  ['', []],
  ['  \t ', []],
  ['envdir /e bash wale_restore.sh', ['envdir', '/e', 'bash', 'wale_restore.sh']],
  [`a 'b c' "d e"`, ['a', 'b c', 'd e']],
  [`a'b'"c"d`, ['abcd']],
  [`'' ""`, ['', '']],
  ['a\\ b', ['a b']],
  [`"a\\"b\\\\c\\n"`, ['a"b\\c\\n']],
  [`'a\\b'`, ['a\\b']],
  ['echo $HOME #x', ['echo', '$HOME', '#x']],
  ['a\nb', ['a', 'b']],
]

for (const [text, words] of CASES)
  test(`1.13 the command ${JSON.stringify(text)} has the words ${JSON.stringify(words)}`, () => {
    assert.deepEqual(splitShellWords(text), { kind: 'words', words })
  })

test('1.13 an unclosed quotation or a lone backslash is refused with the reason', () => {
  for (const text of [`a 'b`, `a "b`, 'a\\']) assert.equal(splitShellWords(text).kind, 'malformed')
})

test('1.13 words that are quoted come back as they were', () => {
  fc.assert(
    fc.property(fc.array(fc.string()), (words) => {
      const text = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
      assert.deepEqual(splitShellWords(text), { kind: 'words', words })
    }),
  )
})
