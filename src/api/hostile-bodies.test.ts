import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ask } from './testing/ask.ts'
import { fakeAgent, settingsFrom, statusOf } from './testing/fake-agent.ts'
import { exchange, send, withServer } from './testing/wire.ts'

const WITH_BODY = [
  'PATCH /config',
  'PUT /config',
  'POST /switchover',
  'POST /failover',
  'POST /restart',
  'POST /reinitialize',
  'POST /reload',
  'POST /failsafe',
  'POST /sigterm',
  'DELETE /restart',
  'DELETE /switchover',
]
/** These go by the request alone. */
const WITHOUT_BODY = ['POST /reload', 'POST /sigterm', 'DELETE /restart', 'DELETE /switchover']

const deep = (open: string, close: string, levels: number): string => open.repeat(levels) + close.repeat(levels)

const NO_OBJECTS: readonly string[] = [
  'x',
  '{',
  '[]',
  'null',
  'true',
  '1',
  '"text"',
  'NaN',
  '{"a": NaN}',
  '{"a": Infinity}',
  "{'a': 1}",
  '{"a": 1,}',
  '{"a": 1} {"b": 2}',
  '﻿{"a": 1}',
  '\0',
  '{"a": "\0"}',
  '{"a": 01}',
  '\\',
  '{"a": "\\ud8"}',
  `{"a": ${deep('[', ']', 1e5)}}`,
  deep('{"a":', '}', 101),
  deep('[', ']', 1e5),
  '['.repeat(1e5),
]

for (const line of WITH_BODY)
  test(`2.5 ${line}: a body that is no JSON object is refused before anything is done`, async () => {
    for (const body of NO_OBJECTS) {
      const agent = fakeAgent(statusOf({ settings: settingsFrom({ failsafe_mode: true }) }))
      const answer = await ask(line, body, { agent })
      if (WITHOUT_BODY.includes(line)) assert.ok(answer.status < 500, `${answer.status}`)
      else assert.deepEqual([answer.status, agent.asked], [400, []], body.slice(0, 40))
    }
  })

const KEYS = [
  'leader',
  'candidate',
  'member',
  'scheduled_at',
  'schedule',
  'role',
  'postgres_version',
  'timeout',
  'force',
  'restart_pending',
  'from_leader',
  'name',
  'conn_url',
  'api_url',
  'slots',
  'ttl',
  'postgresql',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '',
]
const TEXTS = [
  '',
  'n1',
  'n2',
  'constructor',
  '__proto__',
  '2030-01-01T00:00:00Z',
  '+275760-09-14T00:00Z',
  '9'.repeat(400),
]

test('2.5 whatever the values in an object are, the answer is one of the specification and nothing is thrown', async () => {
  const leaf = fc.oneof(
    fc.constantFrom<string | number | boolean | null>(...TEXTS, null, true, false, 0, -1, 0.5, 1e308, -1e308),
    fc.string(),
  )
  const value = fc.oneof(leaf, fc.array(leaf, { maxLength: 3 }), fc.dictionary(fc.constantFrom(...KEYS), leaf))
  const entries = fc.array(fc.tuple(fc.constantFrom(...KEYS), value), { maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...WITH_BODY), entries, async (line, pairs) => {
      const body = `{${pairs.map(([key, one]) => `${JSON.stringify(key)}: ${JSON.stringify(one)}`).join(', ')}}`
      const agent = fakeAgent(statusOf({ settings: settingsFrom({ failsafe_mode: true }) }))
      agent.store.writeFailover = async () => ({ kind: 'refused', reason: 'version' })
      const answer = await ask(line, body, { agent })
      assert.ok(
        [200, 202, 400, 404, 409, 412, 422, 500, 503].includes(answer.status),
        `${line} ${body}: ${answer.status}`,
      )
      assert.doesNotMatch(answer.body, /\[object|native code|\n\s+at /)
      assert.equal(({} as Readonly<Record<string, unknown>>)['x'], undefined)
    }),
    { numRuns: 500 },
  )
})

test('9.1 keys with a meaning in JavaScript are plain keys of the configuration', async () => {
  const agent = fakeAgent()
  const answer = await ask('PATCH /config', '{"__proto__": {"ttl": 1}, "constructor": {"prototype": {"x": 1}}}', {
    agent,
  })
  assert.equal(answer.status, 200)
  assert.deepEqual(Object.keys(JSON.parse(answer.body)).slice(-2), ['__proto__', 'constructor'])
  assert.equal(({} as Readonly<Record<string, unknown>>)['ttl'], undefined)
})

test('2.5 on the wire: bytes that are not UTF-8, wrong lengths, and bodies without end leave the server serving', async () => {
  await withServer(
    {},
    async ({ port, log, agent }) => {
      const head = 'PATCH /config HTTP/1.1\r\nHost: x\r\nConnection: close\r\n'
      const answered = async (rest: string | Buffer): Promise<string> => {
        const text = await send(port, Buffer.concat([Buffer.from(head), Buffer.from(rest)])).catch(() => 'closed')
        return text.split('\r\n')[0] ?? ''
      }
      const bytes = Buffer.concat([
        Buffer.from('Content-Length: 4\r\n\r\n"'),
        Buffer.from([0xff, 0xfe]),
        Buffer.from('"'),
      ])
      assert.match(await answered(bytes), / 400 /)
      for (const length of ['-1', 'x', '1e9', '1, 2', '99999999999999999999'])
        assert.match(await answered(`Content-Length: ${length}\r\n\r\n{}`), / 4\d\d /, length)
      assert.match(await answered('Transfer-Encoding: chunked\r\n\r\nzz\r\n'), / 400 |^$|closed/)
      const chunk = `100000\r\n${' '.repeat(0x100000)}\r\n`
      assert.match(await answered(`Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(12)}0\r\n\r\n`), / 413 |^$|closed/)
      assert.deepEqual(agent.asked, [])
      assert.equal((await exchange(port, 'GET /liveness')).status, 200)
      assert.deepEqual(
        log.lines.filter((line) => line.startsWith('ERROR')),
        [],
      )
    },
    fakeAgent(),
  )
})
