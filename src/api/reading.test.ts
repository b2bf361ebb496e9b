import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ask, shown } from './testing/ask.ts'
import { ManualClock } from './testing/clocks.ts'
import {
  fakeAgent,
  HEALTHY_KEYS,
  keptLog,
  replicaSeen,
  replicaStatus,
  settingsFrom,
  statusOf,
  viewOf,
} from './testing/fake-agent.ts'

const HANGS = () => new Promise<never>(() => {})
const AWAY = { status: statusOf({ view: null }) }

function awayAgent() {
  const agent = fakeAgent(statusOf({ view: null }))
  agent.read = async () => null
  return agent
}

describe('2.3 routing', () => {
  const HEALTH_503 = 'foo restart switchover failover reload reinitialize sigterm citus mpp constructor'.split(' ')
  for (const segment of HEALTH_503)
    test(`GET /${segment} is a failed health check with the status document, HEAD a bare one`, async () => {
      const answer = await ask(`GET /${segment}`)
      assert.equal(answer.status, 503)
      assert.equal(JSON.parse(answer.body).role, 'primary')
      assert.deepEqual(await ask(`HEAD /${segment}`), { status: 503, shape: 'bare', body: '' })
    })

  const UNSUPPORTED =
    'POST /|POST /primary|PUT /restart|PATCH /switchover|DELETE /config|POST /config|POST /cluster|DELETE /reload|TRACE /patroni|PROPFIND /|DELETE /failover|POST /liveness|POST /constructor'.split(
      '|',
    )
  for (const line of UNSUPPORTED)
    test(`${line} is 501 with the words that the tool looks for`, async () => {
      const answer = await ask(line)
      assert.equal(answer.status, 501)
      assert.equal(answer.reason, `Unsupported method ('${line.split(' ')[0]}')`)
      assert.match(answer.body, /Server does not support this operation/)
      assert.match(answer.body, /Error code: 501/)
    })

  test('the rest of a path is ignored where its beginning has a handler', async () => {
    assert.equal((await ask('GET /config/x/y')).status, 200)
    assert.equal((await ask('GET //history')).body, '[]')
  })
})

describe('6 health checks', () => {
  test('GET brings the document, HEAD and OPTIONS the code alone', async () => {
    const answer = await ask('GET /primary')
    assert.deepEqual([answer.status, answer.shape], [200, 'json'])
    assert.equal(JSON.parse(answer.body).xlog.location, 67395656)
    for (const method of ['HEAD', 'OPTIONS'])
      assert.deepEqual(await ask(`${method} /`), { status: 200, shape: 'bare', body: '' })
  })

  test('the lock holder answers primary checks at once while PostgreSQL hangs', async () => {
    const agent = fakeAgent()
    agent.look = HANGS
    const clock = new ManualClock()
    assert.equal((await ask('HEAD /primary', undefined, { agent, clock })).status, 200)
    assert.equal(agent.asked.length, 0)
    const get = ask('GET /primary', undefined, { agent, clock })
    await clock.advance(200)
    const answer = await get
    assert.equal(answer.status, 200)
    assert.equal(JSON.parse(answer.body).state, 'unknown')
  })

  test('a replica whose PostgreSQL hangs fails its check after 2 s', async () => {
    const agent = fakeAgent(replicaStatus(), replicaSeen())
    agent.look = HANGS
    const clock = new ManualClock()
    const check = ask('GET /replica', undefined, { agent, clock })
    await clock.advance(2_000)
    assert.equal((await check).status, 503)
  })

  test('a stopped server is not asked', async () => {
    const agent = fakeAgent(statusOf({ state: 'stopped', holdsLock: false }))
    const answer = await ask('GET /health', undefined, { agent })
    assert.deepEqual([answer.status, agent.asked.length], [503, 0])
  })
})

describe('6.4, 6.5 probes', () => {
  for (const method of ['GET', 'HEAD', 'OPTIONS'])
    test(`${method} is answered by the code alone`, async () => {
      for (const probe of ['liveness', 'readiness'])
        assert.deepEqual(await ask(`${method} /${probe}`), { status: 200, shape: 'bare', body: '' })
    })

  test('why a member is not ready is said in the log', async () => {
    const log = keptLog()
    const agent = fakeAgent(replicaStatus({ state: 'starting' }))
    assert.equal((await ask('GET /readiness', undefined, { agent, log })).status, 503)
    assert.deepEqual(log.lines, ['DEBUG: Readiness check failure: PostgreSQL is not running'])
  })

  test('a late loop is not alive', async () => {
    const clock = new ManualClock()
    await clock.advance(30_000)
    assert.equal((await ask('GET /liveness', undefined, { clock })).status, 503)
  })
})

describe('7.1 GET /patroni', () => {
  test('is 200 whatever the state, and asks PostgreSQL anew', async () => {
    const agent = fakeAgent()
    assert.equal((await ask('GET /patroni?x=y', undefined, { agent })).status, 200)
    assert.deepEqual(agent.asked, [['observe', 10]])
    assert.equal((await ask('GET /patroni', undefined, { status: statusOf({ state: 'crashed' }) })).status, 200)
  })

  test('has no xlog when PostgreSQL does not answer in time for a peer that waits 2 s', async () => {
    const agent = fakeAgent()
    agent.look = HANGS
    const clock = new ManualClock()
    const asked = ask('GET /patroni', undefined, { agent, clock })
    await clock.advance(1_800)
    const document = JSON.parse((await asked).body)
    assert.deepEqual([document.state, document.xlog], ['unknown', undefined])
  })

  test('shows the state after the look, not before', async () => {
    const agent = fakeAgent()
    agent.look = async () => {
      agent.current = statusOf({ state: 'stopping' })
      return { kind: 'unreachable', reason: 'stopping' }
    }
    assert.equal(JSON.parse((await ask('GET /patroni', undefined, { agent })).body).state, 'stopping')
  })
})

describe('7 other reads', () => {
  test('7.2 /cluster reads the store anew, its settings included', async () => {
    const agent = fakeAgent()
    agent.read = async () => viewOf({ ...HEALTHY_KEYS, config: { pause: true } })
    const answer = await ask('GET /cluster', undefined, { agent })
    const document = JSON.parse(answer.body)
    assert.equal(document.members[0].role, 'leader')
    assert.equal(document.pause, true)
    assert.equal(document.scope, 'demo')
    assert.deepEqual(agent.asked, [['loadView']])
  })

  test('7.3 /history is the stored list', async () => {
    const rows = [
      [1, 25623960, 'no recovery target specified'],
      [2, 25624640, 'no recovery target specified', '2019-09-23T16:57:57+02:00', 'n1'],
    ]
    const status = statusOf({ view: viewOf({ ...HEALTHY_KEYS, history: rows }) })
    assert.deepEqual(JSON.parse((await ask('GET /history', undefined, { status })).body), rows)
    assert.equal((await ask('GET /history')).body, '[]')
    const broken = statusOf({ view: viewOf({ history: { not: 'a list' } }) })
    assert.equal((await ask('GET /history', undefined, { status: broken })).body, '[]')
  })

  test('7.4 /config is the stored object, nulls included', async () => {
    const status = statusOf({ view: viewOf({ config: { a: null, b: { c: [1, 'x'] } } }) })
    assert.equal((await ask('GET /config', undefined, { status })).body, '{"a": null, "b": {"c": [1, "x"]}}')
    for (const keys of [{}, { config: [1] }, { config: 'rubbish' }])
      assert.equal((await ask('GET /config', undefined, { status: statusOf({ view: viewOf(keys) }) })).status, 502)
  })

  test('7.3, 7.4 without a view the store is read', async () => {
    for (const path of ['/history', '/config']) {
      const agent = fakeAgent(statusOf({ view: null }))
      agent.read = async () => viewOf(HEALTHY_KEYS)
      assert.equal((await ask(`GET ${path}`, undefined, { agent })).status, 200)
    }
  })

  test('21.8 a store that does not answer is told, not hidden behind a closed connection', async () => {
    for (const path of ['/cluster', '/history', '/config'])
      assert.equal(shown(await ask(`GET ${path}`, undefined, { agent: awayAgent() })), '503 DCS is not accessible')
  })

  test('7.5 /failsafe is what was last seen', async () => {
    const view = viewOf({ failsafe: { n1: 'http://a', n2: 'http://b' } })
    assert.equal(
      (await ask('GET /failsafe', undefined, { status: statusOf({ view }) })).body,
      '{"n1": "http://a", "n2": "http://b"}',
    )
    assert.equal((await ask('GET /failsafe')).status, 502)
    assert.equal((await ask('GET /failsafe', undefined, AWAY)).status, 502)
    const kept = statusOf({ view: null, failsafeTopology: { n1: 'u' } })
    assert.equal((await ask('GET /failsafe', undefined, { status: kept })).body, '{"n1": "u"}')
  })

  test('8 /metrics is text, and answers when PostgreSQL is down', async () => {
    const answer = await ask('GET /metrics', undefined, { status: statusOf({ state: 'stopped' }) })
    assert.deepEqual([answer.status, answer.shape], [200, 'metrics'])
    assert.match(answer.body, /^patroni_postgres_state\{.*\} 12$/m)
  })

  test('/openapi.yaml is served where it is installed', async () => {
    assert.deepEqual(await ask('GET /openapi.yaml', undefined, { openApi: 'openapi: 3.1.0' }), {
      status: 200,
      shape: 'yaml',
      body: 'openapi: 3.1.0',
    })
    assert.equal((await ask('GET /openapi.yaml')).status, 503)
  })
})

test('a paused cluster without a store is judged by what the server says', async () => {
  const status = statusOf({ view: null, settings: settingsFrom({ pause: true }), holdsLock: false })
  assert.equal((await ask('GET /primary', undefined, { status })).status, 200)
})
