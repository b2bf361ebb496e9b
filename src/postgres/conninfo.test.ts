import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseConninfo, printConninfo } from './conninfo.ts'

test('2.9 keywords come in their order, absent ones are left out, quotes, backslashes and blanks are escaped', () => {
  const keywords = {
    sslmode: 'prefer',
    port: '5433',
    host: '/a b',
    user: "o'x\\y",
    dbname: 'postgres',
    options: '-c x',
  }
  assert.equal(printConninfo(keywords, 150000), "dbname=postgres user=o\\'x\\\\y host=/a\\ b port=5433 sslmode=prefer")
})

test('2.9 a keyword is left out for servers that do not know it', () => {
  const keywords = {
    gssencmode: 'prefer',
    channel_binding: 'prefer',
    sslpassword: 'x',
    sslcrldir: '/d',
    sslnegotiation: 'direct',
    target_session_attrs: 'read-write',
  }
  const shown = (major: number) => printConninfo(keywords, major).replace(/=\S+/g, '')
  assert.equal(shown(90600), '')
  assert.equal(shown(100000), 'target_session_attrs')
  assert.equal(shown(120000), 'gssencmode target_session_attrs')
  assert.equal(shown(130000), 'sslpassword gssencmode channel_binding target_session_attrs')
  assert.equal(shown(140000), 'sslpassword sslcrldir gssencmode channel_binding target_session_attrs')
  assert.equal(shown(170000), 'sslpassword sslcrldir gssencmode channel_binding target_session_attrs sslnegotiation')
})

test('2.9 a password is hidden by the password file, but only where the version knows one', () => {
  const keywords = { user: 'a', password: 'secret', passfile: '/p' }
  assert.equal(printConninfo(keywords, 100000), 'user=a passfile=/p')
  assert.equal(printConninfo(keywords, 90600), 'user=a password=secret')
})

const READ: readonly (readonly [string, Record<string, string> | null])[] = [
  ['', {}],
  ['host=a port=5432', { host: 'a', port: '5432' }],
  ["host = 'a b'  user='o\\'x' password=''", { host: 'a b', user: "o'x", password: '' }],
  ['host=a\\ b', { host: 'a b' }],
  ['requiressl=1 host=a', { host: 'a', sslmode: 'require' }],
  ['host', null],
  ["host='a", null],
  ['=a', null],
  [
    'postgres://u:p%40ss@h:5433/db?application_name=x',
    { user: 'u', password: 'p@ss', host: 'h', port: '5433', dbname: 'db', application_name: 'x' },
  ],
  ['postgres://10.0.0.1/postgres', { host: '10.0.0.1', dbname: 'postgres' }],
  ['postgresql://[::1]:5432/', { host: '::1', port: '5432' }],
  ['postgres://a:1,b:2/x', { host: 'a,b', port: '1,2', dbname: 'x' }],
  ['postgres://a,b/x', { host: 'a,b', dbname: 'x' }],
  ['postgres://%zz@a/x', null],
]

for (const [text, expected] of READ)
  test(`2.10 reads '${text}'`, () => {
    assert.deepEqual(parseConninfo(text), expected)
  })

test('2.9 what is printed is read back', () => {
  const value = fc.string({ minLength: 1 }).filter((text) => !text.includes('\0'))
  fc.assert(
    fc.property(fc.record({ host: value, user: value, dbname: value }), (keywords) => {
      assert.deepEqual(parseConninfo(printConninfo(keywords, 150000)), { ...keywords })
    }),
  )
})
