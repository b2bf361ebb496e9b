import assert from 'node:assert/strict'
import { connect as connectPlain } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { Authority, type Certificate } from '../../test/support/certificates.ts'
import type { RestapiConfig } from '../config/types.ts'
import { RestServer } from './rest-server.ts'

import { realClock } from './testing/clocks.ts'
import { fakeAgent, keptLog, restConfig } from './testing/fake-agent.ts'
import { exchange, parseAnswer, readToEnd, send, withServer } from './testing/wire.ts'

let made: Authority
let server: Certificate
let client: Certificate
let stranger: Certificate
let expired: Certificate

before(() => {
  made = new Authority()
  server = made.signed('server')
  client = made.signed('client')
  stranger = made.selfSigned('stranger')
  expired = made.signed('expired', { days: -1 })
})
after(() => made.remove())

const trusting = (more: ConnectionOptions = {}): ConnectionOptions => ({
  ca: made.own.cert,
  checkServerIdentity: () => undefined,
  ...more,
})
const as = ({ cert, key }: Certificate): ConnectionOptions => trusting({ cert, key })
const files = (verifyClient: RestapiConfig['verifyClient'] = 'none', more: Partial<RestapiConfig> = {}) => ({
  certfile: server.certfile,
  keyfile: server.keyfile,
  cafile: made.own.certfile,
  verifyClient,
  ...more,
})

/** The code, or `refused` when there is no answer at all. */
async function code(port: number, line: string, tls: ConnectionOptions): Promise<number | 'refused'> {
  const answer = await exchange(port, line, { tls }).catch(() => null)
  return answer?.status || 'refused'
}

describe('4.1 TLS', () => {
  test('the chain of the file is served, with https headers over http headers', () =>
    withServer(
      files('none', { httpExtraHeaders: { 'X-A': 'http', 'X-B': 'b' }, httpsExtraHeaders: { 'X-A': 'https' } }),
      async ({ port }) => {
        const { status, headers } = await exchange(port, 'GET /primary', { tls: trusting() })
        const all = Object.fromEntries(headers)
        assert.deepEqual([status, all['X-A'], all['X-B']], [200, 'https', 'b'])
      },
    ))

  test('certificate and key may stand in one file', () =>
    withServer({ certfile: made.combined(server, 'server') }, async ({ port }) => {
      assert.equal(await code(port, 'HEAD /', trusting()), 200)
    }))

  test('the key may be encrypted', () => {
    const keyfile = made.encryptedKey(server, 'pass word')
    return withServer({ certfile: server.certfile, keyfile, keyfilePassword: 'pass word' }, async ({ port }) => {
      assert.equal(await code(port, 'HEAD /', trusting()), 200)
    })
  })

  test('ciphers apply to TLS 1.2', () =>
    withServer(files('none', { ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }), async ({ port }) => {
      const tls12 = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' } as const
      assert.equal(await code(port, 'HEAD /', trusting(tls12)), 200)
      const other = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' } as const
      assert.equal(await code(port, 'HEAD /', trusting(other)), 'refused')
    }))

  test('a self-signed certificate may be certificate, authority and client in one', () => {
    const own = made.selfSigned('own')
    const config = {
      certfile: own.certfile,
      keyfile: own.keyfile,
      cafile: own.certfile,
      verifyClient: 'required',
    } as const
    return withServer(config, async ({ port }) => {
      const tls = { ca: own.cert, cert: own.cert, key: own.key, checkServerIdentity: () => undefined }
      assert.equal(await code(port, 'POST /reload', tls), 202)
    })
  })

  test('clients that speak no TLS, or stop in the middle of it, harm nobody', () =>
    withServer(files(), async ({ port, log }) => {
      await send(port, 'GET / HTTP/1.1\r\n\r\n').catch(() => '')
      const half = connectPlain(port, '127.0.0.1')
      half.write(Buffer.from('16030100c8010000c40303', 'hex'))
      assert.equal(await code(port, 'HEAD /', trusting()), 200)
      half.destroy()
      assert.ok(log.lines.some((line) => line.startsWith('DEBUG: TLS handshake with 127.0.0.1 failed')))
      assert.deepEqual(
        log.lines.filter((line) => !line.startsWith('DEBUG')),
        [],
      )
    }))

  const BAD: readonly (readonly [title: string, config: () => Partial<RestapiConfig>, reason: RegExp])[] = [
    [
      'no such certificate',
      () => ({ certfile: '/no/such.crt' }),
      /restapi\.certfile \/no\/such\.crt can not be read: ENOENT/,
    ],
    ['no such key', () => ({ certfile: server.certfile, keyfile: '/no/such.key' }), /restapi\.keyfile/],
    ['no such authority', () => files('none', { cafile: '/no/ca' }), /restapi\.cafile/],
    ['not a certificate', () => ({ certfile: made.write('junk', 'junk') }), /PEM|certificate/i],
    ['another key', () => ({ certfile: server.certfile, keyfile: client.keyfile }), /key values mismatch/i],
    [
      'wrong password',
      () => ({ certfile: server.certfile, keyfile: made.encryptedKey(server, 'right'), keyfilePassword: 'wr0ng' }),
      /./,
    ],
    ['unknown ciphers', () => files('none', { ciphers: 'NONSENSE' }), /cipher/i],
  ]
  for (const [title, config, reason] of BAD)
    test(`${title}: a clear reason, and the port stays free`, async () => {
      const control = fakeAgent()
      const failing = new RestServer(
        { control, clock: realClock, log: keptLog(), openApiFile: null },
        restConfig(config()),
      )
      const started = await failing.start()
      assert.ok(started.kind === 'failed')
      assert.match(started.reason, reason)
      assert.equal(started.reason.includes('wr0ng'), false)
      await failing.stop(0)
    })
})

type Code = number | 'refused'
type Row = readonly [who: string, tls: () => ConnectionOptions, safe: Code, unsafe: Code]
const anonymous = () => trusting()
const VERIFY: Readonly<Record<RestapiConfig['verifyClient'], readonly Row[]>> = {
  none: [
    ['nobody', anonymous, 200, 202],
    ['a client of ours', () => as(client), 200, 202],
    ['a stranger', () => as(stranger), 200, 202],
  ],
  optional: [
    ['nobody', anonymous, 200, 403],
    ['a client of ours', () => as(client), 200, 202],
    ['a stranger', () => as(stranger), 'refused', 'refused'],
    ['an expired one', () => as(expired), 'refused', 'refused'],
  ],
  required: [
    ['nobody', anonymous, 'refused', 'refused'],
    ['a client of ours', () => as(client), 200, 202],
    ['a stranger', () => as(stranger), 'refused', 'refused'],
    ['an expired one', () => as(expired), 'refused', 'refused'],
  ],
}
describe('4 verify_client', () => {
  for (const mode of ['none', 'optional', 'required'] as const)
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const)
      for (const [who, tls, safe, unsafe] of VERIFY[mode])
        test(`${mode}, ${maxVersion}, ${who}: ${safe} and ${unsafe}`, () =>
          withServer(files(mode), async ({ port }) => {
            const options = { ...tls(), maxVersion }
            assert.deepEqual(
              [await code(port, 'GET /primary', options), await code(port, 'POST /reload', options)],
              [safe, unsafe],
            )
          }))

  test('without a cafile no client certificate is good, not even that of a public authority', () =>
    withServer(files('required', { cafile: null }), async ({ port }) => {
      assert.equal(await code(port, 'HEAD /', as(client)), 'refused')
    }))

  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const)
    test(`${maxVersion}: a session that is taken up again brings no certificate with it that was never shown`, () =>
      withServer(files('optional'), async ({ port }) => {
        const session = await sessionOf(port, { ...anonymous(), maxVersion })
        const again = { ...anonymous(), maxVersion, ...(session ? { session } : {}) }
        assert.equal(await code(port, 'POST /reload', again), 403)
      }))
})

/** The last session that the server offered for later. */
function sessionOf(port: number, options: ConnectionOptions): Promise<Buffer | undefined> {
  const socket: TLSSocket = connect({ port, host: '127.0.0.1', ...options })
  let session: Buffer | undefined
  socket.on('session', (offered) => {
    session = offered
  })
  socket.on('secureConnect', () => socket.write('HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n'))
  return readToEnd(socket).then(() => session)
}

describe('3 reload of certificates', () => {
  const serial = async (port: number): Promise<string> => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
    await new Promise((resolve) => socket.once('secureConnect', resolve))
    const { serialNumber } = socket.getPeerCertificate()
    socket.destroy()
    return serialNumber
  }

  test('21.16 new content under the same names is served from the next connection on; open ones end well', () => {
    const first = made.signed('rotating')
    const config = { certfile: first.certfile, keyfile: first.keyfile }
    return withServer(config, async ({ server: rest, port }) => {
      const before = await serial(port)
      const socket = connect({ port, host: '127.0.0.1', ...trusting() })
      const answers = readToEnd(socket)
      socket.write('HEAD / HTTP/1.1\r\n\r\n')
      await new Promise((resolve) => socket.once('data', resolve))
      assert.equal((await rest.reload(restConfig(config))).kind, 'listening')
      assert.equal(await serial(port), before)
      made.signed('rotating')
      assert.equal((await rest.reload(restConfig(config))).kind, 'listening')
      assert.notEqual(await serial(port), before)
      assert.match(await answers, /^HTTP\/1\.1 200/)
      assert.equal(await code(port, 'HEAD /', trusting()), 200)
    })
  })

  test('a request under way is answered under the old certificate', () => {
    const agent = fakeAgent()
    let finish = (): void => {}
    agent.answers.restart = () =>
      new Promise((resolve) => {
        finish = () => resolve({ ok: true, text: 'restarted successfully' })
      })
    const first = made.signed('busy')
    const config = { certfile: first.certfile, keyfile: first.keyfile }
    return withServer(
      config,
      async ({ server: rest, port }) => {
        const under = exchange(port, 'POST /restart', { tls: trusting() })
        await new Promise((resolve) => setTimeout(resolve, 100))
        made.signed('busy')
        await rest.reload(restConfig(config))
        finish()
        assert.equal((await under).body, 'restarted successfully')
      },
      agent,
    )
  })

  test('21.15 a bad certificate changes nothing', () => {
    const first = made.signed('breaking')
    const config = { certfile: first.certfile, keyfile: first.keyfile }
    return withServer(config, async ({ server: rest, port }) => {
      made.write('breaking.crt', 'junk')
      const failed = await rest.reload(restConfig({ ...config, authentication: { username: 'a', password: 'b' } }))
      assert.equal(failed.kind, 'failed')
      assert.equal(await code(port, 'POST /reload', trusting()), 202)
    })
  })

  test('from plain to TLS and back on the same port', () =>
    withServer({}, async ({ server: rest, port }) => {
      await rest.reload(restConfig(files()))
      assert.equal(await code(port, 'HEAD /', trusting()), 200)
      await rest.reload(restConfig())
      assert.equal((await exchange(port, 'HEAD /')).status, 200)
    }))

  test('a stricter verify_client counts from the next connection on', () =>
    withServer(files('none'), async ({ server: rest, port }) => {
      assert.equal(await code(port, 'HEAD /', trusting()), 200)
      await rest.reload(restConfig(files('required')))
      assert.equal(await code(port, 'HEAD /', trusting()), 'refused')
      assert.equal(await code(port, 'HEAD /', as(client)), 200)
    }))
})

test('keep-alive works over TLS', () =>
  withServer(files(), async ({ port }) => {
    const text = 'HEAD / HTTP/1.1\r\n\r\nHEAD /replica HTTP/1.1\r\nConnection: close\r\n\r\n'
    const answers = await send(port, text, trusting())
    assert.deepEqual(answers.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 503'])
    assert.equal(parseAnswer(answers).status, 200)
  }))
