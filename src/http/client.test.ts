import assert from 'node:assert/strict'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { afterEach, test } from 'node:test'
import { systemClock as clock } from '../../test/support/real.ts'
import { later } from '../cluster/time.ts'
import { createHttpClient, type HttpClient, type HttpClientOptions, type HttpLimits } from './client.ts'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

function client(options: Partial<HttpClientOptions> = {}): HttpClient {
  const made = createHttpClient({ userAgent: 'Test/1', ...options }, clock)
  cleanups.push(() => made.close())
  return made
}

function limits(ms = 5000, more: Partial<HttpLimits> = {}): HttpLimits {
  return { deadline: later(clock.now(), ms), signal: new AbortController().signal, ...more }
}

async function server(handle: http.RequestListener): Promise<string> {
  const made = http.createServer(handle)
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    made.closeAllConnections()
    made.close()
  })
  return `http://127.0.0.1:${(made.address() as AddressInfo).port}`
}

/** A bare TCP server, for what no HTTP server does. */
async function tcp(handle: (socket: net.Socket) => void): Promise<string> {
  const sockets: net.Socket[] = []
  const made = net.createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    handle(socket)
  })
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
    made.close()
  })
  return `http://127.0.0.1:${(made.address() as AddressInfo).port}`
}

test('every status is a response, with its headers and its body', async () => {
  const url = await server((request, response) => {
    response.writeHead(503, { lsn: '5', 'set-cookie': ['a', 'b'] }).end(`${request.method} ${request.url} ü`)
  })
  const answer = await client().request({ method: 'GET', url: `${url}/x` }, limits())
  assert.ok(answer.kind === 'response')
  assert.deepEqual([answer.status, answer.headers['lsn'], answer.body], [503, '5', 'GET /x ü'])
  assert.equal(answer.headers['set-cookie'], 'a, b')
})

test('credentials, user agent and length go with every request', async () => {
  const seen: http.IncomingHttpHeaders[] = []
  const url = await server((request, response) => {
    seen.push(request.headers)
    request.pipe(response)
  })
  const made = client({ credentials: { username: 'admin', password: 'pässword' } })
  const echo = await made.request({ method: 'POST', url, body: '{"ü":1}', headers: { 'x-a': 'b' } }, limits())
  assert.ok(echo.kind === 'response' && echo.body === '{"ü":1}')
  await made.request({ method: 'POST', url }, limits())
  assert.equal(seen[0]?.authorization, `Basic ${Buffer.from('admin:pässword').toString('base64')}`)
  assert.deepEqual([seen[0]?.['user-agent'], seen[0]?.['content-length'], seen[0]?.['x-a']], ['Test/1', '8', 'b'])
  assert.equal(seen[1]?.['content-length'], '0')
})

test('connections are kept and used again', async () => {
  const ports = new Set<number | undefined>()
  const url = await server((request, response) => {
    ports.add(request.socket.remotePort)
    response.end('ok')
  })
  const made = client()
  for (let i = 0; i < 5; i += 1) await made.request({ method: 'GET', url }, limits())
  assert.equal(ports.size, 1)
})

test('a server that takes the request and does not answer: timed out, and it may have been carried out', async () => {
  const url = await server(() => {})
  const begun = clock.now()
  const answer = await client().request({ method: 'GET', url }, limits(100))
  assert.ok(answer.kind === 'failed')
  assert.deepEqual([answer.reason, answer.sent], ['timed out', true])
  assert.ok(clock.now() - begun < 2000)
})

test('the deadline holds for the body as well', async () => {
  const url = await server((_request, response) => {
    response.writeHead(200)
    const timer = setInterval(() => response.write('x'), 20)
    response.on('close', () => clearInterval(timer))
  })
  const answer = await client().request({ method: 'GET', url }, limits(150))
  assert.ok(answer.kind === 'failed' && answer.reason === 'timed out' && answer.sent)
})

test('a refused connection was certainly not carried out', async () => {
  const url = await server(() => {})
  cleanups.splice(0).forEach((cleanup) => cleanup())
  const answer = await client().request({ method: 'POST', url, body: '{}' }, limits())
  assert.ok(answer.kind === 'failed')
  assert.match(answer.reason, /ECONNREFUSED/)
  assert.equal(answer.sent, false)
})

test('connecting has a limit of its own', async () => {
  // The backlog of a listener that accepts nothing fills up; then connecting hangs, as with a host that is gone.
  const answer = await client({
    lookup: () => {
      // A name server that never answers.
    },
  }).request({ method: 'GET', url: 'http://nowhere.example:1/' }, limits(5000, { connectMs: 60 }))
  assert.ok(answer.kind === 'failed')
  assert.deepEqual([answer.reason, answer.sent], ['connecting timed out', false])
})

test('an abort ends the request at once and is told from a time-out', async () => {
  const url = await server(() => {})
  const stop = new AbortController()
  setTimeout(() => stop.abort(new Error('shutdown')), 30)
  const answer = await client().request({ method: 'GET', url }, limits(60_000, { signal: stop.signal }))
  assert.ok(answer.kind === 'failed' && answer.reason === 'cancelled')
  const dead = await client().request({ method: 'GET', url }, limits(60_000, { signal: AbortSignal.abort() }))
  assert.ok(dead.kind === 'failed' && !dead.sent)
})

test('a body beyond the limit fails the request', async () => {
  const url = await server((_request, response) => response.end('x'.repeat(5000)))
  const answer = await client().request({ method: 'GET', url }, limits(5000, { maxBodyBytes: 1000 }))
  assert.ok(answer.kind === 'failed')
  assert.equal(answer.reason, 'the answer is longer than 1000 bytes')
})

test('a body that ends too early fails the request', async () => {
  const url = await tcp((socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"half":'))
  })
  const answer = await client().request({ method: 'GET', url }, limits())
  assert.ok(answer.kind === 'failed' && answer.sent, JSON.stringify(answer))
})

test('what does not speak HTTP is a failure, not an exception', async () => {
  const url = await tcp((socket) => {
    socket.once('data', () => socket.end('SSH-2.0-OpenSSH_9.2\r\n'))
  })
  assert.equal((await client().request({ method: 'GET', url }, limits())).kind, 'failed')
  for (const odd of ['', 'nonsense', 'ftp://x', 'http://']) {
    const answer = await client().request({ method: 'GET', url: odd }, limits())
    assert.ok(answer.kind === 'failed' && !answer.sent, odd)
  }
})

test('a kept connection that the server has closed is told from a server that fails', async () => {
  let requests = 0
  const url = await tcp((socket) => {
    socket.on('data', () => {
      requests += 1
      if (requests === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      else socket.destroy()
    })
  })
  const made = client()
  assert.equal((await made.request({ method: 'GET', url }, limits())).kind, 'response')
  const answer = await made.request({ method: 'POST', url, body: '{}' }, limits())
  assert.ok(answer.kind === 'failed' && answer.stale && answer.sent)
  const fresh = await made.request({ method: 'POST', url, body: '{}' }, limits())
  assert.ok(fresh.kind === 'failed' && !fresh.stale)
})

test('credentials in a URL are neither sent nor shown', async () => {
  let authorization: string | undefined = 'not asked'
  const url = await server((request, response) => {
    authorization = request.headers.authorization
    response.end()
  })
  await client().request({ method: 'GET', url: url.replace('//', '//user:secret@') }, limits())
  assert.equal(authorization, undefined)
  const answer = await client().request({ method: 'GET', url: 'http://user:secret@127.0.0.1:1/' }, limits())
  assert.ok(answer.kind === 'failed' && !answer.reason.includes('secret'))
})

test('a stream hands over its pieces as they come, characters whole', async () => {
  const bytes = Buffer.from('{"ü":"€"}\n')
  const url = await server((_request, response) => {
    response.writeHead(200)
    let at = 0
    const timer = setInterval(() => {
      if (at < bytes.length) response.write(bytes.subarray(at, at + 1))
      else response.end()
      at += 1
    }, 3)
    response.on('close', () => clearInterval(timer))
  })
  const stream = await client().stream({ method: 'POST', url, body: '{}' }, limits())
  assert.ok(stream.kind === 'stream')
  let text = ''
  for await (const chunk of stream.chunks) text += chunk
  assert.equal(text, '{"ü":"€"}\n')
})

test('the deadline of a stream is for its head; after that only the signal ends it', async () => {
  let closed = false
  const url = await server((_request, response) => {
    response.write('begun')
    response.on('close', () => {
      closed = true
    })
  })
  const stop = new AbortController()
  const stream = await client().stream({ method: 'GET', url }, limits(500, { signal: stop.signal }))
  assert.ok(stream.kind === 'stream')
  setTimeout(() => stop.abort(), 800)
  const begun = clock.now()
  let text = ''
  for await (const chunk of stream.chunks) text += chunk
  assert.equal(text, 'begun')
  assert.ok(clock.now() - begun >= 600, 'ended by the signal, not by the deadline')
  await clock.sleep(50, new AbortController().signal)
  assert.ok(closed, 'the server sees the end too')

  const hung = await server(() => {})
  const none = await client().stream({ method: 'GET', url: hung }, limits(80))
  assert.ok(none.kind === 'failed' && none.reason === 'timed out')
})

test('leaving a stream early closes its connection', async () => {
  let closed = false
  const url = await server((_request, response) => {
    const timer = setInterval(() => response.write('x'), 5)
    response.on('close', () => {
      closed = true
      clearInterval(timer)
    })
  })
  const stream = await client().stream({ method: 'GET', url }, limits())
  assert.ok(stream.kind === 'stream')
  for await (const _ of stream.chunks) break
  await clock.sleep(50, new AbortController().signal)
  assert.ok(closed)
})

test('closing the client fails what is under way', async () => {
  const url = await server(() => {})
  const made = client()
  const answer = made.request({ method: 'GET', url }, limits(60_000))
  setTimeout(() => made.close(), 30)
  assert.equal((await answer).kind, 'failed')
})
