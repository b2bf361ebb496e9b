import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from './json.ts'
import { checkSchedule } from './schedule.ts'
import { clusterSettings, DEFAULT_TIMING } from './settings.ts'
import { version } from './stored.ts'
import { checkPossibility, checkRequest, rawRequest, requestProgress, statusUnknown } from './switchover-check.ts'
import { printTimestamp } from './timestamp.ts'
import { viewFromKeys } from './view.ts'

const NOW = Date.UTC(2026, 10, 21, 12)
const FUTURE = '2030-01-01T00:00:00+02:00'

function view(keys: JsonObject) {
  const stored = Object.entries(keys).map(([key, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    return [key, { text, version: version('1'), session: null }] as const
  })
  return viewFromKeys(new Map(stored))
}

const settings = (document: JsonObject = {}) => clusterSettings(document, DEFAULT_TIMING)

const BAD: readonly (readonly [
  action: 'switchover' | 'failover',
  body: JsonObject,
  paused: boolean,
  answer: string,
])[] = [
  ['failover', {}, false, '400 Failover could be performed only to a specific candidate'],
  ['failover', { candidate: '' }, false, '400 Failover could be performed only to a specific candidate'],
  ['failover', { leader: 'a' }, false, '400 Failover could be performed only to a specific candidate'],
  ['switchover', {}, false, '400 Switchover could be performed only from a specific leader'],
  ['switchover', { candidate: 'b' }, false, '400 Switchover could be performed only from a specific leader'],
  ['switchover', { leader: '' }, false, '400 Switchover could be performed only from a specific leader'],
  ['failover', { candidate: 'b', scheduled_at: FUTURE }, false, "400 Failover can't be scheduled"],
  ['failover', { candidate: 'b', scheduled_at: 'rubbish' }, true, "400 Failover can't be scheduled"],
  ['switchover', { leader: 'a', scheduled_at: 'rubbish' }, true, "400 Can't schedule switchover in the paused state"],
  [
    'switchover',
    { leader: 'a', scheduled_at: 'rubbish' },
    false,
    '422 Unable to parse scheduled timestamp. It should be in an unambiguous format, e.g. ISO 8601',
  ],
  [
    'switchover',
    { leader: 'a', scheduled_at: 1893495600 },
    false,
    '422 Unable to parse scheduled timestamp. It should be in an unambiguous format, e.g. ISO 8601',
  ],
  [
    'switchover',
    { leader: 'a', scheduled_at: '2030-01-01T00:00' },
    false,
    '400 Timezone information is mandatory for the scheduled switchover',
  ],
  [
    'switchover',
    { leader: 'a', scheduled_at: '2020-01-01T00:00Z' },
    false,
    '422 Cannot schedule switchover in the past',
  ],
  ['switchover', { leader: 'a' }, true, '400 Switchover is possible only to a specific candidate in a paused state'],
  ['switchover', { leader: 'a', candidate: 'a' }, false, '400 Switchover target and source are the same'],
  ['failover', { leader: 'a', candidate: 'a' }, false, '400 Switchover target and source are the same'],
  [
    'switchover',
    { leader: 'a', candidate: 'a', scheduled_at: FUTURE },
    false,
    '400 Switchover target and source are the same',
  ],
]
for (const [action, body, paused, answer] of BAD)
  test(`13.1 ${action} ${JSON.stringify(body)}${paused ? ' in pause' : ''}: ${answer}`, () => {
    const checked = checkRequest(action, rawRequest(body), { paused, wallMs: NOW })
    assert.equal(checked.kind === 'refused' && `${checked.status} ${checked.text}`, answer)
  })

test('13.1 a failover that names the leader is a switchover', () => {
  const body = { leader: 'a', candidate: 'b' }
  const checked = checkRequest('failover', rawRequest(body), { paused: false, wallMs: NOW })
  assert.ok(checked.kind === 'valid')
  assert.deepEqual(checked.request, { action: 'switchover', leader: 'a', candidate: 'b', scheduledAt: null })
})

test('13.1 member stands for an absent candidate, and an empty schedule means now', () => {
  const body = { leader: 'a', candidate: '', member: 'b', scheduled_at: '' }
  const checked = checkRequest('switchover', rawRequest(body), { paused: true, wallMs: NOW })
  assert.ok(checked.kind === 'valid')
  assert.deepEqual(checked.request, { action: 'switchover', leader: 'a', candidate: 'b', scheduledAt: null })
})

test('13.1 a schedule is kept with its offset', () => {
  const checked = checkRequest('switchover', rawRequest({ leader: 'a', scheduled_at: FUTURE }), {
    paused: false,
    wallMs: NOW,
  })
  assert.ok(checked.kind === 'valid' && checked.request.scheduledAt)
  assert.equal(printTimestamp(checked.request.scheduledAt), FUTURE)
})

test('a schedule at this very moment is not in the past', () => {
  assert.equal(checkSchedule('2026-11-21T12:00:00Z', 'restart', NOW).kind, 'at')
  assert.equal(checkSchedule('2026-11-21T11:59:59.999999Z', 'restart', NOW).kind, 'refused')
})

const MEMBERS: JsonObject = {
  leader: 'a',
  'members/a': { api_url: 'http://a:8008/patroni' },
  'members/b': { api_url: 'http://b:8008/patroni' },
  'members/c': { api_url: 'http://c:8008/patroni' },
  'members/mute': {},
}
const SYNC = { synchronous_mode: true }
const ON_C = { sync: { leader: 'a', sync_standby: 'c' } }
const POSSIBLE: readonly (readonly [
  title: string,
  keys: JsonObject,
  config: JsonObject,
  wish: JsonObject,
  answer: string,
])[] = [
  ['no leader at all', { leader: '' }, {}, { leader: 'a' }, 'leader name does not match'],
  ['another leader', {}, {}, { leader: 'b' }, 'leader name does not match'],
  ['any other member', {}, {}, { leader: 'a' }, 'b c'],
  ['the candidate', {}, {}, { leader: 'a', candidate: 'c' }, 'c'],
  ['an unknown candidate', {}, {}, { leader: 'a', candidate: 'x' }, 'candidate does not exists'],
  ['a failover to the leader itself passes', {}, {}, { candidate: 'a' }, 'a'],
  [
    'synchronous: a candidate that is not synchronous',
    ON_C,
    SYNC,
    { leader: 'a', candidate: 'b' },
    'candidate name does not match with sync_standby',
  ],
  ['synchronous: a failover may go to any', ON_C, SYNC, { candidate: 'b' }, 'b'],
  ['synchronous: the standby', ON_C, SYNC, { leader: 'a', candidate: 'c' }, 'c'],
  [
    'synchronous: names compare without case',
    { sync: { leader: 'a', sync_standby: 'C' } },
    SYNC,
    { leader: 'a', candidate: 'c' },
    'c',
  ],
  ['synchronous: without a candidate only standbys', ON_C, SYNC, { leader: 'a' }, 'c'],
  ['synchronous: nobody', {}, SYNC, { leader: 'a' }, 'switchover is not possible: can not find sync_standby'],
  ['quorum: like asynchronous', ON_C, { synchronous_mode: 'quorum' }, { leader: 'a', candidate: 'b' }, 'b'],
  ['quorum: without a candidate', {}, { synchronous_mode: 'quorum' }, { leader: 'a' }, 'b c'],
  [
    'alone',
    { 'members/b': { x: 1 }, 'members/c': {} },
    {},
    { leader: 'a' },
    'switchover is not possible: cluster does not have members except leader',
  ],
]
for (const [title, keys, config, wish, answer] of POSSIBLE)
  test(`13.2 ${title}: ${answer}`, () => {
    const text = (key: string) => (typeof wish[key] === 'string' ? wish[key] : null)
    const leader = text('leader')
    const request = { action: leader ? 'switchover' : 'failover', leader, candidate: text('candidate') } as const
    const checked = checkPossibility(view({ ...MEMBERS, ...keys }), settings(config), request)
    const shown = checked.kind === 'ask' ? checked.members.map((member) => member.name).join(' ') : checked.text
    assert.equal(shown, answer)
    if (checked.kind === 'refused') assert.equal(checked.status, 412)
  })

const PENDING = { leader: 'a', member: 'b' }
const PROGRESS: readonly (readonly [
  action: 'switchover' | 'failover',
  keys: JsonObject,
  candidate: string | null,
  text: string,
])[] = [
  ['switchover', { leader: 'b', failover: PENDING }, 'b', 'Successfully switched over to "b"'],
  ['switchover', { leader: 'b', failover: {} }, null, 'Successfully switched over to "b"'],
  ['failover', { leader: 'b' }, 'b', 'Successfully failed over to "b"'],
  ['switchover', { leader: 'c' }, 'b', 'Switched over to "c" instead of "b"'],
  ['failover', { leader: 'c' }, 'b', 'Failed over to "c" instead of "b"'],
  ['switchover', { leader: 'a', failover: {} }, 'b', 'Switchover failed'],
  ['failover', {}, 'b', 'Failover failed'],
  ['switchover', { leader: 'a', failover: PENDING }, 'b', 'pending'],
  ['switchover', { failover: PENDING }, 'b', 'pending'],
]
for (const [action, keys, candidate, text] of PROGRESS)
  test(`13.3 ${action} to ${candidate} with ${JSON.stringify(keys)}: ${text}`, () => {
    const progress = requestProgress(view(keys), { action, candidate }, 'a')
    assert.equal(progress.kind === 'pending' ? progress.kind : progress.text, text)
  })

test('13.3 who waited too long is told that it may still happen', () => {
  const text = 'Switchover status unknown after 20 seconds; operation may still be in progress'
  assert.equal(statusUnknown('switchover', 20), text)
})
