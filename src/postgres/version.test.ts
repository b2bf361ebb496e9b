import assert from 'node:assert/strict'
import { test } from 'node:test'
import { majorOf, parseVersion } from './version.ts'

const CASES: readonly (readonly [string, number, number])[] = [
  ['9.5.3', 90503, 90500],
  ['9.6', 90600, 90600],
  ['10.1', 100001, 100000],
  ['16', 160000, 160000],
  ['15.20 (Debian 15.20-0+deb12u1)', 150020, 150000],
  ['18beta1', 180000, 180000],
  ['19devel', 190000, 190000],
  ['15\n', 150000, 150000],
  ['', 0, 0],
  ['x', 0, 0],
]

for (const [text, version, major] of CASES)
  test(`'${text.trim()}' is version ${version} of major version ${major}`, () => {
    assert.equal(parseVersion(text), version)
    assert.equal(majorOf(version), major)
  })
