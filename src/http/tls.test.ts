import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { type Certificates, makeCertificates } from '../../test/support/certificates.ts'
import { systemClock as clock } from '../../test/support/real.ts'
import { later } from '../cluster/time.ts'
import { createHttpClient } from './client.ts'
import { loadTls, NO_TLS_FILES, type TlsClientFiles, type Verification } from './tls.ts'

let certificates: Certificates
const servers: https.Server[] = []
const urls = { good: '', misnamed: '', strict: '' }

before(async () => {
  certificates = makeCertificates()
  const ca = readFileSync(certificates.ca)
  urls.good = await serve(certificates.server, {})
  urls.misnamed = await serve(certificates.misnamed, {})
  urls.strict = await serve(certificates.server, { ca, requestCert: true, rejectUnauthorized: true })
})
after(() => {
  for (const server of servers) server.close()
  certificates.remove()
})

async function serve(pair: { cert: string; key: string }, options: https.ServerOptions): Promise<string> {
  const files = { cert: readFileSync(pair.cert), key: readFileSync(pair.key) }
  const server = https.createServer({ ...files, ...options }, (_request, response) => response.end('secure'))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function ask(url: string, files: Partial<TlsClientFiles>, verification: Verification): Promise<string> {
  const client = createHttpClient(
    { tls: () => loadTls({ ...NO_TLS_FILES, ...files }, verification), userAgent: 't' },
    clock,
  )
  const limits = { deadline: later(clock.now(), 5000), signal: new AbortController().signal }
  const answer = await client.request({ method: 'GET', url }, limits)
  client.close()
  return answer.kind === 'response' ? answer.body : answer.reason
}

test('full verification wants a known authority and the right name', async () => {
  const { ca, stranger } = certificates
  assert.equal(await ask(urls.good, { cacert: ca }, 'full'), 'secure')
  assert.match(await ask(urls.good, { cacert: stranger.cert }, 'full'), /certificate|issuer|self/)
  assert.match(await ask(urls.good, {}, 'full'), /certificate|issuer|self/)
  assert.match(await ask(urls.misnamed, { cacert: ca }, 'full'), /does not match|altnames/)
})

test('without the host name the authority is still wanted', async () => {
  const { ca, stranger } = certificates
  assert.equal(await ask(urls.misnamed, { cacert: ca }, 'chain'), 'secure')
  assert.match(await ask(urls.misnamed, { cacert: stranger.cert }, 'chain'), /certificate|issuer|self/)
})

test('no verification takes any certificate', async () => {
  assert.equal(await ask(urls.misnamed, {}, 'none'), 'secure')
})

test('a client certificate comes from two files, from one, or with an encrypted key', async () => {
  const { ca, client, lockedKey } = certificates
  assert.equal(await ask(urls.strict, { cacert: ca, cert: client.cert, key: client.key }, 'full'), 'secure')
  assert.equal(await ask(urls.strict, { cacert: ca, cert: client.both }, 'full'), 'secure')
  const locked = { cacert: ca, cert: client.cert, key: lockedKey.key }
  assert.equal(await ask(urls.strict, { ...locked, keyPassword: lockedKey.password }, 'full'), 'secure')
  const wrong = await ask(urls.strict, { ...locked, keyPassword: 'guess' }, 'full')
  assert.notEqual(wrong, 'secure')
  assert.ok(!wrong.includes('guess'))
  assert.notEqual(await ask(urls.strict, { cacert: ca }, 'full'), 'secure')
})

test('the server as its own authority is trusted', async () => {
  // What a self-signed certificate of the REST server amounts to, given as the authority.
  assert.equal(await ask(urls.good, { cacert: certificates.ca }, 'full'), 'secure')
})

test('a file that cannot be read is named, with the cause', async () => {
  assert.equal(await ask(urls.good, { cacert: '/no/such/ca' }, 'full'), 'cannot read /no/such/ca: ENOENT')
  assert.match(
    await ask(urls.good, { cacert: certificates.ca, cert: certificates.server.key }, 'full'),
    /PEM|no start line|key/i,
  )
})
