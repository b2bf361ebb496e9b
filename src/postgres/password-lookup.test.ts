import assert from 'node:assert/strict'
import { test } from 'node:test'
import { passwordFromFile } from './password-lookup.ts'

const KEY = { host: 'db1', port: '5432', database: 'postgres', user: 'rep' }

test('2.11 the first line of a password file that matches gives the password', () => {
  const text = '#db1:5432:*:rep:no\ndb1:5433:*:rep:other port\ndb1:5432:*:rep:first\n*:*:*:*:second\n'
  assert.equal(passwordFromFile(text, KEY), 'first')
  assert.equal(passwordFromFile(text, { ...KEY, host: 'db2' }), 'second')
})

test('2.11 colons and backslashes in fields are escaped with a backslash', () => {
  assert.equal(passwordFromFile('fe80\\:\\:1:*:*:rep:a\\:b\\\\c', { ...KEY, host: 'fe80::1' }), 'a:b\\c')
})

test('2.11 a socket directory matches localhost', () => {
  assert.equal(passwordFromFile('localhost:*:*:rep:pw', { ...KEY, host: '/run/postgresql' }), 'pw')
})

test('2.11 short lines, and files without a matching line, give none', () => {
  assert.equal(passwordFromFile('db1:5432:*:rep\n\nx', KEY), null)
})
