import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Config } from '../config/types.ts'
import { localAddress, tcpHost } from './local-address.ts'

const HOSTS: readonly (readonly [string, string])[] = [
  ['127.0.0.1', 'localhost'],
  ['10.0.0.5,LOCALHOST', 'localhost'],
  ['10.0.0.5, 0.0.0.0', 'localhost'],
  ['*', 'localhost'],
  ['10.0.0.5,10.0.0.6', '10.0.0.5'],
  ['::1', '::1'],
]

for (const [listen, host] of HOSTS)
  test(`2.7 a server that listens on '${listen}' is reached at ${host}`, () => {
    assert.equal(tcpHost(listen), host)
  })

function config(useUnixSocket: boolean): Config {
  return { postgresql: { useUnixSocket, useUnixSocketRepl: false } } as Config
}

test('2.7 a unix socket is used where it is asked for: the first absolute directory that is configured', () => {
  const listening = { listenAddresses: '*', port: '5433', unixSocketDirectories: '.., /run/a, /run/b' }
  const address = localAddress(config(true), listening, '/ignored')
  assert.deepEqual(address.superuser, { host: '/run/a', port: '5433' })
  assert.deepEqual(address.replication, { host: 'localhost', port: '5433' })
})

test('2.7 with only relative socket directories TCP is used', () => {
  const listening = { listenAddresses: '*', port: '1', unixSocketDirectories: '..' }
  assert.deepEqual(localAddress(config(true), listening, '/x').superuser, { host: 'localhost', port: '1' })
})

test('2.7 without configured directories the one that the running server wrote down is used', () => {
  const listening = { listenAddresses: '*', port: '1', unixSocketDirectories: null }
  assert.equal(localAddress(config(true), listening, '/tmp/s').superuser.host, '/tmp/s')
  assert.equal(localAddress(config(false), listening, '/tmp/s').superuser.host, 'localhost')
})
