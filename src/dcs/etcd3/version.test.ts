import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readVersion } from './version.ts'

const dialect = (server: string, cluster: string) => {
  const outcome = readVersion(JSON.stringify({ etcdserver: server, etcdcluster: cluster }))
  return outcome.kind === 'supported' ? outcome.dialect : outcome.kind
}

test('3.2 the version of the cluster decides the path of the API and what it can do', () => {
  assert.deepEqual(dialect('3.4.23', '3.4.0'), { apiPrefix: '/v3', watches: true, authenticates: true })
  assert.deepEqual(dialect('3.6.1', '3.6.0'), { apiPrefix: '/v3', watches: true, authenticates: true })
  assert.deepEqual(dialect('3.4.0', '3.3.0'), { apiPrefix: '/v3beta', watches: true, authenticates: true })
  assert.deepEqual(dialect('3.2.1', '3.2.0'), { apiPrefix: '/v3alpha', watches: true, authenticates: false })
  assert.deepEqual(dialect('3.0.4', '3.0.0'), { apiPrefix: '/v3alpha', watches: false, authenticates: false })
})

test('3.2 a server older than 3.0.4 or a cluster older than 3.0 is not supported, and the text says so', () => {
  assert.deepEqual(readVersion('{"etcdserver":"3.0.3","etcdcluster":"3.0.0"}'), {
    kind: 'unsupported',
    text: 'Detected Etcd version 3.0.3 is lower than 3.0.4',
  })
  assert.equal(dialect('3.1.0', '2.3.0'), 'unsupported')
  assert.equal(dialect('2.3.8', '2.3.0'), 'unsupported')
})

test('a cluster that has not agreed on its version yet is taken for what its server is', () => {
  assert.deepEqual(dialect('3.5.9', 'not_decided'), { apiPrefix: '/v3', watches: true, authenticates: true })
})

test('anything else is no etcd server', () => {
  for (const body of ['', '[]', '{}', 'etcd 3.4', '{"etcdserver":3}', '{"etcdserver":"x"}']) {
    assert.equal(readVersion(body).kind, 'unreadable', body)
  }
})
