import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { connect, createServer } from 'node:net'
import { describe, test } from 'node:test'
import { RestServer } from './rest-server.ts'
import { realClock, settle } from './testing/clocks.ts'
import { fakeAgent, HEALTHY_KEYS, keptLog, restConfig, statusOf, viewOf } from './testing/fake-agent.ts'
import { exchange, parseAnswer, readToEnd, send, withServer } from './testing/wire.ts'

const names = (headers: readonly (readonly [string, string])[]) => headers.map(([name]) => name)
const DATE = /^\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT$/

describe('2.4 shapes on the wire', () => {
  test('JSON: headers in order, extra headers after them', () =>
    withServer(
      { httpExtraHeaders: { 'X-Frame-Options': 'DENY' }, httpsExtraHeaders: { 'X-Tls': '1' } },
      async ({ port }) => {
        const { status, headers, body } = await exchange(port, 'GET /primary')
        assert.equal(status, 200)
        assert.deepEqual(names(headers).slice(0, 5), [
          'Server',
          'Date',
          'Content-Type',
          'X-Frame-Options',
          'Content-Length',
        ])
        const all = Object.fromEntries(headers)
        assert.match(all['Date'] ?? '', DATE)
        assert.equal(all['Content-Type'], 'application/json')
        assert.equal(Number(all['Content-Length']), body.length)
        assert.equal(all['Connection'], 'close')
        assert.match(body, /^\{"state": "running", /)
      },
    ))

  test('extra headers are appended, not substituted; ones that HTTP forbids are left out with a word in the log', () =>
    withServer({ httpExtraHeaders: { 'Content-Type': 'x/y', 'Bad Name': 'v', Bad: 'a\nb' } }, async ({ port, log }) => {
      const { headers } = await exchange(port, 'GET /primary')
      const types = headers.filter(([name]) => name === 'Content-Type').map(([, value]) => value)
      assert.deepEqual(types, ['application/json', 'x/y'])
      assert.equal(log.lines.filter((line) => line.startsWith('ERROR: Header "')).length >= 2, true)
    }))

  test('text', () =>
    withServer({ httpExtraHeaders: { 'X-A': 'b' } }, async ({ port }) => {
      const { status, headers, body } = await exchange(port, 'POST /reload', { headers: ['Content-Length: 0'] })
      assert.deepEqual([status, body], [202, 'reload scheduled'])
      assert.deepEqual(names(headers).slice(0, 4), ['Server', 'Date', 'Content-Type', 'X-A'])
      assert.equal(Object.fromEntries(headers)['Content-Type'], 'text/html')
    }))

  test('metrics', () =>
    withServer({}, async ({ port }) => {
      const { headers, body } = await exchange(port, 'GET /metrics')
      assert.equal(Object.fromEntries(headers)['Content-Type'], 'text/plain')
      assert.ok(body.endsWith('\n'))
    }))

  test('bare answers carry nothing about us', () =>
    withServer({ httpExtraHeaders: { 'X-A': 'b' } }, async ({ port }) => {
      for (const line of [
        'HEAD /primary',
        'OPTIONS /',
        'GET /liveness',
        'GET /readiness',
        'HEAD /patroni',
        'HEAD /metrics',
      ]) {
        const { status, headers, body } = await exchange(port, line)
        assert.deepEqual([status, body], [200, ''], line)
        for (const name of names(headers))
          assert.ok(['Content-Length', 'Connection'].includes(name), `${line}: ${name}`)
      }
    }))

  test('error pages close the connection and carry no extra headers', () =>
    withServer({ httpExtraHeaders: { 'X-A': 'b' } }, async ({ port }) => {
      const { statusLine, headers, body } = await exchange(port, 'POST /nothing')
      assert.equal(statusLine, "HTTP/1.1 501 Unsupported method ('POST')")
      assert.deepEqual(names(headers), ['Server', 'Date', 'Connection', 'Content-Type', 'Content-Length'])
      const all = Object.fromEntries(headers)
      assert.deepEqual([all['Connection'], all['Content-Type']], ['close', 'text/html;charset=utf-8'])
      for (const text of [
        'Error code: 501',
        "Message: Unsupported method ('POST').",
        'Server does not support this operation',
      ])
        assert.ok(body.includes(text), text)
    }))

  const SERVERS = { original: /^node\/\d+/, minimal: /^Patroni\/4\.1\.4$/, productonly: /^Patroni$/ } as const
  for (const [serverTokens, pattern] of Object.entries(SERVERS))
    test(`server_tokens ${serverTokens}`, () =>
      withServer({ serverTokens: serverTokens as keyof typeof SERVERS }, async ({ port }) => {
        assert.match(Object.fromEntries((await exchange(port, 'GET /primary')).headers)['Server'] ?? '', pattern)
      }))

  test('each request is a DEBUG line', () =>
    withServer({}, async ({ port, log }) => {
      log.isDebug = true
      await exchange(port, 'GET /primary?x=1')
      assert.match(
        log.lines.at(-1) ?? '',
        /^DEBUG: API thread: 127\.0\.0\.1 - - "GET \/primary\?x=1 HTTP\/1\.1" 200 - latency: [\d.]+ ms$/,
      )
    }))
})

describe('2.2 keep-alive', () => {
  const twice = (version: string, headers: string) =>
    `HEAD / HTTP/${version}\r\nHost: x\r\n${headers}\r\nHEAD /replica HTTP/${version}\r\nHost: x\r\nConnection: close\r\n\r\n`
  const CASES: readonly (readonly [title: string, version: string, headers: string, kept: boolean])[] = [
    ['HTTP/1.1', '1.1', '', true],
    ['HTTP/1.1 that asks to close', '1.1', 'Connection: close\r\n', false],
    ['HTTP/1.0', '1.0', '', false],
    ['HTTP/1.0 that asks to keep', '1.0', 'Connection: keep-alive\r\n', true],
    [
      'a member of the reference, which would pool it unasked',
      '1.1',
      'User-Agent: Patroni/4.1.4 Python/3.11\r\n',
      false,
    ],
    ['the same if it asks', '1.1', 'User-Agent: Patroni/4.1.4\r\nConnection: keep-alive\r\n', true],
  ]
  for (const [title, version, headers, kept] of CASES)
    test(`${title}: ${kept ? 'kept' : 'closed'}`, () =>
      withServer({}, async ({ port }) => {
        const answers = (await send(port, twice(version, headers))).match(/HTTP\/1\.1 \d+/g)
        assert.deepEqual(answers, kept ? ['HTTP/1.1 200', 'HTTP/1.1 503'] : ['HTTP/1.1 200'])
      }))

  test('a pool uses one connection for many requests', () =>
    withServer({}, async ({ port }) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      const ports = new Set<number | undefined>()
      for (let i = 0; i < 20; i++)
        await new Promise<void>((resolve, reject) => {
          const asked = request({ agent, port, host: '127.0.0.1', path: '/patroni' }, (answer) => {
            ports.add(answer.socket.localPort)
            answer.resume().on('end', resolve)
          })
          asked.on('error', reject).end()
        })
      assert.equal(ports.size, 1)
      agent.destroy()
    }))

  test('requests in a row without waiting are answered in order', () =>
    withServer({}, async ({ port }) => {
      const text = ['/primary', '/patroni', '/metrics', '/replica'].map(
        (path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`,
      )
      const answers = await send(port, `${text.join('')}HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n`)
      assert.deepEqual(
        answers.match(/HTTP\/1\.1 \d+/g),
        [200, 200, 200, 503, 200].map((code) => `HTTP/1.1 ${code}`),
      )
    }))
})

describe('2.2 and 2.5 what clients send', () => {
  const page = async (port: number, text: string | Buffer) => {
    const { status, body, headers } = parseAnswer(await send(port, text))
    assert.match(body, new RegExp(`Error code: ${status}`))
    assert.equal(Object.fromEntries(headers)['Connection'], 'close')
    return status
  }
  const GARBAGE: readonly (readonly [title: string, text: string | Buffer, status: number])[] = [
    ['noise', Buffer.from([0, 1, 2, 3, 255, 13, 10, 13, 10]), 400],
    ['a TLS hello on a plain port', Buffer.from('16030100c8010000c40303', 'hex'), 400],
    ['an unknown method', 'FROB /primary HTTP/1.1\r\n\r\n', 501],
    ['a strange version', 'GET / HTTP/9.9\r\n\r\n', 505],
    ['a target of 70,000 characters', `GET /${'x'.repeat(70_000)} HTTP/1.1\r\n\r\n`, 414],
    ['a header of 200,000 characters', `GET / HTTP/1.1\r\nX: ${'x'.repeat(200_000)}\r\n\r\n`, 431],
    ['150 headers', `GET / HTTP/1.1\r\n${'X: y\r\n'.repeat(150)}\r\n`, 431],
    ['a header without a colon', 'GET / HTTP/1.1\r\nnonsense\r\n\r\n', 400],
    ['a length that is no number', 'POST /restart HTTP/1.1\r\nContent-Length: ten\r\n\r\n', 400],
    ['a negative length', 'POST /restart HTTP/1.1\r\nContent-Length: -5\r\n\r\n', 400],
    ['two lengths', 'POST /restart HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}', 400],
    ['a length and chunks', 'POST /restart HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}', 400],
    ['no length where a body is needed', 'PATCH /config HTTP/1.1\r\n\r\n', 411],
    ['a length of 0', 'PATCH /config HTTP/1.1\r\nContent-Length: 0\r\n\r\n', 400],
    ['bad JSON', 'PATCH /config HTTP/1.1\r\nContent-Length: 3\r\n\r\n{a}', 400],
    ['an announced body that is too large', 'PATCH /config HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n', 413],
    ['a broken chunk', 'PATCH /config HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 400],
  ]
  for (const [title, text, status] of GARBAGE)
    test(`${title}: ${status}`, () =>
      withServer({}, async ({ port, agent }) => {
        assert.equal(await page(port, text), status)
        assert.equal(
          agent.asked.some(([name]) => name === 'restart' || name === 'writeConfig'),
          false,
        )
        assert.equal((await exchange(port, 'HEAD /')).status, 200)
      }))

  test('21.4 a chunked body is read, so that a filtered restart stays filtered', () =>
    withServer({}, async ({ port, agent }) => {
      const body = '{"role": "replica"}'
      const chunks = Array.from(body, (c) => `1\r\n${c}\r\n`).join('')
      const head = 'POST /restart HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n'
      assert.equal(parseAnswer(await send(port, `${head}${chunks}0\r\n\r\n`)).status, 200)
      assert.deepEqual(agent.asked, [['restart', { role: 'replica' }]])
    }))

  test('a chunked body without end is cut off at the limit', () =>
    withServer({}, async ({ port }) => {
      const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`
      const socket = connect(port, '127.0.0.1')
      const answer = readToEnd(socket)
      socket.write('PATCH /config HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n')
      for (let i = 0; i < 40 && !socket.destroyed; i++) socket.write(chunk)
      assert.equal(parseAnswer(await answer.catch(() => 'HTTP/1.1 413 x')).status, 413)
    }))

  test('a body that comes in pieces is put together', () =>
    withServer({}, async ({ port, agent }) => {
      const socket = connect(port, '127.0.0.1')
      const answer = readToEnd(socket)
      socket.write('POST /restart HTTP/1.1\r\nConnection: close\r\nContent-Length: 19\r\n\r\n{"role": ')
      await new Promise((resolve) => setTimeout(resolve, 50))
      assert.deepEqual(agent.asked, [])
      socket.write('"replica"}')
      assert.equal(parseAnswer(await answer).status, 200)
      assert.deepEqual(agent.asked, [['restart', { role: 'replica' }]])
    }))

  test('a client that leaves in the middle of its body has asked for nothing', () =>
    withServer({}, async ({ port, agent }) => {
      const socket = connect(port, '127.0.0.1')
      socket.write('POST /restart HTTP/1.1\r\nContent-Length: 100\r\n\r\n{"role"')
      await new Promise((resolve) => setTimeout(resolve, 50))
      socket.destroy()
      await new Promise((resolve) => setTimeout(resolve, 50))
      assert.deepEqual(agent.asked, [])
      assert.equal((await exchange(port, 'HEAD /')).status, 200)
    }))

  test('a body with a read is ignored, and the connection stays usable', () =>
    withServer({}, async ({ port }) => {
      const text = 'GET /primary HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloHEAD / HTTP/1.1\r\nConnection: close\r\n\r\n'
      assert.match(await send(port, text), /^HTTP\/1\.1 200/)
    }))

  test(
    '21.14 a request that does not come to an end is cut off, and others are served meanwhile',
    { timeout: 30_000 },
    () =>
      withServer({}, async ({ port }) => {
        const started = Date.now()
        const slow = ['', 'GET / HT', 'POST /restart HTTP/1.1\r\nContent-Length: 9\r\n\r\n{'].map((text) =>
          send(port, text),
        )
        assert.equal((await exchange(port, 'HEAD /')).status, 200)
        const answers = await Promise.all(slow)
        assert.ok(Date.now() - started < 20_000)
        for (const answer of answers.slice(1)) assert.match(answer, /^HTTP\/1\.1 408/)
      }),
  )

  test('clients that come all at once are all accepted at once', { timeout: 10_000 }, () =>
    withServer({}, async ({ port }) => {
      const began = Date.now()
      const answers = await Promise.all(Array.from({ length: 100 }, () => exchange(port, 'GET /liveness')))
      // A connection that the kernel drops is tried again by the client after a second.
      assert.ok(Date.now() - began < 900, `${Date.now() - began} ms`)
      assert.ok(answers.every(({ status }) => status === 200))
    }),
  )

  test('one client cannot take all connections', { timeout: 30_000 }, () =>
    withServer({ requestQueueSize: 600 }, async ({ port }) => {
      const sockets = Array.from({ length: 560 }, () => connect(port, '127.0.0.1').on('error', () => {}))
      const opened = sockets.map(
        (socket) => new Promise((resolve) => socket.once('connect', resolve).once('close', resolve)),
      )
      await Promise.all(opened)
      const open = () => sockets.filter((socket) => !socket.destroyed && socket.readyState === 'open').length
      const until = Date.now() + 15_000
      while (open() > 512 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50))
      assert.ok(open() <= 512 && open() > 400, String(open()))
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => setTimeout(resolve, 300))
      assert.equal((await exchange(port, 'HEAD /')).status, 200)
    }),
  )
})

describe('a fault of ours', () => {
  test('is a 500, is in the log, and does not stop the server', () => {
    const agent = fakeAgent()
    agent.answers.deleteScheduledRestart = () => Promise.reject(new Error('a bug'))
    return withServer(
      {},
      async ({ port, log }) => {
        const { status, body } = await exchange(port, 'DELETE /restart')
        assert.equal(status, 500)
        assert.equal(body.includes('a bug'), false)
        assert.ok(
          log.lines.some((line) =>
            /^WARNING: Exception happened during processing of request from 127\.0\.0\.1:\d+$/.test(line),
          ),
        )
        agent.status = () => {
          throw new Error('another bug')
        }
        assert.equal((await exchange(port, 'HEAD /')).status, 500)
      },
      agent,
    )
  })
})

describe('4 access control on the wire', () => {
  const authentication = { username: 'admin', password: 'secret' }
  const right = `Authorization: Basic ${Buffer.from('admin:secret').toString('base64')}`
  test('unsafe requests need the password, safe ones do not', () =>
    withServer({ authentication }, async ({ port, agent, log }) => {
      for (const line of ['GET /config', 'GET /patroni', 'HEAD /', 'OPTIONS /replica', 'GET /cluster'])
        assert.notEqual((await exchange(port, line)).status, 401, line)
      const unsafe =
        'PATCH /config,PUT /config,POST /reload,POST /restart,DELETE /restart,POST /reinitialize,POST /switchover,DELETE /switchover,POST /failover,POST /failsafe,POST /sigterm'
      for (const line of unsafe.split(',')) {
        const none = await exchange(port, line, { body: '{"a": 1}' })
        assert.deepEqual([none.status, none.body], [401, 'no auth header received'], line)
        assert.equal(Object.fromEntries(none.headers)['WWW-Authenticate'], 'Basic realm="Patroni"')
        const wrong = await exchange(port, line, { body: '{"a": 1}', headers: ['Authorization: Basic eDp5'] })
        assert.deepEqual([wrong.status, wrong.body], [401, 'not authenticated'], line)
      }
      assert.deepEqual(
        agent.asked.filter(([name]) => !['observe', 'loadView'].includes(name)),
        [],
      )
      assert.equal((await exchange(port, 'POST /reload', { headers: [right] })).status, 202)
      assert.equal(
        log.lines.some((line) => line.includes('secret')),
        false,
      )
    }))

  test('an unknown operation is 501 before anybody asks for a password', () =>
    withServer({ authentication }, async ({ port }) => {
      assert.equal((await exchange(port, 'DELETE /config')).status, 501)
    }))

  test('access is checked before the body is read', () =>
    withServer({ authentication }, async ({ port }) => {
      const head = 'PATCH /config HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n'
      assert.equal(parseAnswer(await send(port, head)).status, 401)
    }))

  test('the allowlist turns other addresses away', () =>
    withServer({ allowlist: ['10.0.0.0/8'] }, async ({ port }) => {
      const { status, body } = await exchange(port, 'POST /reload')
      assert.deepEqual([status, body], [403, 'Access is denied'])
      assert.equal((await exchange(port, 'GET /config')).status, 200)
    }))

  test('21.5 an IPv4 entry works on a wildcard listener', () =>
    withServer({ listen: '*:0', allowlist: ['127.0.0.0/8'] }, async ({ port }) => {
      assert.equal((await exchange(port, 'POST /reload')).status, 202)
    }))

  test('members are let in by their REST URL', () => {
    const agent = fakeAgent(
      statusOf({ view: viewOf({ ...HEALTHY_KEYS, 'members/n2': { api_url: 'http://127.0.0.1:8009/patroni' } }) }),
    )
    return withServer(
      { allowlistIncludeMembers: true },
      async ({ port }) => {
        assert.equal((await exchange(port, 'POST /reload')).status, 202)
        agent.current = statusOf({ view: null })
        assert.equal((await exchange(port, 'POST /reload')).status, 403)
      },
      agent,
    )
  })
})

describe('2.1 listening', () => {
  const outcome = async (listen: string) => {
    const server = new RestServer(
      { control: fakeAgent(), clock: realClock, log: keptLog(), openApiFile: null },
      restConfig({ listen }),
    )
    const started = await server.start()
    await server.stop(0)
    return started
  }

  for (const listen of ['127.0.0.1', 'localhost', '127.0.0.1:http', '127.0.0.1:99999', ''])
    test(`"${listen}" is refused`, async () => {
      const started = await outcome(listen)
      const reason = `Invalid "restapi" config: expected <HOST>:<PORT> for "listen", but got "${listen}"`
      assert.deepEqual(started, { kind: 'failed', reason })
    })

  for (const listen of ['127.0.0.1:0', '*:0', ':0', '[::1]:0', '::1:0', 'localhost:0', '0.0.0.0:0', '[::]:0'])
    test(`"${listen}" is bound`, async (t) => {
      const started = await outcome(listen)
      if (started.kind === 'failed' && listen.includes('::') && /EADDRNOTAVAIL|EAFNOSUPPORT/.test(started.reason))
        return t.skip('this machine has no IPv6')
      assert.equal(started.kind, 'listening')
    })

  test('a port that is taken is named', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const { port } = other.address() as { port: number }
    const started = await outcome(`127.0.0.1:${port}`)
    other.close()
    assert.ok(started.kind === 'failed')
    const text = `Couldn't start a service on '127.0.0.1:${port}', please check your \`restapi.listen\` configuration`
    assert.ok(started.reason.startsWith(text), started.reason)
    assert.match(started.reason, /EADDRINUSE/)
  })

  test('a host that does not exist is named; all interfaces are called None', async () => {
    const gone = await outcome('no-such-host.invalid:0')
    assert.ok(gone.kind === 'failed')
    assert.match(gone.reason, /Couldn't start a service on 'no-such-host\.invalid:0'/)
    const other = createServer().listen(0)
    await new Promise((resolve) => other.once('listening', resolve))
    const taken = await outcome(`*:${(other.address() as { port: number }).port}`)
    other.close()
    assert.ok(taken.kind === 'failed')
    assert.match(taken.reason, /'None:\d+'/)
  })
})

describe('3 reload', () => {
  test('what needs no new socket is in force at once, on open connections too', () =>
    withServer({}, async ({ server, port }) => {
      const socket = connect(port, '127.0.0.1')
      const answers = readToEnd(socket)
      socket.write('POST /reload HTTP/1.1\r\nContent-Length: 0\r\n\r\n')
      await new Promise((resolve) => socket.once('data', resolve))
      const authentication = { username: 'a', password: 'b' }
      const same = { listen: `127.0.0.1:0`, authentication, serverTokens: 'productonly' } as const
      assert.equal((await server.reload(restConfig(same))).kind, 'listening')
      socket.write('POST /reload HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
      assert.deepEqual((await answers).match(/HTTP\/1\.1 \d+|Server: Patroni/g), [
        'HTTP/1.1 202',
        'HTTP/1.1 401',
        'Server: Patroni',
      ])
    }))

  test('a new address is bound before the old one is given up', () =>
    withServer({}, async ({ server, port }) => {
      const moved = await server.reload(restConfig({ listen: 'localhost:0' }))
      assert.ok(moved.kind === 'listening' && moved.port !== port)
      assert.equal(moved.port > 0, true)
      await assert.rejects(exchange(port, 'HEAD /'), /ECONNREFUSED/)
    }))

  test('from one interface to all of them on the same port', () =>
    withServer({}, async ({ server, port }) => {
      assert.equal((await server.reload(restConfig({ listen: `*:${port}` }))).kind, 'listening')
      assert.equal((await exchange(port, 'HEAD /')).status, 200)
      assert.equal((await server.reload(restConfig({ listen: `127.0.0.1:${port}` }))).kind, 'listening')
      assert.equal((await exchange(port, 'HEAD /')).status, 200)
    }))

  test('21.15 an address that cannot be had changes nothing', () =>
    withServer({}, async ({ server, port }) => {
      const other = createServer().listen(0, '127.0.0.1')
      await new Promise((resolve) => other.once('listening', resolve))
      const taken = (other.address() as { port: number }).port
      const authentication = { username: 'a', password: 'b' }
      const failed = await server.reload(
        restConfig({ listen: `127.0.0.1:${taken}`, authentication, allowlist: ['10.0.0.1'] }),
      )
      assert.ok(failed.kind === 'failed')
      assert.match(failed.reason, /EADDRINUSE/)
      assert.equal((await exchange(port, 'POST /reload')).status, 202)
      other.close()
    }))

  test('requests under way finish on the old socket', () => {
    const agent = fakeAgent()
    let finish = (): void => {}
    agent.answers.restart = () =>
      new Promise((resolve) => {
        finish = () => resolve({ ok: true, text: 'restarted successfully' })
      })
    return withServer(
      {},
      async ({ server, port }) => {
        const under = exchange(port, 'POST /restart')
        await new Promise((resolve) => setTimeout(resolve, 50))
        await server.reload(restConfig({ listen: 'localhost:0' }))
        finish()
        assert.equal((await under).body, 'restarted successfully')
      },
      agent,
    )
  })
})

describe('stop', () => {
  test('a request under way is waited for, a new one is not taken', () => {
    const agent = fakeAgent()
    let finish = (): void => {}
    agent.answers.restart = () =>
      new Promise((resolve) => {
        finish = () => resolve({ ok: true, text: 'restarted successfully' })
      })
    return withServer(
      {},
      async ({ server, port }) => {
        const under = exchange(port, 'POST /restart')
        await new Promise((resolve) => setTimeout(resolve, 50))
        const stopped = server.stop(5_000)
        await settle()
        await assert.rejects(exchange(port, 'HEAD /'), /ECONNREFUSED/)
        finish()
        assert.equal((await under).body, 'restarted successfully')
        await stopped
      },
      agent,
    )
  })

  test('who waits for a switchover is answered, who does not end in time is cut off', () => {
    const agent = fakeAgent()
    agent.read = async () => viewOf({ ...HEALTHY_KEYS, failover: { leader: 'n1' } })
    let finish = (): void => {}
    agent.answers.restart = () =>
      new Promise((resolve) => {
        finish = () => resolve({ ok: null, text: '' })
      })
    return withServer(
      {},
      async ({ server, port }) => {
        const waiting = exchange(port, 'POST /switchover', { body: '{"leader": "n1"}' })
        const endless = exchange(port, 'POST /restart').catch((error: NodeJS.ErrnoException) => error.code)
        await new Promise((resolve) => setTimeout(resolve, 100))
        const started = Date.now()
        await server.stop(300)
        assert.ok(Date.now() - started < 2_000)
        assert.match((await waiting).body, /^Switchover status unknown/)
        const cut = await endless
        finish()
        assert.ok(cut === 'ECONNRESET' || (typeof cut === 'object' && cut.statusLine === ''))
      },
      agent,
    )
  })
})
