import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectionAttempts } from './connection-attempts.ts'
import type { ConnectionKeywords } from './parts.ts'

async function ways(keywords: ConnectionKeywords, refusesTls: readonly string[] = []): Promise<readonly string[]> {
  const found = await connectionAttempts(keywords, new Set(refusesTls))
  if (found.kind === 'impossible') return [found.reason]
  return found.hosts.flatMap(({ host, port, ways }) =>
    ways.map((way) => `${host}:${port} ${way === 'plain' ? 'plain' : 'tls'}`),
  )
}

test('13 prefer asks with TLS first and then without, allow the other way round, require only with', async () => {
  const address = { host: 'db', port: '6000' }
  assert.deepEqual(await ways(address), ['db:6000 tls', 'db:6000 plain'])
  assert.deepEqual(await ways({ ...address, sslmode: 'allow' }), ['db:6000 plain', 'db:6000 tls'])
  assert.deepEqual(await ways({ ...address, sslmode: 'require' }), ['db:6000 tls'])
  assert.deepEqual(await ways({ ...address, sslmode: 'disable' }), ['db:6000 plain'])
})

test('13 a server that is known to speak no TLS is asked without it first', async () => {
  assert.deepEqual(await ways({ host: 'db', port: '1' }, ['db:1']), ['db:1 plain', 'db:1 tls'])
})

test('13 TLS does not apply to socket directories, whatever the mode demands', async () => {
  assert.deepEqual(await ways({ host: '/run/postgresql', sslmode: 'require' }), ['/run/postgresql:5432 plain'])
})

test('2.7 several hosts share a port or have one each', async () => {
  const keywords = { host: 'a,b', sslmode: 'disable' }
  assert.deepEqual(await ways({ ...keywords, port: '1' }), ['a:1 plain', 'b:1 plain'])
  assert.deepEqual(await ways({ ...keywords, port: '1,2' }), ['a:1 plain', 'b:2 plain'])
})

test('13 verify-ca without root certificates, a missing file, an unknown mode and demanded GSSAPI are refused with the key', async () => {
  const address = { host: 'db', port: '1' }
  assert.match((await ways({ ...address, sslmode: 'verify-ca', sslrootcert: '/none' })).join(), /sslrootcert: ENOENT/)
  assert.match((await ways({ ...address, sslmode: 'require', sslkey: '/none' })).join(), /sslkey: ENOENT/)
  assert.match((await ways({ ...address, sslmode: 'maybe' })).join(), /sslmode=maybe/)
  assert.match((await ways({ ...address, gssencmode: 'require' })).join(), /gssencmode=require/)
})
