import assert from 'node:assert/strict'
import type { SrvRecord } from 'node:dns'
import { test } from 'node:test'
import { budget, LogBook, systemClock } from '../../../test/support/real.ts'
import { later } from '../../cluster/time.ts'
import { NameCache } from '../../http/lookup.ts'
import { type BootstrapDeps, bootstrapEndpoints, clientUrls } from './bootstrap.ts'
import type { EndpointSource } from './options.ts'

const NOWHERE: EndpointSource = { srv: null, srvSuffix: null, urls: [], host: null }

interface Net {
  readonly srv?: Readonly<Record<string, readonly (readonly [name: string, port: number])[]>>
  readonly pages?: Readonly<Record<string, string>>
  readonly addresses?: Readonly<Record<string, readonly string[]>>
}

function deps(net: Net): BootstrapDeps & { readonly log: LogBook; readonly asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    log: new LogBook(),
    names: new NameCache(systemClock, (name) => {
      const addresses = net.addresses?.[name]
      if (!addresses) return Promise.reject(new Error(`getaddrinfo ENOTFOUND ${name}`))
      return Promise.resolve(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })))
    }),
    resolveSrv: (name) => {
      asked.push(name)
      const records = net.srv?.[name]
      if (!records) return Promise.reject(new Error('queryA ENOTFOUND'))
      return Promise.resolve(records.map(([host, port]): SrvRecord => ({ name: host, port, priority: 1, weight: 1 })))
    },
    get: (url) => Promise.resolve(net.pages?.[url] ?? null),
  }
}

test('3.1 each address of host is an endpoint over http; over https the name stays', async () => {
  const d = deps({ addresses: { 'etcd.local': ['10.0.0.1', '10.0.0.2', 'fe80::1'] } })
  const host = { protocol: 'http', name: 'etcd.local', port: 2379 } as const
  assert.deepEqual(await bootstrapEndpoints({ ...NOWHERE, host }, d, budget(1000)), [
    'http://10.0.0.1:2379',
    'http://10.0.0.2:2379',
    'http://[fe80::1]:2379',
  ])
  const secure = { ...host, protocol: 'https' } as const
  assert.deepEqual(await bootstrapEndpoints({ ...NOWHERE, host: secure }, d, budget(1000)), ['https://etcd.local:2379'])
})

test('a host that has no address yields nothing and a warning', async () => {
  const d = deps({})
  const host = { protocol: 'http', name: 'gone', port: 2379 } as const
  assert.deepEqual(await bootstrapEndpoints({ ...NOWHERE, host }, d, budget(1000)), [])
  assert.ok(d.log.has('warning: Can not resolve gone'))
})

test('3.1 SRV labels are tried in their order; the first with a result decides the protocol', async () => {
  const d = deps({
    srv: {
      '_etcd-ssl._tcp.example.org': [
        ['a.example.org', 1],
        ['b.example.org.', 2],
      ],
    },
  })
  assert.deepEqual(await bootstrapEndpoints({ ...NOWHERE, srv: 'example.org' }, d, budget(1000)), [
    'https://a.example.org:1',
    'https://b.example.org:2',
  ])
  assert.deepEqual(d.asked, [
    '_etcd-client-ssl._tcp.example.org',
    '_etcd-client._tcp.example.org',
    '_etcd-ssl._tcp.example.org',
  ])
})

test('3.1 server records lead to the member list of the first peer that answers; a suffix is part of the name', async () => {
  const members = JSON.stringify([
    { clientURLs: ['http://c1:2379'] },
    { clientURLs: ['http://c2:2379/'] },
    { clientURLs: null },
  ])
  const d = deps({
    srv: {
      '_etcd-server-east._tcp.example.org': [
        ['p1', 2380],
        ['p2', 2380],
      ],
    },
    pages: { 'http://p2:2380/members': members },
  })
  const source = { ...NOWHERE, srv: 'example.org', srvSuffix: 'east' }
  assert.deepEqual(await bootstrapEndpoints(source, d, budget(1000)), ['http://c1:2379', 'http://c2:2379'])
})

test('3.1 without an SRV record the configured hosts are used, with a warning', async () => {
  const d = deps({})
  const source = { ...NOWHERE, srv: 'example.org', urls: ['http://a:2379'] }
  assert.deepEqual(await bootstrapEndpoints(source, d, budget(1000)), ['http://a:2379'])
  assert.ok(d.log.has('warning: Can not resolve SRV for example.org'))
})

test('6.6 a name server that does not answer costs no more than the budget', async () => {
  const d = { ...deps({}), resolveSrv: () => new Promise<never>(() => {}) }
  const begun = systemClock.now()
  const source = { ...NOWHERE, srv: 'example.org', urls: ['http://a:2379'] }
  const deadline = later(begun, 100)
  const { signal } = systemClock.deadline(deadline)
  assert.deepEqual(await bootstrapEndpoints(source, d, { deadline, signal }), ['http://a:2379'])
  assert.ok(systemClock.now() - begun < 1000)
})

test('only URLs are taken from a member list', () => {
  assert.deepEqual(clientUrls(['http://a:1', 'https://b:2/', 'unix://x', 'nonsense', 5, null]), [
    'http://a:1',
    'https://b:2',
  ])
  assert.deepEqual(clientUrls('http://a:1'), [])
})
