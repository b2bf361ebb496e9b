import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../../cluster/json.ts'
import { parseRaftOptions } from './options.ts'

function options(section: JsonObject) {
  const parsed = parseRaftOptions(section)
  assert.equal(parsed.kind, 'options', JSON.stringify(parsed))
  return parsed.kind === 'options' ? parsed.options : assert.fail()
}

function problem(section: JsonObject): string {
  const parsed = parseRaftOptions(section)
  return parsed.kind === 'problems' ? parsed.problems.map(({ message }) => message).join('; ') : ''
}

test('3.8 a section as people have it is understood', () => {
  const section = {
    data_dir: '/var/lib/raft',
    self_addr: '10.0.0.1:2380',
    bind_addr: '0.0.0.0:2381',
    partner_addrs: ['10.0.0.2:2380', '[fd00::3]:2380', '10.0.0.1:2380', '10.0.0.2:2380'],
    password: 1234,
    scope: 'x',
    ttl: 30,
  }
  assert.deepEqual(options(section), {
    selfAddress: '10.0.0.1:2380',
    bind: { host: '0.0.0.0', port: 2381 },
    partners: ['10.0.0.2:2380', '[fd00::3]:2380'],
    dataDir: '/var/lib/raft',
    password: '1234',
    tls: null,
  })
})

test('3.8 defaults: every address on the port of self_addr, the current directory, no password', () => {
  assert.deepEqual(options({ self_addr: 'h:1', partner_addrs: 'a:1, b:2' }), {
    selfAddress: 'h:1',
    bind: { host: null, port: 1 },
    partners: ['a:1', 'b:2'],
    dataDir: '.',
    password: null,
    tls: null,
  })
  assert.equal(options({ partner_addrs: ['a:1'] }).selfAddress, null)
})

test('TLS needs the authority and a certificate; the key may be in the file of the certificate', () => {
  assert.deepEqual(options({ cacert: '/ca', cert: '/cert', key: '/key' }).tls, {
    cacert: '/ca',
    cert: '/cert',
    key: '/key',
  })
  assert.equal(options({ cacert: '/ca', cert: '/both' }).tls?.key, '/both')
  assert.match(problem({ cert: '/cert' }), /raft\.cert needs raft\.cacert/)
  assert.match(problem({ cacert: '/ca' }), /need raft\.cert/)
  assert.match(problem({ cacert: '/ca', key: '/key' }), /need raft\.cert/)
})

test('3.8 addresses without a port and times that contradict each other are named', () => {
  assert.match(problem({ self_addr: 'host' }), /raft\.self_addr: host is not of the form host:port/)
  assert.match(problem({ partner_addrs: ['a:99999'] }), /raft\.partner_addrs: a:99999/)
  assert.match(
    problem({ min_timeout: 0.2 }),
    /min_timeout 0\.2 must be more than three times append_entries_period 0\.1 \(default\)/,
  )
  assert.match(problem({ max_timeout: 0.4, min_timeout: 0.4 }), /max_timeout 0\.4 must be more than min_timeout 0\.4/)
  assert.match(problem({ connection_timeout: 1 }), /connection_timeout 1 must be at least max_timeout 1\.4 \(default\)/)
  assert.equal(problem({ min_timeout: 0.5, connection_retry_time: 1 }), '')
})
