import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from './json.ts'
import { isTruthy, parseBool, parseInteger, parseReal, roundHalfEven, textForm } from './values.ts'

test('configuration 1.2 truthiness: not empty, not zero, not null, not false; the text "false" is truthy', () => {
  const truthy: readonly Json[] = ['false', 'off', '0', ' ', 1, -1, true, [0], { a: null }]
  const falsy: readonly (Json | undefined)[] = ['', 0, false, null, undefined, [], {}]
  for (const value of truthy) assert.equal(isTruthy(value), true, JSON.stringify(value))
  for (const value of falsy) assert.equal(isTruthy(value), false, JSON.stringify(value))
})

test('configuration 1.2 the text form is the one that logs have always had', () => {
  const table: readonly (readonly [Json, string])[] = [
    [true, 'True'],
    [false, 'False'],
    [null, 'None'],
    [10, '10'],
    [1.5, '1.5'],
    ['x', 'x'],
    [[1, 'a', true, null], "[1, 'a', True, None]"],
    [{ name: 1, b: ["it's"] }, "{'name': 1, 'b': [\"it's\"]}"],
  ]
  for (const [value, expected] of table) assert.equal(textForm(value), expected)
})

test('configuration 1.3 booleans are parsed in any case, everything else is undefined', () => {
  for (const value of ['on', 'TRUE', 'Yes', '1', 1, true]) assert.equal(parseBool(value), true)
  for (const value of ['off', 'False', 'NO', '0', 0, false]) assert.equal(parseBool(value), false)
  for (const value of ['y', 'n', '', 'enabled', 2, null, [], undefined]) assert.equal(parseBool(value), undefined)
})

test('configuration 1.4 integers: bases, fractions rounded half to even, units', () => {
  const table: readonly (readonly [Json | undefined, string | undefined, number | undefined])[] = [
    ['010', undefined, 8],
    ['08', undefined, undefined],
    ['0x1F', undefined, 31],
    ['-0x1f', undefined, -31],
    ['+5', undefined, 5],
    ['1e3', undefined, 1000],
    ['0.5', undefined, 0],
    ['1.5', undefined, 2],
    ['2.5', undefined, 2],
    ['.6', undefined, 1],
    ['64.4', undefined, 64],
    [' 7 ', undefined, 7],
    [7, undefined, 7],
    [true, undefined, undefined],
    [null, undefined, undefined],
    ['', undefined, undefined],
    ['abc', undefined, undefined],
    ['10MB', undefined, undefined],
    ['30min', 's', 1800],
    ['10mb', 'kB', undefined],
    ['10min', 'kB', undefined],
    ['6GB', '16MB', 384],
    ['4097.5kB', 'kB', 4098],
    ['600us', 'ms', 1],
    ['1d', 's', 86400],
    ['1TB', 'B', 2 ** 40],
    ['128MB', '8kB', 16384],
    ['90 s', 's', 90],
  ]
  for (const [value, unit, expected] of table)
    assert.equal(parseInteger(value, unit), expected, `${JSON.stringify(value)} ${unit}`)
})

test('configuration 1.4 reals: no octal, units, no final rounding', () => {
  const table: readonly (readonly [Json, string | undefined, number | undefined])[] = [
    ['010', undefined, 10],
    ['0x10', undefined, undefined],
    ['1.5e-3', undefined, 0.0015],
    ['.5', undefined, 0.5],
    ['0.0005ms', 'ms', 0],
    ['0.00051ms', 'ms', 0.001],
    ['1.5s', 'ms', 1500],
    [true, undefined, undefined],
  ]
  for (const [value, unit, expected] of table)
    assert.equal(parseReal(value, unit), expected, `${JSON.stringify(value)} ${unit}`)
})

test('configuration 1.4 half is rounded to the even neighbour', () => {
  assert.deepEqual(
    [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4, 2.6].map(roundHalfEven).map((n) => n + 0),
    [-2, -2, 0, 0, 2, 2, 2, 3],
  )
})

test('configuration 1.4 what is no number that can be used is none: names of methods as units, digits without end', () => {
  for (const text of [
    '5 constructor',
    '5 toString',
    '5 hasOwnProperty',
    '9'.repeat(1000),
    '1e999',
    '9'.repeat(10_000_000),
  ]) {
    assert.equal(parseInteger(text, 's'), undefined, text.slice(0, 20))
    assert.equal(parseReal(text, 'ms'), undefined, text.slice(0, 20))
  }
})
