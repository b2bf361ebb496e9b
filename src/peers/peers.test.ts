import assert from 'node:assert/strict'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, test } from 'node:test'
import { LogBook, systemClock } from '../../test/support/real.ts'
import { lsn } from '../cluster/lsn.ts'
import { later } from '../cluster/time.ts'
import type { Budget } from '../ports/clock.ts'
import { createPeers, readPeerStatus } from './peers.ts'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

function setUp(credentials: { username: string; password: string } | null = null) {
  const log = new LogBook()
  const files = { certfile: null, keyfile: null, keyfilePassword: null }
  const peers = createPeers(
    { credentials, client: files, cacert: null, userAgent: 'Patroni/5' },
    { clock: systemClock, log },
  )
  cleanups.push(() => peers.close())
  return { peers, log }
}

function within(ms: number): Budget {
  const deadline = later(systemClock.now(), ms)
  const time = systemClock.deadline(deadline)
  cleanups.push(time.done)
  return { deadline, signal: time.signal }
}

async function server(handle: http.RequestListener): Promise<string> {
  const made = http.createServer(handle)
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    made.closeAllConnections()
    made.close()
  })
  return `http://127.0.0.1:${(made.address() as AddressInfo).port}/patroni`
}

const REPLICA =
  '{"state":"running","role":"replica","timeline":3,"tags":{"nofailover":true},"xlog":{"received_location":200,"replayed_location":150,"replayed_timestamp":null,"paused":false}}'

test('ha.md 6.4 a replica: the larger of what it has received and replayed', () => {
  assert.deepEqual(readPeerStatus('b', REPLICA), {
    kind: 'reachable',
    name: 'b',
    inRecovery: true,
    lsn: 200,
    role: 'replica',
    timeline: 3,
    tags: { nofailover: true },
    watchdogFailed: false,
  })
})

test('ha.md 6.4 a primary by its location or by its role, also by the old word', () => {
  const primaries = [
    '{"role":"primary","xlog":{"location":500}}',
    '{"role":"master","xlog":{"received_location":5}}',
    '{"role":"replica","xlog":{"location":500}}',
    '{"role":"primary","wal":{"location":0}}',
  ]
  for (const body of primaries) {
    const status = readPeerStatus('b', body)
    assert.ok(status.kind === 'reachable' && !status.inRecovery && status.lsn === 0, body)
  }
  const promoted = readPeerStatus('b', '{"role":"promoted","xlog":{"location":0}}')
  assert.ok(promoted.kind === 'reachable' && promoted.inRecovery)
})

test('ha.md 6.4 and 14.3 a member without a position may say that its server is stopped, and one with it that failsafe mode is active', () => {
  for (const state of ['stopped', 'crashed', 'creating replica'])
    assert.deepEqual(readPeerStatus('b', `{"state":"${state}"}`), { kind: 'unreachable', name: 'b', stopped: true })
  const others = [
    '{"state":"starting"}',
    '{"state":"stopping"}',
    '{"state":"unknown","role":"primary"}',
    '{"state":"stopped","failsafe_mode_is_active":true}',
    'stopped',
  ]
  for (const body of others) assert.deepEqual(readPeerStatus('b', body), { kind: 'unreachable', name: 'b' }, body)
  const active = readPeerStatus('b', '{"failsafe_mode_is_active":true,"xlog":{"received_location":5}}')
  assert.ok(active.kind === 'reachable' && active.failsafeActive)
})

test('ha.md 6.4 without a position, or without sense, a member is not reachable', () => {
  for (const body of [
    '',
    'null',
    '[]',
    '5',
    '<html>',
    '{"state":"stopped"}',
    '{"xlog":null}',
    '{"xlog":5}',
    REPLICA.slice(0, -1),
  ]) {
    assert.equal(readPeerStatus('b', body).kind, 'unreachable', body)
  }
})

test('what a member says wrongly counts as not said', () => {
  const odd =
    '{"role":"king","timeline":"x","tags":[],"watchdog_failed":true,"xlog":{"received_location":"-5","replayed_location":1e99}}'
  assert.deepEqual(readPeerStatus('b', odd), {
    kind: 'reachable',
    name: 'b',
    inRecovery: true,
    lsn: 0,
    role: null,
    timeline: null,
    tags: {},
    watchdogFailed: true,
  })
})

test('ha.md 6.4 all are asked at once; the HTTP status does not matter; who is late is unreachable', async () => {
  const good = await server((_request, response) => response.writeHead(503).end(REPLICA))
  const hung = await server(() => {})
  const { peers, log } = setUp()
  const begun = systemClock.now()
  const members = [
    { name: 'hung1', apiUrl: hung },
    { name: 'good', apiUrl: good },
    { name: 'hung2', apiUrl: hung },
    { name: 'refused', apiUrl: 'http://127.0.0.1:1/patroni' },
    { name: 'odd', apiUrl: 'not a url' },
  ]
  const statuses = await peers.statuses(members, within(1500))
  assert.ok(systemClock.now() - begun < 2900, 'all at once')
  assert.deepEqual(
    statuses.map(({ name, kind }) => [name, kind]),
    [
      ['hung1', 'unreachable'],
      ['good', 'reachable'],
      ['hung2', 'unreachable'],
      ['refused', 'unreachable'],
      ['odd', 'unreachable'],
    ],
  )
  assert.ok(log.has(`info: Got response from good ${good}: ${REPLICA}`))
  assert.ok(log.has(`warning: Request failed to hung1: GET ${hung} (timed out)`))
  assert.ok(log.has('warning: Request failed to refused: GET http://127.0.0.1:1/patroni (connect ECONNREFUSED'))
})

test('rest-api.md 14.1 credentials go with every request', async () => {
  let seen: string | undefined
  const url = await server((request, response) => {
    seen = request.headers.authorization
    response.end(REPLICA)
  })
  const { peers, log } = setUp({ username: 'admin', password: 'secret' })
  await peers.statuses([{ name: 'b', apiUrl: url }], within(2000))
  assert.equal(seen, `Basic ${Buffer.from('admin:secret').toString('base64')}`)
  assert.ok(!log.lines.some((line) => line.includes('secret')))
})

test('ha.md 14.2 failsafe: accepted is status 200 with exactly that word; the position comes with it', async () => {
  const bodies: string[] = []
  const answering = (status: number, body: string, lsnHeader?: string) =>
    server((request, response) => {
      request.setEncoding('utf8')
      request.on('data', (chunk: string) => bodies.push(`${request.method} ${request.url} ${chunk}`))
      request.on('end', () => response.writeHead(status, lsnHeader ? { lsn: lsnHeader } : {}).end(body))
    })
  const { peers } = setUp()
  const members = [
    { name: 'yes', apiUrl: await answering(200, 'Accepted', '67393608') },
    { name: 'quiet', apiUrl: await answering(200, 'Accepted') },
    { name: 'leader', apiUrl: await answering(500, 'Running as a leader') },
    { name: 'almost', apiUrl: await answering(200, 'Accepted\n') },
    { name: 'created', apiUrl: await answering(201, 'Accepted') },
    { name: 'gone', apiUrl: 'http://127.0.0.1:1/patroni' },
  ]
  const body = {
    name: 'a',
    conn_url: 'postgres://a:5432/postgres',
    api_url: 'http://a:8008/patroni',
    slots: { b: lsn(5) },
  }
  const answers = await peers.askFailsafe(members, body, within(3000))
  assert.deepEqual(answers, [
    { name: 'yes', accepted: true, lsn: 67393608 },
    { name: 'quiet', accepted: true, lsn: null },
    { name: 'leader', accepted: false, lsn: null },
    { name: 'almost', accepted: false, lsn: null },
    { name: 'created', accepted: false, lsn: null },
    { name: 'gone', accepted: false, lsn: null },
  ])
  assert.equal(bodies[0], `POST /failsafe ${JSON.stringify(body)}`)
})

test('rest-api.md 14.2 failsafe is asked a second time when the first request is lost, a status is not', async () => {
  let failsafe = 0
  let status = 0
  const url = await server((request, response) => {
    if (request.method === 'POST') failsafe += 1
    else status += 1
    if (failsafe === 2) response.end('Accepted')
    else response.destroy()
  })
  const { peers } = setUp()
  const body = { name: 'a', conn_url: 'x', api_url: 'y' }
  const [answer] = await peers.askFailsafe([{ name: 'b', apiUrl: url }], body, within(3000))
  assert.ok(answer?.accepted)
  failsafe = 0
  const [lost] = await peers.statuses([{ name: 'b', apiUrl: url }], within(3000))
  assert.equal(lost?.kind, 'unreachable')
  assert.ok(status >= 1 && status <= 2, 'once, and once more if the kept connection was closed')
})

test('rest-api.md 14.2 alive is whoever answers anything at /liveness', async () => {
  let path: string | undefined
  const url = await server((request, response) => {
    path = request.url
    response.writeHead(503).end()
  })
  const { peers } = setUp()
  assert.equal(await peers.isAlive(url, within(3000)), true)
  assert.equal(path, '/liveness')
  assert.equal(await peers.isAlive('http://127.0.0.1:1/patroni', within(3000)), false)
  assert.equal(await peers.isAlive('nonsense', within(3000)), false)
})

test('ha.md 21 that a member which ended in good order does not answer is no warning', async () => {
  const { peers, log } = setUp()
  const apiUrl = 'http://127.0.0.1:1/patroni'
  assert.deepEqual(await peers.statuses([{ name: 'gone', apiUrl, stopped: true }], within(1000)), [
    { kind: 'unreachable', name: 'gone' },
  ])
  assert.ok(log.has('info: Request failed to gone: GET http://127.0.0.1:1/patroni'))
})
