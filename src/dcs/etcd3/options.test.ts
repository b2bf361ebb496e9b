import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../../cluster/json.ts'
import { type EtcdOptions, parseEtcdOptions } from './options.ts'

function parse(section: JsonObject): EtcdOptions {
  const parsed = parseEtcdOptions(section, 'etcd3')
  if (parsed.kind === 'problems') assert.fail(parsed.problems.map(({ key, message }) => `${key}: ${message}`).join())
  return parsed.options
}

function problems(section: JsonObject): string[] {
  const parsed = parseEtcdOptions(section, 'etcd3')
  return parsed.kind === 'problems' ? parsed.problems.map(({ key, message }) => `${key}: ${message}`) : []
}

test('3.1 hosts are a list or a comma string, with the default port where none is given', () => {
  assert.deepEqual(parse({ hosts: 'a:2379, b:2380,c' }).source.urls, [
    'http://a:2379',
    'http://b:2380',
    'http://c:2379',
  ])
  assert.deepEqual(parse({ hosts: ['a', 'b:1'], port: 99 }).source.urls, ['http://a:99', 'http://b:1'])
  assert.deepEqual(parse({ hosts: ['a'], protocol: 'https' }).source.urls, ['https://a:2379'])
  assert.deepEqual(parse({ hosts: ['a'], port: '99' }).source.urls, ['http://a:99'])
})

test('3.1 IPv6 addresses come with and without brackets when a port follows', () => {
  assert.deepEqual(parse({ hosts: ['[::1]:2379', '[fe80::1]', '2001:db8::1:2380'] }).source.urls, [
    'http://[::1]:2379',
    'http://[fe80::1]:2379',
    'http://[2001:db8::1]:2380',
  ])
})

test('3.1 host alone keeps its name, for it may have several addresses', () => {
  assert.deepEqual(parse({ host: 'etcd.example' }).source.host, { protocol: 'http', name: 'etcd.example', port: 2379 })
  assert.deepEqual(parse({ host: '127.0.0.1:2380', protocol: 'https' }).source.host, {
    protocol: 'https',
    name: '127.0.0.1',
    port: 2380,
  })
})

test('3.1 url overrides protocol, host, port and the credentials that it contains', () => {
  const options = parse({ url: 'https://u:p%40ss@e:99', host: 'x', hosts: ['y'], protocol: 'http', username: 'old' })
  assert.deepEqual(options.source.urls, ['https://e:99'])
  assert.deepEqual(options.source.host, null)
  assert.deepEqual(options.credentials, { username: 'u', password: 'p@ss' })
  assert.deepEqual(parse({ url: 'http://e' }).source.urls, ['http://e:2379'])
  assert.deepEqual(parse({ url: 'http://e:80/' }).source.urls, ['http://e:80'])
  assert.deepEqual(parse({ url: 'https://e:443' }).source.urls, ['https://e:443'])
})

test('6.22 credentials outlive a url that has none', () => {
  const { credentials } = parse({ url: 'http://e:99', username: 'u', password: 'p' })
  assert.deepEqual(credentials, { username: 'u', password: 'p' })
})

test('3.1 proxy is a url with use_proxies, before everything else', () => {
  const options = parse({ proxy: 'http://p:1', url: 'http://u:2', srv: 'example.org' })
  assert.deepEqual(options.source, { srv: null, srvSuffix: null, urls: ['http://p:1'], host: null })
  assert.ok(options.useProxies)
  assert.ok(parse({ hosts: ['a'], use_proxies: true }).useProxies)
  assert.ok(!parse({ hosts: ['a'], use_proxies: false }).useProxies)
})

test('3.1 srv has two other names and is tried before the hosts', () => {
  for (const key of ['srv', 'discovery_srv', 'srv_domain']) {
    const { source } = parse({ [key]: 'example.org', srv_suffix: 'east', hosts: ['a'] })
    assert.deepEqual([source.srv, source.srvSuffix, source.urls], ['example.org', 'east', ['http://a:2379']])
  }
})

test('3.1 TLS files, with the older name of the authority', () => {
  assert.deepEqual(parse({ host: 'a', ca_cert: '/ca', cert: '/c', key: '/k' }).tls, {
    cacert: '/ca',
    cert: '/c',
    key: '/k',
    keyPassword: null,
  })
})

test('a section without an endpoint is an error with the known text', () => {
  assert.deepEqual(problems({}), ['etcd3: Neither srv, hosts, host nor url are defined in etcd3 section of config'])
  assert.deepEqual(problems({ hosts: [], host: '' }).length, 1)
})

test('every bad value is named with its key', () => {
  assert.deepEqual(problems({ hosts: ['a:b:c d'] }), ["etcd3.hosts: 'a:b:c d' is not of the form host[:port]"])
  assert.deepEqual(problems({ host: 'a:99999' }), ["etcd3.host: 'a:99999' is not of the form host[:port]"])
  assert.deepEqual(problems({ host: 'a', port: 'many' }), ["etcd3.port: 'many' is not a port number"])
  assert.deepEqual(problems({ host: 'a', protocol: 'ftp' }), ["etcd3.protocol: 'ftp' is neither http nor https"])
  assert.deepEqual(problems({ host: 'a', cacert: ['x'] }), ["etcd3.cacert: ['x'] is not a text"])
})

test('a url that cannot be read is not repeated: it may hold a password', () => {
  const [text] = problems({ url: 'ftp://user:secret@host' })
  assert.equal(text, 'etcd3.url: is not a URL of the form http[s]://host[:port]')
})
