import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import { type Certificates, makeCertificates } from '../../test/support/certificates.ts'
import { systemClock } from '../system/clock.ts'
import type { RestAccess } from './configuration.ts'
import { httpMemberApi } from './member-api.ts'
import type { MemberAnswer, MemberCall } from './session.ts'

const NOBODY: RestAccess = {
  credentials: null,
  insecure: false,
  cacert: null,
  certfile: null,
  keyfile: null,
  keyfilePassword: null,
}
let certificates: Certificates
const requests: string[] = []
let handle: (request: IncomingMessage, response: ServerResponse) => void
const plain = createServer((request, response) => receive(request, response))
const servers: Server[] = [plain]

function receive(request: IncomingMessage, response: ServerResponse): void {
  requests.push(`${request.method} ${request.url}`)
  handle(request, response)
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}

/** @returns the URL of a member that shows this certificate */
async function secure(pair: { readonly cert: string; readonly key: string }): Promise<string> {
  const options = { cert: readFileSync(pair.cert), key: readFileSync(pair.key), ca: readFileSync(certificates.ca) }
  const server = createTlsServer({ ...options, requestCert: true, rejectUnauthorized: false }, (request, response) => {
    const socket = request.socket as unknown as { authorized: boolean }
    response.end(socket.authorized ? 'certified' : 'anonymous')
  })
  servers.push(server)
  return `https://127.0.0.1:${await listen(server)}/patroni`
}

let url = ''
before(async () => {
  certificates = makeCertificates()
  url = `http://127.0.0.1:${await listen(plain)}/patroni`
})
beforeEach(() => {
  requests.length = 0
  handle = (_, response) => response.end('fine')
})
after(() => {
  for (const server of servers) server.close()
  certificates.remove()
})

const GET: MemberCall = { method: 'GET', endpoint: null, body: null, limitMs: 5000 }
const POST: MemberCall = { method: 'POST', endpoint: 'restart', body: {}, limitMs: 5000 }

function call(to: string, request: MemberCall, access: Partial<RestAccess> = {}): Promise<MemberAnswer> {
  const api = httpMemberApi({ ...NOBODY, ...access }, systemClock, '5.0.0', new AbortController().signal)
  return api.call(to, request)
}

const bodyOf = (answer: MemberAnswer): string => (answer.kind === 'answered' ? answer.body : answer.kind)

test('2.6 the endpoint replaces the path of the address', async () => {
  assert.deepEqual(await call(url, GET), { kind: 'answered', status: 200, body: 'fine' })
  await call(url, POST)
  assert.deepEqual(requests, ['GET /patroni', 'POST /restart'])
  assert.equal((await call('not a url', GET)).kind, 'not sent')
  assert.equal((await call('ftp://h/patroni', GET)).kind, 'not sent')
})

test('2.6 a connection that breaks after the request left: only what is harmless is sent again', async () => {
  handle = (request) => request.socket.destroy()
  assert.equal((await call(url, GET)).kind, 'unknown')
  assert.equal(requests.length, 3)
  requests.length = 0
  const broken = await call(url, POST)
  assert.equal(broken.kind, 'unknown')
  assert.match(broken.kind === 'unknown' ? broken.reason : '', /^http:\/\/127.0.0.1:\d+: .+/)
  assert.equal(requests.length, 1)
})

test('2.6 nobody listens: the request certainly was not sent', async () => {
  const closed = createServer()
  const port = await listen(closed)
  await new Promise((resolve) => closed.close(resolve))
  assert.equal((await call(`http://127.0.0.1:${port}/patroni`, POST)).kind, 'not sent')
})

test('12.3 a server that does not answer is left at the limit, and not asked again', async () => {
  handle = () => {}
  const answer = await call(url, { ...GET, limitMs: 200 })
  assert.match(answer.kind === 'unknown' ? answer.reason : '', /timed out$/)
  assert.equal(requests.length, 1)
})

test('2.6 redirects are followed, but credentials never leave the host', async () => {
  handle = (request, response) => {
    if (request.url === '/here') response.end('followed')
    else response.writeHead(307, { location: '/here' }).end()
  }
  assert.equal(bodyOf(await call(url, GET)), 'followed')
  handle = (_, response) => void response.writeHead(307, { location: 'http://localhost:1/' }).end('elsewhere')
  assert.deepEqual(await call(url, GET), { kind: 'answered', status: 307, body: 'elsewhere' })
  handle = (_, response) => void response.writeHead(307, { location: '/again' }).end('again')
  assert.equal((await call(url, GET)).kind, 'answered')
})

test('2.6 TLS: who is verified how', async () => {
  const { ca, stranger, server, misnamed, client } = certificates
  const good = await secure(server)
  const misnamedUrl = await secure(misnamed)
  const certfile = client.cert
  const keyfile = client.key
  const cases: readonly (readonly [string, string, Partial<RestAccess>, string])[] = [
    ['trusted', good, { cacert: ca }, 'anonymous'],
    ['trusted by somebody else', good, { cacert: stranger.cert }, 'not sent'],
    ['not trusted', good, {}, 'not sent'],
    ['another host', misnamedUrl, { cacert: ca }, 'not sent'],
    ['insecure', misnamedUrl, { insecure: true }, 'anonymous'],
    ['client certificate', good, { cacert: ca, certfile, keyfile }, 'certified'],
    ['client certificate in one file', good, { cacert: ca, certfile: client.both }, 'certified'],
    ['client certificate, another host', misnamedUrl, { cacert: ca, certfile, keyfile }, 'not sent'],
    ['client certificate, insecure', misnamedUrl, { cacert: ca, certfile, keyfile, insecure: true }, 'certified'],
    [
      'client certificate, insecure: the chain still counts',
      good,
      { cacert: stranger.cert, certfile, keyfile, insecure: true },
      'not sent',
    ],
    [
      'encrypted key',
      good,
      { cacert: ca, certfile, keyfile: certificates.lockedKey.key, keyfilePassword: certificates.lockedKey.password },
      'certified',
    ],
    ['a file that is missing', good, { cacert: '/missing/ca.crt' }, 'not sent'],
  ]
  for (const [title, to, access, expected] of cases) assert.equal(bodyOf(await call(to, GET, access)), expected, title)
})

test('2.6 a certificate that signed itself is trusted when it is named as the authority', async () => {
  const to = await secure(certificates.stranger)
  assert.equal(
    bodyOf(
      await call(to, GET, { cacert: certificates.stranger.cert, certfile: certificates.client.both, insecure: true }),
    ),
    'certified',
  )
})
