import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ToolOptions } from '../config/types.ts'
import { INITDB_FORBIDDEN, isBasebackupOptionAllowed, REWIND_FORBIDDEN, toolArguments } from './tool-options.ts'

const initdb = (options: ToolOptions) => toolArguments('initdb', options, (name) => !INITDB_FORBIDDEN.includes(name))

test('5.3 a list mixes plain options and single pairs, a mapping has pairs only', () => {
  assert.deepEqual(initdb(['data-checksums', { encoding: 'UTF8' }, { 'wal-segsize': 64 }]).args, [
    '--data-checksums',
    '--encoding=UTF8',
    '--wal-segsize=64',
  ])
  assert.deepEqual(initdb({ locale: 'C', 'no-sync': null, x: '' }), { args: ['--locale=C'], problems: [] })
  assert.deepEqual(initdb(null), { args: [], problems: [] })
})

test('5.3 a value that is one quoted word loses its quotes, any other stays', () => {
  assert.deepEqual(initdb([{ a: '"x y"' }, { b: "'x'" }, { c: 'x y' }, { d: `"x" "y"` }]).args, [
    '--a=x y',
    '--b=x',
    '--c=x y',
    '--d="x" "y"',
  ])
})

test('5.3 forbidden names and wrong shapes are told and left out', () => {
  assert.deepEqual(initdb([{ pgdata: '/x' }, 'version', { a: '1', b: '2' }, { c: true }, 7]), {
    args: [],
    problems: [
      'pgdata option for initdb is not allowed',
      'version option for initdb is not allowed',
      "Error when parsing initdb key-value option {'a': '1', 'b': '2'}: only one key-value is allowed and value should be a string",
      "Error when parsing initdb key-value option {'c': True}: only one key-value is allowed and value should be a string",
      'Error when parsing initdb key-value option 7: only one key-value is allowed and value should be a string',
    ],
  })
  assert.deepEqual(initdb('x').problems, ['initdb options must be list or dict'])
  for (const name of REWIND_FORBIDDEN)
    assert.equal(toolArguments('pg_rewind', [name], (one) => !REWIND_FORBIDDEN.includes(one)).problems.length, 1)
})

test('5.4 compression is allowed on the server from 15 on, and nothing that changes where or how data lands', () => {
  assert.equal(isBasebackupOptionAllowed('compress', 'server-gzip', 140000), false)
  assert.equal(isBasebackupOptionAllowed('compress', 'server-gzip', 150000), true)
  assert.equal(isBasebackupOptionAllowed('compress', 'gzip', 150000), false)
  assert.equal(isBasebackupOptionAllowed('compress', null, 150000), false)
  assert.equal(isBasebackupOptionAllowed('checkpoint', 'fast', 150000), true)
  assert.equal(isBasebackupOptionAllowed('dbname', 'x', 150000), false)
})
