import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  errorFrom,
  isLeaseNotFound,
  type Meaning,
  meaning,
  needsToken,
  readServerError,
  serverError,
} from './errors.ts'

test('3.2 every error answer has one meaning, by its text first and its code next', () => {
  const table: readonly [status: number, body: string, expected: Meaning][] = [
    [
      404,
      '{"error":"etcdserver: requested lease not found","message":"etcdserver: requested lease not found","code":5}',
      'no',
    ],
    [403, '{"error":"etcdserver: permission denied","code":7}', 'token'],
    [400, '{"error":"etcdserver: user name is empty","code":3}', 'token'],
    [401, '{"error":"etcdserver: invalid auth token","code":16}', 'token'],
    [400, '{"error":"etcdserver: revision of auth store is old","code":3}', 'token'],
    [400, '{"error":"etcdserver: authentication failed, invalid user ID or password","code":3}', 'no'],
    [412, '{"error":"etcdserver: authentication is not enabled","code":9}', 'no'],
    [503, '{"error":"etcdserver: no leader","message":"etcdserver: no leader","code":14}', 'elsewhere'],
    [503, '{"error":"etcdserver: request timed out","code":14}', 'elsewhere'],
    [503, '{"error":"etcdserver: leader changed","code":14}', 'elsewhere'],
    [504, '{"error":"context deadline exceeded","code":2}', 'later'],
    [504, '{"Error":"context deadline exceeded","Code":4}', 'later'],
    [412, '{"error":"etcdserver: not leader","code":9}', 'later'],
    [429, '{"error":"etcdserver: too many requests","code":8}', 'later'],
    [429, '{"error":"etcdserver: mvcc: database space exceeded","code":8}', 'later'],
    [400, '{"error":"etcdserver: duplicate key given in txn request","code":3}', 'no'],
    [500, '{"error":"etcdserver: not a primary lessor","message":" not a primary lessor ","code":2}', 'elsewhere'],
    [500, '{"error":"something","code":2}', 'unclear'],
    [400, '{"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader"}}', 'elsewhere'],
    [400, '{"error":{"code":7,"message":"denied by policy"}}', 'no'],
    [500, '', 'unclear'],
    [500, '{"error":"etcdserver: no lea', 'unclear'],
    [403, '<html>Forbidden</html>', 'unclear'],
    [429, 'Too Many Requests', 'later'],
    [502, 'Bad Gateway', 'elsewhere'],
    [503, '', 'elsewhere'],
    [504, 'upstream', 'elsewhere'],
    [404, '404 page not found', 'unclear'],
  ]
  for (const [status, body, expected] of table) {
    assert.equal(meaning(readServerError(status, body)), expected, `${status} ${body}`)
  }
})

test('the reason why a watch was cancelled is understood in its long form', () => {
  const error = serverError('rpc error: code = Unauthenticated desc = etcdserver: invalid auth token')
  assert.ok(needsToken(error))
  assert.equal(error.code, 16)
  assert.ok(isLeaseNotFound(serverError('etcdserver: requested lease not found ')))
})

test('what is no error answer is none', () => {
  for (const odd of [undefined, null, [], 'x', {}, { header: {} }]) assert.equal(errorFrom(odd as never), null)
})
