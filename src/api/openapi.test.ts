import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import type { Json, JsonObject } from '../cluster/json.ts'
import { lsn } from '../cluster/lsn.ts'
import { findRoute, ROUTES } from './routes.ts'
import {
  type FakeAgent,
  fakeAgent,
  HEALTHY_KEYS,
  primarySeen,
  replicaSeen,
  replicaStatus,
  settingsFrom,
  statusOf,
  viewOf,
} from './testing/fake-agent.ts'
import { resolve, violations } from './testing/schema.ts'
import { exchange, type WireAnswer, withServer } from './testing/wire.ts'

const FILE = new URL('../../../../docs/openapi.yaml', import.meta.url)
const DESCRIPTION = parse(readFileSync(FILE, 'utf8')) as JsonObject
const PATHS = DESCRIPTION['paths'] as Record<string, JsonObject>
const METHODS = ['get', 'head', 'options', 'patch', 'put', 'post', 'delete']

/** What the description has to say against an answer; nothing where it is as described. */
function complaints(line: string, answer: WireAnswer): string[] {
  const [method = '', target = ''] = line.split(' ')
  const path = target.split('?')[0] ?? ''
  const item = PATHS[path] ?? PATHS['/{path}'] ?? {}
  const isOffered = !(item['x-501-methods'] as readonly string[] | undefined)?.includes(method)
  const operation = resolve(DESCRIPTION, (isOffered ? item : PATHS['/{path}'])?.[method.toLowerCase()])
  const responses = resolve(DESCRIPTION, operation['responses'])
  const code = String(answer.status)
  if (!(code in responses) && !('default' in responses)) return [`${line}: ${code} is not described`]
  const response = resolve(DESCRIPTION, responses[code] ?? responses['default'])
  const content = resolve(DESCRIPTION, response['content'])
  const headers = new Map(answer.headers.map(([name, value]) => [name.toLowerCase(), value]))
  const described = Object.entries(resolve(DESCRIPTION, response['headers'])).flatMap(([name, node]) => {
    const value = headers.get(name.toLowerCase())
    if (value === undefined) return name === 'lsn' ? [] : [`header ${name} is missing`]
    const { schema } = resolve(DESCRIPTION, node)
    const { type } = resolve(DESCRIPTION, schema)
    return violations(DESCRIPTION, schema, type === 'integer' ? Number(value) : value, name)
  })
  return [...described, ...bodyComplaints(content, headers.get('content-type'), answer.body)].map(
    (one) => `${line}: ${one}`,
  )
}

function bodyComplaints(content: JsonObject, type: string | undefined, body: string): string[] {
  if (Object.keys(content).length === 0) return body === '' ? [] : ['there should be no body']
  const media = type === undefined ? undefined : content[type]
  if (media === undefined) return [`content type ${type} is not described`]
  const value: Json = type === 'application/json' ? (JSON.parse(body) as Json) : body
  return violations(DESCRIPTION, resolve(DESCRIPTION, media)['schema'], value)
}

const SYNC = { sync: { leader: 'n1', sync_standby: 'n2' } }
const SENDER = {
  pid: 1,
  applicationName: 'n3',
  userName: null,
  clientAddr: null,
  state: 'streaming',
  syncState: 'async',
  syncPriority: 0,
  writeLsn: null,
  flushLsn: null,
  replayLsn: null,
}

/** Members in all the ways that change what an answer looks like. */
const WORLDS: Readonly<Record<string, () => FakeAgent>> = {
  primary: () => fakeAgent(statusOf(), primarySeen({ walSenders: [SENDER] })),
  'replica with everything': () =>
    fakeAgent(
      replicaStatus({
        view: viewOf({
          ...HEALTHY_KEYS,
          ...SYNC,
          history: [
            [1, 5, 'r'],
            [2, 6, 'r', '2026-01-01T00:00:00+00:00', 'n1'],
          ],
          failsafe: { n1: 'http://a', n2: 'http://b' },
          failover: { leader: 'n1', member: 'n2', scheduled_at: '2030-01-01T00:00:00+00:00' },
          'members/n2': {
            conn_url: 'postgres://h:1/p',
            api_url: 'http://h:2/patroni',
            state: 'running',
            timeline: 4,
            receive_lsn: 5,
            pending_restart: true,
            pending_restart_reason: { a: { old_value: '1', new_value: '2' } },
            scheduled_restart: { schedule: '2030-01-01T00:00:00+00:00', postmaster_start_time: 'x' },
            tags: { nofailover: true },
          },
        }),
        settings: settingsFrom({ synchronous_mode: true, failsafe_mode: true }),
        effectiveTags: { replicatefrom: 'n1', zone: 5 },
        pendingRestart: { a: { old_value: '1', new_value: '2' } },
        scheduledRestart: { schedule: '2030-01-01T00:00:00+00:00', postmaster_start_time: 'x', timeout: 5 },
        failsafeActive: true,
        watchdogFailed: true,
        cloneProgress: { doneBytes: 4096, totalBytes: 8192 },
        logQueue: { size: 5, lost: 2 },
      }),
      replicaSeen(),
    ),
  'replica without timeline': () =>
    fakeAgent(replicaStatus({ localTimeline: null }), replicaSeen({ walReceiver: null, replayedAt: null })),
  stopped: () => fakeAgent(statusOf({ state: 'stopped', role: 'demoted', holdsLock: false, systemIdentifier: null })),
  'no answer': () => {
    const agent = fakeAgent()
    agent.look = async () => ({ kind: 'unreachable', reason: 'x' })
    return agent
  },
  'no store': () => {
    const agent = fakeAgent(statusOf({ view: null }))
    agent.read = async () => null
    return agent
  },
  'empty store': () => fakeAgent(statusOf({ view: viewOf({}) })),
  'store that refuses': () => {
    const agent = fakeAgent(statusOf({ settings: settingsFrom({ failsafe_mode: true }) }))
    agent.read = async () => viewOf({ ...HEALTHY_KEYS, failover: { scheduled_at: '2030-01-01T00:00:00+00:00' } })
    agent.store.writeConfig = async () => ({ kind: 'refused', reason: 'x' })
    agent.store.writeFailover = async () => ({ kind: 'refused', reason: 'x' })
    agent.answers.restart = async () => ({ ok: false, text: 'restart already in progress' })
    agent.answers.reinitialize = async () => ({ ok: false, text: 'restart already in progress' })
    agent.answers.receiveFailsafe = () => ({ status: 500, body: 'Running as a leader', lsn: null })
    return agent
  },
  'store that accepts': () => {
    const agent = fakeAgent(statusOf({ settings: settingsFrom({ failsafe_mode: true }) }))
    let leader = 'n1'
    agent.read = async () =>
      viewOf({ ...HEALTHY_KEYS, leader, failover: { leader: 'n1', scheduled_at: '2030-01-01T00:00Z' } })
    agent.store.writeFailover = async () => {
      leader = 'n2'
      queueMicrotask(() => agent.tell('leader'))
      return { kind: 'done', value: undefined }
    }
    agent.answers.deleteScheduledRestart = async () => true
    agent.answers.receiveFailsafe = () => ({ status: 200, body: 'Accepted', lsn: lsn(5) })
    return agent
  },
  'with a story': () => {
    const agent = fakeAgent()
    const step = { at: 5, kind: 'did' as const, what: 'promote', detail: { outcome: 'promoted' } }
    const cycle = { number: 1, at: 5, until: 9, times: 2, rule: 'r', text: 't', tookMs: 1.5, entries: [step] }
    agent.answers.journal = () => [cycle]
    return agent
  },
  paused: () => {
    const agent = fakeAgent(statusOf({ settings: settingsFrom({ pause: true }) }))
    agent.read = async () => viewOf({ ...HEALTHY_KEYS, config: { pause: true } })
    return agent
  },
  buggy: () => {
    const agent = fakeAgent()
    agent.answers.restart = () => Promise.reject(new Error('bug'))
    agent.answers.deleteScheduledRestart = () => Promise.reject(new Error('bug'))
    agent.answers.reinitialize = () => Promise.reject(new Error('bug'))
    agent.read = () => Promise.reject(new Error('bug'))
    return agent
  },
}

const AT = '2030-01-01T00:00:00Z'
const ACTIONS: readonly (readonly [line: string, body?: string])[] = [
  ['PATCH /config', '{"ttl": 20}'],
  ['PATCH /config', '[]'],
  ['PATCH /config'],
  ['PUT /config', '{"ttl": 20}'],
  ['PUT /config'],
  ['POST /reload'],
  ['POST /restart'],
  ['POST /restart', 'x'],
  ['POST /restart', `{"schedule": "${AT}"}`],
  ['POST /restart', '{"schedule": "x"}'],
  ['POST /restart', '{"schedule": "2030-01-01"}'],
  ['POST /restart', '{"role": "x"}'],
  ['POST /restart', '{"postgres_version": "x"}'],
  ['POST /restart', '{"postgres_version": "9.6"}'],
  ['POST /restart', '{"timeout": 0}'],
  ['POST /restart', '{"x": 0}'],
  ['DELETE /restart'],
  ['POST /reinitialize'],
  ['POST /reinitialize', '5'],
  ['POST /switchover', '{"leader": "n1"}'],
  ['POST /switchover', '{"leader": "n1", "candidate": "n3"}'],
  ['POST /switchover', '{"leader": "n1", "candidate": "n1"}'],
  ['POST /switchover', '{"leader": "n9"}'],
  ['POST /switchover', '{"x": 1}'],
  ['POST /switchover', `{"leader": "n1", "scheduled_at": "${AT}"}`],
  ['POST /switchover', '{"leader": "n1", "scheduled_at": "2020-01-01T00:00Z"}'],
  ['POST /switchover'],
  ['POST /failover', '{"candidate": "n2"}'],
  ['POST /failover', '{"candidate": "n3"}'],
  ['POST /failover', '{"candidate": "n9"}'],
  ['POST /failover', '{"x": 1}'],
  ['POST /failover', `{"candidate": "n2", "scheduled_at": "${AT}"}`],
  ['DELETE /switchover'],
  ['POST /failsafe', '{"name": "n1", "conn_url": "u", "api_url": "u"}'],
  ['POST /failsafe', '{"name": "n1"}'],
  ['POST /failsafe', 'x'],
  ['POST /sigterm'],
  ['POST /primary'],
  ['DELETE /config'],
  ['PUT /unknown/path'],
]

describe('every answer is as openapi.yaml says', () => {
  for (const [name, world] of Object.entries(WORLDS))
    test(name, async () => {
      const found: string[] = []
      const agent = world()
      await withServer(
        {},
        async ({ port }) => {
          for (const path of [
            ...Object.keys(PATHS).filter((one) => one !== '/{path}'),
            '/unknown',
            '/replica?lag=1',
            '/journal?since=x',
          ])
            for (const method of ['GET', 'HEAD', 'OPTIONS']) {
              const line = `${method} ${path}`
              found.push(...complaints(line, await exchange(port, line)))
            }
        },
        agent,
      )
      for (const [line, body] of ACTIONS) {
        // A switchover that nothing happens to is waited for; those have a test of their own.
        const isEndless =
          name !== 'store that accepts' &&
          /^POST \/(switchover|failover)$/.test(line) &&
          /n1"}|n3"|n2"}/.test(body ?? '')
        if (isEndless && !['no store', 'store that refuses', 'paused', 'buggy'].includes(name)) continue
        await withServer(
          {},
          async ({ port }) => {
            found.push(...complaints(line, await exchange(port, line, body === undefined ? {} : { body })))
          },
          world(),
        )
      }
      assert.deepEqual(found, [])
    })

  test('access denied', () =>
    withServer({ authentication: { username: 'a', password: 'b' } }, async ({ port }) => {
      for (const [line, body] of ACTIONS)
        assert.deepEqual(complaints(line, await exchange(port, line, body === undefined ? {} : { body })), [])
    }))

  test('address denied', () =>
    withServer({ allowlist: ['10.0.0.1'] }, async ({ port }) => {
      for (const [line, body] of ACTIONS)
        assert.deepEqual(complaints(line, await exchange(port, line, body === undefined ? {} : { body })), [])
    }))
})

describe('openapi.yaml and the routes', () => {
  test('describe the same operations', () => {
    const described = Object.entries(PATHS)
      .filter(([path]) => path !== '/{path}')
      .flatMap(([path, item]) =>
        METHODS.filter((method) => method in item).map((method) => `${method.toUpperCase()} ${path}`),
      )
    const routed = described.filter((line) => {
      const [method = '', path = ''] = line.split(' ')
      return findRoute(method, path.slice(1)) !== null
    })
    assert.deepEqual(described, routed)
    const offered = Object.entries(ROUTES).flatMap(([segment, methods]) =>
      Object.keys(methods).map((method) => `${method} /${segment}`),
    )
    assert.deepEqual(
      offered.filter((line) => !described.includes(line)),
      [],
    )
  })

  test('x-501-methods are those that have no handler', () => {
    for (const [path, item] of Object.entries(PATHS)) {
      if (path === '/{path}') continue
      const missing = METHODS.map((one) => one.toUpperCase()).filter((method) => !findRoute(method, path.slice(1)))
      assert.deepEqual([...(item['x-501-methods'] as string[])].sort(), missing.sort(), path)
    }
  })

  test('every reference leads somewhere', () => {
    const walk = (node: Json): void => {
      if (Array.isArray(node)) for (const one of node as Json[]) walk(one)
      else if (typeof node === 'object' && node !== null) {
        if ('$ref' in node) resolve(DESCRIPTION, node)
        for (const one of Object.values(node)) walk(one)
      }
    }
    walk(DESCRIPTION)
  })

  test('the validator finds faults', () => {
    const bad = {
      statusLine: '',
      status: 200,
      headers: [
        ['Server', 'x'],
        ['Date', 'x'],
        ['Content-Type', 'application/json'],
      ],
    } as const
    assert.deepEqual(complaints('GET /patroni', { ...bad, body: '{}' }).length > 0, true)
    assert.deepEqual(complaints('GET /patroni', { ...bad, status: 418, body: '' }).length > 0, true)
    assert.deepEqual(
      complaints('GET /cluster', { ...bad, body: '{"members": [{"name": 5}], "scope": "x"}' }).length > 0,
      true,
    )
  })
})
