import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { JsonObject } from '../cluster/json.ts'
import { lsn } from '../cluster/lsn.ts'
import { viewFromKeys } from '../cluster/view.ts'
import { ask, shown } from './testing/ask.ts'
import { fakeAgent, HEALTHY_KEYS, keptLog, settingsFrom, statusOf, viewOf } from './testing/fake-agent.ts'

const REFUSED = async () => ({ kind: 'refused', reason: 'version' }) as const
const UNKNOWN = async () => ({ kind: 'unknown', reason: 'time' }) as const

function withConfig(document: JsonObject) {
  const agent = fakeAgent()
  agent.read = async () => viewOf({ ...HEALTHY_KEYS, config: document })
  return agent
}

const PATCHES: readonly (readonly [
  title: string,
  config: JsonObject,
  patch: JsonObject,
  merged: JsonObject | 'same',
])[] = [
  ['a new key', { a: 1 }, { b: 2 }, { a: 1, b: 2 }],
  ['null removes', { a: 1, b: 2 }, { b: null }, { a: 1 }],
  ['null removes a stored null (21.9)', { a: 1, b: null }, { b: null }, { a: 1 }],
  ['null on nothing', { a: 1 }, { b: null }, 'same'],
  ['objects merge', { p: { x: 1, y: 2 } }, { p: { y: 3 } }, { p: { x: 1, y: 3 } }],
  ['an object replaces a scalar', { p: 1 }, { p: { y: null } }, { p: { y: null } }],
  ['nested nulls are stored where the key is new', {}, { slots: { a: null } }, { slots: { a: null } }],
  ['and remove where it is not', { slots: { a: {}, b: {} } }, { slots: { a: null } }, { slots: { b: {} } }],
  ['text-equal values stay', { n: 1, b: true }, { n: '1', b: 'True' }, 'same'],
  ['but not other spellings', { b: true }, { b: 'true' }, { b: 'true' }],
  ['lists are replaced', { l: [1, 2] }, { l: [2] }, { l: [2] }],
]
describe('9.1 PATCH /config', () => {
  for (const [title, config, patch, merged] of PATCHES)
    test(title, async () => {
      const agent = withConfig(config)
      const answer = await ask('PATCH /config', patch, { agent })
      assert.equal(answer.status, 200)
      assert.deepEqual(JSON.parse(answer.body), merged === 'same' ? config : merged)
      const writes = agent.asked.filter(([name]) => name === 'writeConfig')
      assert.deepEqual(writes, merged === 'same' ? [] : [['writeConfig', { document: merged, version: 'v-config' }]])
      assert.deepEqual(agent.asked.at(-1), ['wake'])
    })

  test('a lost race is 409, a missing document 503, no store 503 in words', async () => {
    const raced = withConfig({})
    raced.store.writeConfig = REFUSED
    assert.equal((await ask('PATCH /config', { a: 1 }, { agent: raced })).status, 409)
    const missing = fakeAgent()
    missing.read = async () => viewFromKeys(new Map())
    const page = await ask('PATCH /config', { a: 1 }, { agent: missing })
    assert.deepEqual([page.status, page.shape], [503, 'page'])
    const away = fakeAgent()
    away.read = async () => null
    assert.equal(shown(await ask('PATCH /config', { a: 1 }, { agent: away })), '503 DCS is not accessible')
    const unsure = withConfig({})
    unsure.store.writeConfig = UNKNOWN
    assert.equal((await ask('PATCH /config', { a: 1 }, { agent: unsure })).status, 503)
    assert.equal(
      unsure.asked.some(([name]) => name === 'wake'),
      false,
    )
  })

  test('a bad body changes nothing', async () => {
    const agent = withConfig({})
    const log = keptLog()
    for (const body of ['', '{}', '[]', 'rubbish'])
      assert.equal((await ask('PATCH /config', body, { agent, log })).status, 400)
    assert.equal((await ask('PATCH /config', undefined, { agent, log })).status, 411)
    assert.deepEqual(agent.asked, [])
    assert.match(log.lines[0] ?? '', /^INFO: Bad request/)
  })
})

for (const method of ['PATCH', 'PUT'])
  test(`21.18 ${method} /config stores what members reject, and says why they do`, async () => {
    const log = keptLog()
    const agent = withConfig({ loop_wait: 5 })
    assert.equal((await ask(`${method} /config`, { ttl: [1] }, { agent, log })).status, 200)
    assert.equal(agent.asked.filter(([name]) => name === 'writeConfig').length, 1)
    assert.deepEqual(log.lines, [
      'WARNING: Members reject the configuration that was stored: ttl=[1]: a whole number of seconds is expected',
    ])
    await ask(`${method} /config`, { ttl: '25', whatever: [1] }, { agent, log })
    assert.equal(log.lines.length, 1)
  })

describe('9.2 PUT /config', () => {
  test('the body replaces the key whatever is there', async () => {
    const agent = withConfig({ a: 1 })
    const answer = await ask('PUT /config', { b: null }, { agent })
    assert.equal(shown(answer), '200 {"b": null}')
    assert.deepEqual(agent.asked, [['loadView'], ['writeConfig', { document: { b: null }, version: null }], ['wake']])
  })

  test('an equal document is not written', async () => {
    const agent = withConfig({ a: 1, b: { c: 'x' } })
    assert.equal(
      shown(await ask('PUT /config', { b: { c: 'x' }, a: '1' }, { agent })),
      '200 {"b": {"c": "x"}, "a": "1"}',
    )
    assert.equal(
      agent.asked.some(([name]) => name === 'writeConfig'),
      false,
    )
  })

  test('a null and a missing key differ', async () => {
    const agent = withConfig({ a: 1 })
    await ask('PUT /config', { a: 1, b: null }, { agent })
    assert.equal(
      agent.asked.some(([name]) => name === 'writeConfig'),
      true,
    )
  })

  test('the key is created if it is missing, and a failed write is 502', async () => {
    const agent = fakeAgent()
    agent.read = async () => viewFromKeys(new Map())
    assert.equal((await ask('PUT /config', { a: 1 }, { agent })).status, 200)
    agent.store.writeConfig = UNKNOWN
    assert.equal((await ask('PUT /config', { a: 1 }, { agent })).status, 502)
  })
})

test('10 POST /reload hands over and says so', async () => {
  const agent = fakeAgent()
  assert.equal(shown(await ask('POST /reload', undefined, { agent })), '202 reload scheduled')
  assert.deepEqual(agent.asked, [['reload']])
})

test('17 POST /sigterm does nothing', async () => {
  const agent = fakeAgent()
  assert.equal(shown(await ask('POST /sigterm', undefined, { agent })), '202 shutdown scheduled')
  assert.deepEqual(agent.asked, [])
})

const UNPARSABLE = '422 Unable to parse scheduled timestamp. It should be in an unambiguous format, e.g. ISO 8601'
const BAD_TIMEOUT = '400 Timeout should be a positive number of seconds'
const BAD_FORMAT = '400 Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted:'
const REFUSALS: readonly (readonly [body: JsonObject, answer: string])[] = [
  [{ schedule: 'rubbish' }, UNPARSABLE],
  [{ schedule: '' }, UNPARSABLE],
  [{ schedule: null }, UNPARSABLE],
  [{ schedule: 5 }, UNPARSABLE],
  [{ schedule: '2030-01-01T00:00' }, '400 Timezone information is mandatory for the scheduled restart'],
  [{ schedule: '2020-01-01T00:00Z' }, '422 Cannot schedule restart in the past'],
  [{ role: 'master' }, '400 PostgreSQL role should be either primary, standby_leader, or replica'],
  [{ role: null }, '400 PostgreSQL role should be either primary, standby_leader, or replica'],
  [{ postgres_version: '9.x.1' }, '400 Invalid PostgreSQL version: 9.x.1'],
  [{ postgres_version: '16.' }, '400 Invalid PostgreSQL version: 16.'],
  [{ postgres_version: 16.4 }, '400 Invalid PostgreSQL version: 16.4'],
  [{ postgres_version: '16' }, `${BAD_FORMAT} 16`],
  [{ postgres_version: '9.6' }, `${BAD_FORMAT} 9.6`],
  [{ postgres_version: '1.2.3.4' }, `${BAD_FORMAT} 1.2.3.4`],
  [{ timeout: 0 }, BAD_TIMEOUT],
  [{ timeout: '500ms' }, BAD_TIMEOUT],
  [{ timeout: -1 }, BAD_TIMEOUT],
  [{ timeout: 'soon' }, BAD_TIMEOUT],
  [{ timeout: true }, BAD_TIMEOUT],
  [{ tiemout: 5 }, '400 Unknown filter for the scheduled restart: tiemout'],
  [{ timeout: 0, role: 'x' }, BAD_TIMEOUT],
  [{ role: 'x', timeout: 0 }, '400 PostgreSQL role should be either primary, standby_leader, or replica'],
]
describe('11.1 POST /restart', () => {
  for (const [body, answer] of REFUSALS)
    test(`${JSON.stringify(body)}: ${answer}`, async () => {
      const agent = fakeAgent()
      assert.equal(shown(await ask('POST /restart', body, { agent })), answer)
      assert.deepEqual(agent.asked, [])
    })

  test('without a body it is unconditional', async () => {
    for (const body of [undefined, '', '{}']) {
      const agent = fakeAgent()
      assert.equal(shown(await ask('POST /restart', body, { agent })), '200 restarted successfully')
      assert.deepEqual(agent.asked, [['restart', {}]])
    }
  })

  test('filters are handed over', async () => {
    const agent = fakeAgent()
    const body = { role: 'replica', postgres_version: '9.6.24', timeout: '1min', restart_pending: true }
    await ask('POST /restart', body, { agent })
    const wanted = { role: 'replica', postgresVersion: '9.6.24', timeoutMs: 60_000, restartPending: true }
    assert.deepEqual(agent.asked, [['restart', wanted]])
  })

  test('21.3 restart_pending false is no filter, anything else is one', async () => {
    for (const [value, filter] of [
      [false, false],
      ['off', false],
      [0, false],
      [null, true],
      ['x', true],
      [1, true],
    ] as const) {
      const agent = fakeAgent()
      await ask('POST /restart', { restart_pending: value }, { agent })
      assert.deepEqual(agent.asked, [['restart', filter ? { restartPending: true } : {}]])
    }
  })

  test('the outcome decides about the code', async () => {
    for (const [ok, text, answer] of [
      [true, 'restarted successfully', '200 restarted successfully'],
      [false, 'restart failed', '503 restart failed'],
      [false, 'restart conditions are not satisfied', '503 restart conditions are not satisfied'],
      [false, 'reinitialize already in progress', '503 reinitialize already in progress'],
      [null, 'postgres is still starting', '503 postgres is still starting'],
    ] as const) {
      const agent = fakeAgent()
      agent.answers.restart = async () => ({ ok, text })
      assert.equal(shown(await ask('POST /restart', {}, { agent })), answer)
    }
  })

  test('a schedule is stored with its filters as they were sent', async () => {
    const agent = fakeAgent()
    const body = { schedule: '2030-01-01 10:00:00.5Z', timeout: '2min', restart_pending: '', role: 'primary' }
    assert.equal(shown(await ask('POST /restart', body, { agent })), '202 Restart scheduled')
    const schedule = '2030-01-01T10:00:00.500000+00:00'
    const raw = { schedule, timeout: 120, restart_pending: '', role: 'primary' }
    const wanted = { timeoutMs: 120_000, restartPending: true, role: 'primary', schedule, raw }
    assert.deepEqual(agent.asked, [['scheduleRestart', wanted]])
  })

  test('a second schedule is 409, one in pause 500', async () => {
    const agent = fakeAgent()
    agent.answers.scheduleRestart = async () => ({ ok: false, text: '' })
    const body = { schedule: '2030-01-01T10:00Z' }
    assert.equal(shown(await ask('POST /restart', body, { agent })), '409 Another restart is already scheduled')
    const status = statusOf({ settings: settingsFrom({ pause: true }) })
    assert.equal(shown(await ask('POST /restart', body, { status })), "500 Can't schedule restart in the paused state")
    assert.equal(
      shown(await ask('POST /restart', { schedule: 'x' }, { status })),
      "500 Can't schedule restart in the paused state",
    )
    assert.equal(shown(await ask('POST /restart', {}, { status })), '200 restarted successfully')
  })

  test('11.2 DELETE /restart', async () => {
    const agent = fakeAgent()
    assert.equal(shown(await ask('DELETE /restart', undefined, { agent })), '404 no restarts are scheduled')
    agent.answers.deleteScheduledRestart = async () => true
    assert.equal(shown(await ask('DELETE /restart', undefined, { agent })), '200 scheduled restart deleted')
  })
})

describe('12 POST /reinitialize', () => {
  const ASKED: readonly (readonly [body: JsonObject | undefined, force: boolean, fromLeader: boolean])[] = [
    [undefined, false, false],
    [{ force: true }, true, false],
    [{ force: 'yes', from_leader: 'ON' }, true, true],
    [{ force: 1, from_leader: 0 }, true, false],
    [{ force: 'maybe', 'from-leader': true, other: 1 }, false, false],
  ]
  for (const [body, force, fromLeader] of ASKED)
    test(JSON.stringify(body ?? 'no body'), async () => {
      const agent = fakeAgent()
      assert.equal(shown(await ask('POST /reinitialize', body, { agent })), '200 reinitialize started')
      assert.deepEqual(agent.asked, [['reinitialize', { force, fromLeader }]])
    })

  test('refusals are 503 with their text', async () => {
    const agent = fakeAgent()
    agent.answers.reinitialize = async () => ({ ok: false, text: 'restart already in progress' })
    assert.equal(shown(await ask('POST /reinitialize', {}, { agent })), '503 restart already in progress')
  })

  test('21.2 a bad body is answered once and does nothing', async () => {
    const agent = fakeAgent()
    assert.equal((await ask('POST /reinitialize', '[]', { agent })).status, 400)
    assert.deepEqual(agent.asked, [])
  })
})

const PING = { name: 'n1', conn_url: 'postgres://h:5432/postgres', api_url: 'http://h:8008/patroni', slots: { n2: 5 } }
describe('15 POST /failsafe', () => {
  const on = () => fakeAgent(statusOf({ settings: settingsFrom({ failsafe_mode: true }) }))

  test('with the mode off it is 502, whatever the body', async () => {
    assert.equal((await ask('POST /failsafe', PING)).status, 502)
    assert.equal((await ask('POST /failsafe', 'rubbish')).status, 502)
  })

  test('consent is given with the own position', async () => {
    const agent = on()
    agent.answers.receiveFailsafe = () => ({ status: 200, body: 'Accepted', lsn: lsn(123) })
    const answer = await ask('POST /failsafe', PING, { agent })
    assert.deepEqual([shown(answer), answer.headers], ['200 Accepted', [['lsn', '123']]])
    assert.deepEqual(agent.asked, [['receiveFailsafe', PING]])
    assert.deepEqual((await ask('POST /failsafe', PING, { agent: on() })).headers, [])
  })

  test('a primary refuses', async () => {
    const agent = on()
    agent.answers.receiveFailsafe = () => ({ status: 500, body: 'Running as a leader', lsn: null })
    assert.equal(shown(await ask('POST /failsafe', PING, { agent })), '500 Running as a leader')
  })

  test('21.8 missing keys are named', async () => {
    for (const [body, missing] of [
      [{ name: 'n1' }, 'conn_url, api_url'],
      [{ ...PING, api_url: 5 }, 'api_url'],
      [{ ...PING, name: '' }, 'name'],
    ] as const) {
      const agent = on()
      assert.equal(shown(await ask('POST /failsafe', body, { agent })), `400 missing in the body: ${missing}`)
      assert.deepEqual(agent.asked, [])
    }
    assert.equal((await ask('POST /failsafe', '{}', { agent: on() })).status, 400)
    assert.equal((await ask('POST /failsafe', undefined, { agent: on() })).status, 411)
  })
})
