import assert from 'node:assert/strict'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import type { ObservationOutcome } from '../ports/postgres.ts'
import { Allowlist } from './allowlist.ts'
import type { Service } from './exchange.ts'
import { FastLane } from './fast-lane.ts'
import { headerSettings } from './headers.ts'
import { Observer } from './observer.ts'
import { recognizeCheck } from './recognize.ts'
import { StatusText } from './status-text.ts'
import { realClock } from './testing/clocks.ts'
import { fakeAgent, keptLog, replicaSeen, replicaStatus, restConfig, statusOf } from './testing/fake-agent.ts'
import { type Running, readToEnd, withServer } from './testing/wire.ts'

const CHECK = 'GET /primary HTTP/1.1\r\nHost: x\r\n\r\n'

/** What comes back on one connection for these packets, each sent when the answer to the one before is there. */
async function conversation(port: number, packets: readonly string[]): Promise<readonly string[]> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true)
  const answers: string[] = []
  for (const packet of packets) {
    socket.write(packet)
    answers.push(await new Promise<string>((resolve) => socket.once('data', (chunk) => resolve(chunk.toString()))))
  }
  socket.destroy()
  return answers.map((text) => text.replace(/Date: [^\r]*/, 'Date: now'))
}

describe('what is recognized as a health check', () => {
  const plain = (line: string, ...headers: string[]): string => [line, 'Host: x', ...headers, '', ''].join('\r\n')
  for (const head of [
    plain('GET /primary HTTP/1.1'),
    plain('HEAD / HTTP/1.1'),
    plain('OPTIONS /replica?lag=10MB&tag_x=y HTTP/1.1', 'User-Agent: HAProxy', 'accept: */*'),
    plain('GET /readiness HTTP/1.1', 'Connection: keep-alive', 'Accept-Encoding: gzip'),
    plain('GET /no/such/path HTTP/1.1', 'User-Agent: '),
    'GET /liveness HTTP/1.1\r\n\r\n',
  ])
    test(JSON.stringify(head), () => assert.ok(recognizeCheck(head)))
  for (const head of [
    plain('POST /restart HTTP/1.1'),
    plain('get /primary HTTP/1.1'),
    plain('GET /primary HTTP/1.0'),
    plain('GET primary HTTP/1.1'),
    plain('GET http://x/primary HTTP/1.1'),
    plain('OPTIONS * HTTP/1.1'),
    plain('GET /patroni HTTP/1.1'),
    plain('GET /metrics HTTP/1.1'),
    plain('GET /primary HTTP/1.1', 'Connection: close'),
    plain('GET /primary HTTP/1.1', 'Connection: keep-alive, upgrade'),
    plain('GET /primary HTTP/1.1', 'Content-Length: 0'),
    plain('GET /primary HTTP/1.1', 'Transfer-Encoding: chunked'),
    plain('GET /primary HTTP/1.1', 'Expect: 100-continue'),
    plain('GET /primary HTTP/1.1', 'User-Agent: Patroni/4.1.4'),
    plain('GET /primary HTTP/1.1', 'nonsense'),
    plain('GET /primary HTTP/1.1', 'Accept : x'),
    plain('GET /primary HTTP/1.1', 'Accept: a\u0000b'),
    plain('GET /primary HTTP/1.1', 'Accept: a\nX: b'),
    plain('GET /pri mary HTTP/1.1'),
    plain('GET /prim\u00e4ry HTTP/1.1'),
    plain(`GET /${'x'.repeat(1100)} HTTP/1.1`),
    CHECK.slice(0, -2),
    `${CHECK}x`,
    CHECK + CHECK,
    CHECK.replaceAll('\r', ''),
    '',
  ])
    test(`not ${JSON.stringify(head.slice(0, 80))}`, () => assert.equal(recognizeCheck(head), null))
})

describe('the answers are those of the library, byte for byte', () => {
  const AGENTS = {
    primary: () => fakeAgent(),
    replica: () => fakeAgent(replicaStatus(), replicaSeen()),
    'server that does not run': () => fakeAgent(statusOf({ state: 'stopped', holdsLock: false })),
  }
  for (const [title, agent] of Object.entries(AGENTS))
    for (const line of [
      'GET /primary',
      'GET /replica?lag=1',
      'HEAD /',
      'OPTIONS /leader',
      'GET /liveness',
      'GET /readiness',
      'GET /none',
    ])
      test(`${line} of a ${title}`, () =>
        withServer(
          { httpExtraHeaders: { 'X-Frame-Options': 'D\u00cbNY' } },
          async ({ port }) => {
            const quick = `${line} HTTP/1.1\r\nHost: x\r\n\r\n`
            const slow = `${line} HTTP/1.1\r\nHost: x\r\nX-Other: 1\r\n\r\n`
            assert.ok(recognizeCheck(quick) && !recognizeCheck(slow))
            const [first, second, ofLibrary] = await conversation(port, [quick, quick, slow])
            assert.match(first ?? '', /^HTTP\/1\.1 (200 OK|503 Service Unavailable)\r\n/)
            assert.equal(first, ofLibrary)
            assert.equal(second, ofLibrary)
          },
          agent(),
        ))
})

const statuses = (text: string): string[] => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => code ?? '')
const END = 'HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n'

describe('what else comes goes to the library, in order', () => {
  const CASES: readonly (readonly [title: string, packets: readonly string[], codes: readonly string[]])[] = [
    ['checks in one packet', [CHECK + CHECK + END], ['200', '200', '200']],
    ['a check in pieces', [CHECK.slice(0, 9), CHECK.slice(9), END], ['200', '200']],
    [
      'checks, then another request',
      [CHECK, CHECK, `GET /patroni HTTP/1.1\r\n\r\n${END}`],
      ['200', '200', '200', '200'],
    ],
    ['a check and half of the next one', [CHECK + CHECK.slice(0, 20), CHECK.slice(20), END], ['200', '200', '200']],
    [
      'a check, then an order',
      [CHECK, `POST /reload HTTP/1.1\r\nContent-Length: 0\r\n\r\n${END}`],
      ['200', '202', '200'],
    ],
    ['a check, then noise', [CHECK, '\u0000\u0001\r\n\r\n'], ['200', '400']],
  ]
  for (const [title, packets, codes] of CASES)
    test(title, () =>
      withServer({}, async ({ port }) => {
        const socket = connect(port, '127.0.0.1').setNoDelay(true)
        const answer = readToEnd(socket)
        for (const packet of packets) {
          socket.write(packet)
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
        assert.deepEqual(statuses(await answer), codes)
      }),
    )

  test('a client that closes its side reads the answer, and the connection ends', () =>
    withServer({}, async ({ port }) => {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      const answer = readToEnd(socket)
      socket.end(CHECK)
      socket.once('end', () => socket.end())
      assert.deepEqual(statuses(await answer), ['200'])
    }))
})

describe('an answer that needs a look into the server', () => {
  async function slowLook(use: (running: Running, finish: () => void) => Promise<void>): Promise<void> {
    const agent = fakeAgent(replicaStatus(), replicaSeen())
    const looks: ((outcome: ObservationOutcome) => void)[] = []
    agent.look = () => new Promise((resolve) => looks.push(resolve))
    const finish = (): void => {
      for (const look of looks.splice(0)) look({ kind: 'observed', observation: replicaSeen() })
    }
    await withServer({}, (running) => use(running, finish), agent)
  }
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

  test('is waited for, and what comes meanwhile is answered after it', () =>
    slowLook(async ({ port }, finish) => {
      const socket = connect(port, '127.0.0.1').setNoDelay(true)
      const answer = readToEnd(socket)
      socket.write('GET /replica HTTP/1.1\r\n\r\n')
      await pause(30)
      socket.write(`GET /primary HTTP/1.1\r\n\r\n`)
      await pause(30)
      finish()
      socket.write(END)
      assert.deepEqual(statuses(await answer), ['200', '503', '503'])
    }))

  test('disturbs nobody when its client is gone', () =>
    slowLook(async ({ port, log }, finish) => {
      const socket = connect(port, '127.0.0.1')
      socket.write('GET /replica HTTP/1.1\r\n\r\n')
      await pause(30)
      socket.resetAndDestroy()
      await pause(30)
      finish()
      assert.equal((await conversation(port, ['GET /replica HTTP/1.1\r\n\r\n'])).length, 1)
      assert.deepEqual(log.lines, [])
    }))

  test('ends with the connection where the server stops meanwhile', () =>
    slowLook(async ({ port, server }, finish) => {
      const answer = readToEnd(
        connect(port, '127.0.0.1').setNoDelay(true).on('connect', sendTo('GET /replica HTTP/1.1\r\n\r\n')),
      )
      await pause(30)
      const stopped = server.stop(2000)
      finish()
      await stopped
      assert.match(await answer, /^HTTP\/1\.1 200 OK[^]*Connection: close/)
    }))
})

test('a stop ends connections that wait for their next request', () =>
  withServer({}, async ({ port, server }) => {
    const socket = connect(port, '127.0.0.1')
    const answer = readToEnd(socket)
    socket.write(CHECK)
    await new Promise((resolve) => socket.once('data', resolve))
    const started = performance.now()
    await server.stop(5000)
    assert.ok(performance.now() - started < 1000)
    assert.deepEqual(statuses(await answer), ['200'])
  }))

test('each check stands in the log where details are asked for', () =>
  withServer({}, async ({ port, log }) => {
    const lines = () => log.lines.filter((line) => line.includes('"GET /primary HTTP/1.1" 200')).length
    const socket = connect(port, '127.0.0.1').setNoDelay(true)
    const answer = readToEnd(socket)
    for (const isDebug of [false, true]) {
      log.isDebug = isDebug
      socket.write(CHECK)
      await new Promise((resolve) => socket.once('data', resolve))
      assert.equal(lines(), isDebug ? 1 : 0)
    }
    socket.end()
    assert.deepEqual(statuses(await answer), ['200', '200'])
  }))

test('a fault of ours is a 500 and is in the log', () =>
  withServer({}, async ({ port, log, agent }) => {
    agent.status = () => {
      throw new Error('a bug')
    }
    assert.match((await conversation(port, [CHECK]))[0] ?? '', /^HTTP\/1\.1 500 /)
    assert.ok(log.lines.some((line) => line.startsWith('ERROR: GET request failed')))
  }))

describe('the lane by itself', () => {
  const limits = { requestMs: 100, keepAliveMs: 300 }

  /** Connections that are handed over are written down and closed. */
  async function withLane(use: (port: number, handedOver: readonly Socket[], lane: FastLane) => Promise<void>) {
    const control = fakeAgent()
    const log = keptLog()
    const config = restConfig()
    const service: Service = {
      control,
      clock: realClock,
      log,
      observer: new Observer(control, realClock),
      statusText: new StatusText(),
      allowlist: new Allowlist({ addresses: async () => [] }, realClock, log),
      openApi: async () => null,
      config,
      headers: headerSettings(config, '5', log),
      isStopping: false,
      waiting: new Set(),
    }
    const handedOver: Socket[] = []
    const lane = new FastLane(service, limits, (socket) => {
      handedOver.push(socket)
      socket.destroy()
    })
    const listening = createServer((socket) => lane.take(socket)).listen(0, '127.0.0.1')
    await new Promise((resolve) => listening.once('listening', resolve))
    await use((listening.address() as AddressInfo).port, handedOver, lane)
    listening.close()
  }

  test('keeps checks from the library', () =>
    withLane(async (port, handedOver) => {
      assert.equal((await conversation(port, [CHECK, CHECK, CHECK])).length, 3)
      assert.equal(handedOver.length, 0)
      await readToEnd(connect(port, '127.0.0.1').on('connect', sendTo('POST / HTTP/1.1\r\n\r\n'))).catch(() => '')
      assert.equal(handedOver.length, 1)
    }))

  test('ends who says nothing, and who says nothing more', () =>
    withLane(async (port) => {
      const started = performance.now()
      assert.equal(await readToEnd(connect(port, '127.0.0.1')), '')
      const silentMs = performance.now() - started
      assert.ok(silentMs >= 95 && silentMs < 290, `${silentMs}`)
      assert.deepEqual(statuses(await readToEnd(connect(port, '127.0.0.1').on('connect', sendTo(CHECK)))), ['200'])
      const bothMs = performance.now() - started
      assert.ok(bothMs >= silentMs + 295, `${bothMs}`)
    }))

  test('retired, it takes no more, and lets go who has not asked yet', () =>
    withLane(async (port, handedOver, lane) => {
      const socket = connect(port, '127.0.0.1')
      const answer = readToEnd(socket).catch(() => '')
      await new Promise((resolve) => setTimeout(resolve, 20))
      lane.retire()
      assert.equal(handedOver.length, 0)
      socket.write(CHECK)
      await answer
      assert.equal(handedOver.length, 1)
    }))
})

function sendTo(text: string) {
  return function (this: Socket): void {
    this.write(text)
  }
}
