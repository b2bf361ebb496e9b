import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConfigFiles } from '../config/files.ts'
import { type ConfigurationRequest, defaultConfigFile, loadConfiguration } from './configuration.ts'
import { withDcsUrl } from './dcs-url.ts'

function memoryFiles(files: Readonly<Record<string, string>>): ConfigFiles {
  return {
    kind: async (path) => {
      if (path in files) return 'file'
      return Object.keys(files).some((name) => name.startsWith(`${path}/`)) ? 'directory' : 'missing'
    },
    list: async (path) =>
      Object.keys(files)
        .filter((name) => name.startsWith(`${path}/`))
        .map((name) => name.slice(path.length + 1)),
    read: async (path) => {
      const text = files[path]
      if (text === undefined || text === 'secret') throw Object.assign(new Error(), { code: 'EACCES' })
      return text
    },
  }
}

const load = (files: Readonly<Record<string, string>>, changes: Partial<ConfigurationRequest> = {}) =>
  loadConfiguration({
    configFile: null,
    dcsUrl: null,
    insecure: false,
    env: {},
    platform: 'linux',
    home: '/home/me',
    files: memoryFiles(files),
    ...changes,
  })

const DEFAULT_FILE = '/home/me/.config/patroni/patronictl.yaml'

test('2.1 the default file by platform', () => {
  const at = (platform: NodeJS.Platform, env = {}) => defaultConfigFile({ platform, env, home: '/home/me' })
  assert.equal(at('linux'), DEFAULT_FILE)
  assert.equal(at('linux', { XDG_CONFIG_HOME: '/xdg' }), '/xdg/patroni/patronictl.yaml')
  assert.equal(at('darwin'), '/home/me/Library/Application Support/patroni/patronictl.yaml')
})

test('2.1 no file at all is fine; the default is used where it exists; variables go over it', async () => {
  const nothing = await load({})
  assert.deepEqual([nothing.scope, nothing.namespace, nothing.store.kind], [null, 'service', null])
  const files = { [DEFAULT_FILE]: 'scope: a\nnamespace: /ns/\netcd3: {host: h}' }
  const { scope, namespace, store } = await load(files, { env: { PATRONI_SCOPE: 'b' } })
  assert.deepEqual([scope, namespace, store.kind], ['b', '/ns/', 'etcd3'])
})

test('12.18 where the store was named can be told', async () => {
  const files = { '/f': 'scope: a\netcd3: {host: h}' }
  assert.equal((await load(files, { configFile: '/f' })).storeOrigin, '/f:2')
  assert.equal((await load(files, { configFile: '/f', dcsUrl: 'h' })).storeOrigin, '--dcs-url')
  const env = { PATRONI_ETCD_HOST: 'h' }
  assert.match((await load(files, { configFile: '/f', env })).storeOrigin, /^environment/)
  assert.equal((await load({})).storeOrigin, 'nobody')
})

test('2.1 a directory is merged in order; PATRONI_CONFIGURATION counts only without a file', async () => {
  const files = { '/etc/p/2.yml': 'scope: two', '/etc/p/1.yaml': 'scope: one\nname: n', '/etc/p/3.txt': 'scope: no' }
  const { scope, name } = await load(files, { configFile: '/etc/p' })
  assert.deepEqual([scope, name], ['two', 'n'])
  const env = { PATRONI_CONFIGURATION: 'scope: c', PATRONI_SCOPE: 'b' }
  assert.equal((await load({}, { env })).scope, 'c')
  assert.equal((await load({ '/f': 'scope: f' }, { env, configFile: '/f' })).scope, 'b')
})

test('2.1 files that cannot be used are one clear line', async () => {
  const missing = /^Provided config file \/x not existing or no read rights. Check the -c\/--config-file parameter$/
  const fails = (files: Readonly<Record<string, string>>, message: RegExp) =>
    assert.rejects(load(files, { configFile: '/x' }), (error: Error) => message.test(error.message))
  await fails({}, missing)
  await fails({ '/x': 'secret' }, missing)
  await fails({ '/x': '' }, /^invalid config file \/x: \/x does not contain a dict$/)
  await fails({ '/x': 'a: [1' }, /^\/x:1: .*invalid YAML/)
  await assert.rejects(load({ [DEFAULT_FILE]: 'secret' }), { message: `${DEFAULT_FILE}: permission denied` })
})

test('2.2 credentials and certificates: ctl, else restapi for the authority and the password', async () => {
  const rest = async (text: string, insecure = false) =>
    (await load({ '/f': text }, { configFile: '/f', insecure })).rest
  const own = await rest(`
ctl: {insecure: "on", certfile: c, keyfile: k, keyfile_password: p, authentication: {username: u, password: 1}}
restapi: {cafile: ca, certfile: server, authentication: {username: x, password: y}}`)
  assert.deepEqual(own, {
    credentials: { username: 'u', password: '1' },
    insecure: true,
    cacert: 'ca',
    certfile: 'c',
    keyfile: 'k',
    keyfilePassword: 'p',
  })
  const fallback = await rest(
    'ctl: {authentication: {username: u}, cacert: own}\nrestapi: {cafile: ca, authentication: {username: x, password: y}}',
  )
  assert.deepEqual(fallback.credentials, { username: 'x', password: 'y' })
  assert.equal(fallback.cacert, 'own')
  assert.deepEqual((await rest('ctl: {auth: "u:p:q"}')).credentials, { username: 'u', password: 'p:q' })
  assert.equal((await rest('ctl: {insecure: off}', true)).insecure, true)
})

test('2.2 citus counts only with both parts well typed', async () => {
  const citus = async (text: string) => (await load({ '/f': `citus: ${text}` }, { configFile: '/f' })).citus
  assert.deepEqual(await citus('{group: 0, database: d}'), { group: 0, database: 'd' })
  assert.equal(await citus('{group: 0}'), null)
  assert.equal(await citus('{group: x, database: d}'), null)
})

const URLS: readonly (readonly [string, unknown])[] = [
  ['', { etcd: { host: 'localhost:2379' } }],
  ['h:8500', { consul: { host: 'h:8500' } }],
  ['h:2181', { zookeeper: { hosts: ['h:2181'] } }],
  ['h:8181/', { exhibitor: { hosts: ['h'], port: 8181 } }],
  ['h:1', { etcd: { host: 'h:1' } }],
  ['ETCD3://H:2399/ns', { namespace: '/ns', etcd3: { host: 'h:2399' } }],
  ['etcd3://me:secret@h?x=y#z', { etcd3: { host: 'h:2379' } }],
  ['consul://h', { consul: { host: 'h:8500' } }],
  ['//[::1]:2399', { etcd: { host: '[::1]:2399' } }],
]

for (const [url, expected] of URLS) {
  test(`2.3 --dcs-url ${JSON.stringify(url)}`, () => assert.deepEqual(withDcsUrl({}, url), expected))
}

test('2.3 --dcs-url replaces every store, but keeps credentials of the same kind', () => {
  const document = {
    scope: 's',
    namespace: 'n',
    consul: { host: 'c' },
    etcd3: { hosts: 'a,b', cacert: '/ca', username: 'u' },
  }
  assert.deepEqual(withDcsUrl(document, 'etcd3://h'), {
    scope: 's',
    namespace: 'n',
    etcd3: { cacert: '/ca', username: 'u', host: 'h:2379' },
  })
  assert.throws(() => withDcsUrl({}, 'redis://h'), { message: 'Unknown dcs scheme: redis' })
  assert.throws(() => withDcsUrl({}, 'etcd3://u:secret@h:x'), {
    message: 'Can not understand the dcs url etcd3://h:x: expected [SCHEME://]HOST[:PORT][/NAMESPACE]',
  })
})
