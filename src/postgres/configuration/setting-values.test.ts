import assert from 'node:assert/strict'
import { test } from 'node:test'
import { humanForm, isEquivalent } from './setting-values.ts'

const SAME: readonly (readonly [string, string | null, string, string, boolean])[] = [
  ['bool', null, 'on', 'True', true],
  ['bool', null, 'on', 'off', false],
  ['bool', null, 'on', 'perhaps', false],
  ['integer', '8kB', '16384', '128MB', true],
  ['integer', '8kB', '16384', '16384', true],
  ['integer', '8kB', '16384', '129MB', false],
  ['integer', 's', '300', '5min', true],
  ['integer', null, '100', '0x64', true],
  ['integer', 'kB', '4098', '4097.5kB', true],
  ['integer', 'kB', '10240', '10mb', false],
  ['real', 'ms', '2', '2ms', true],
  ['real', null, '0.5', '.5', true],
  ['enum', null, 'replica', 'REPLICA', true],
  ['string', null, 'a', 'A', false],
]

for (const [type, unit, setting, configured, expected] of SAME)
  test(`2.14 ${type} ${setting} of ${unit} and '${configured}' are ${expected ? '' : 'not '}the same`, () => {
    assert.equal(isEquivalent(type, unit, setting, configured), expected)
  })

const HUMAN: readonly (readonly [string, string | null, string | null, string])[] = [
  ['integer', '8kB', '16384', '128MB'],
  ['integer', 's', '300', '5min'],
  ['integer', 's', '90', '90s'],
  ['integer', 'ms', '60000', '1min'],
  ['integer', 'kB', '1025', '1025kB'],
  ['integer', 'ms', '-1', '-1ms'],
  ['integer', '8kB', '-1', '-1'],
  ['integer', 'kB', '0', '0'],
  ['integer', null, '100', '100'],
  ['integer', '8kB', '128MB', '128MB'],
  ['real', 'ms', '2', '2ms'],
  ['real', 'ms', '1500', '1500ms'],
  ['real', 'ms', '0.5', '500us'],
  ['string', null, 'x', 'x'],
  ['integer', 'kB', null, ''],
]

for (const [type, unit, value, expected] of HUMAN)
  test(`2.13 ${value} of ${unit} (${type}) is shown as '${expected}'`, () => {
    assert.equal(humanForm(type, unit, value), expected)
  })
