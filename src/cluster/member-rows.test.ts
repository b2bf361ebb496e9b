import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from './json.ts'
import { clusterDocument, memberRowJson, memberRows } from './member-rows.ts'
import { clusterSettings, DEFAULT_TIMING } from './settings.ts'
import { version } from './stored.ts'
import { type ClusterView, viewFromKeys } from './view.ts'

const settings = (document: JsonObject = {}) => clusterSettings(document, DEFAULT_TIMING)

/** The cluster of the spec's example: n1 leads, n2 streams. */
const HEALTHY: JsonObject = {
  leader: 'n1',
  status: { optime: 67108960 },
  'members/n2': {
    conn_url: 'postgres://10.0.0.2:5432/postgres',
    api_url: 'http://10.0.0.2:8008/patroni',
    state: 'running',
    role: 'replica',
    replication_state: 'streaming',
    timeline: 5,
    xlog_location: 67108960,
    receive_lsn: 67108960,
    replay_lsn: 67108960,
  },
  'members/n1': {
    conn_url: 'postgres://10.0.0.1:5432/postgres',
    api_url: 'http://10.0.0.1:8008/patroni',
    state: 'running',
    role: 'primary',
    timeline: 5,
    xlog_location: 67108960,
    tags: { clonefrom: true },
  },
}

function cluster(keys: JsonObject): ClusterView {
  const stored = Object.entries(keys).map(([key, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    return [key, { text, version: version('1'), session: null }] as const
  })
  return viewFromKeys(new Map(stored))
}

function row(name: string, member: JsonObject, keys: JsonObject = {}, document: JsonObject = {}): JsonObject {
  const view = cluster({ ...HEALTHY, ...keys, [`members/${name}`]: member })
  const found = memberRows(view, settings(document)).find((one) => one.name === name)
  assert.ok(found)
  return memberRowJson(found)
}

test('7.2 a cluster is shown as in the worked example', () => {
  const failover = { leader: 'n1', member: 'n2', scheduled_at: '2023-09-24T10:36:00+02:00' }
  const shown = clusterDocument(cluster({ ...HEALTHY, failover }), settings({ pause: true }), 'demo')
  assert.deepEqual(shown, {
    members: [
      {
        name: 'n1',
        role: 'leader',
        state: 'running',
        api_url: 'http://10.0.0.1:8008/patroni',
        host: '10.0.0.1',
        port: 5432,
        timeline: 5,
        tags: { clonefrom: true },
      },
      {
        name: 'n2',
        role: 'replica',
        state: 'streaming',
        api_url: 'http://10.0.0.2:8008/patroni',
        host: '10.0.0.2',
        port: 5432,
        timeline: 5,
        receive_lag: 0,
        receive_lsn: '0/4000060',
        replay_lag: 0,
        replay_lsn: '0/4000060',
        lag: 0,
        lsn: '0/4000060',
      },
    ],
    pause: true,
    scheduled_switchover: { at: '2023-09-24T10:36:00+02:00', from: 'n1', to: 'n2' },
    scope: 'demo',
  })
})

test('7.2 nothing is paused or scheduled in a cluster at rest', () => {
  const shown = clusterDocument(cluster({ ...HEALTHY, failover: { leader: 'n1', member: 'n2' } }), settings(), 'demo')
  assert.deepEqual(Object.keys(shown), ['members', 'scope'])
})

const SYNC = { sync: { leader: 'n1', sync_standby: 'N2' } }
const ROLES: readonly (readonly [name: string, document: JsonObject, role: string])[] = [
  ['n1', {}, 'leader'],
  ['n1', { standby_cluster: { host: 'x' } }, 'standby_leader'],
  ['n1', { synchronous_mode: true }, 'leader'],
  ['n2', {}, 'replica'],
  ['n2', { synchronous_mode: true }, 'sync_standby'],
  ['n2', { synchronous_mode: 'quorum' }, 'quorum_standby'],
  ['n2', { synchronous_mode: true, standby_cluster: { host: 'x' } }, 'replica'],
  ['n3', { synchronous_mode: true }, 'replica'],
]
for (const [name, document, role] of ROLES)
  test(`7.2 ${name} is ${role} with ${JSON.stringify(document)} and n2 in the sync key`, () => {
    assert.equal(row(name, {}, SYNC, document)['role'], role)
  })

test('7.2 the leader shows its state, all others their replication state first, the standby leader too', () => {
  const member = { state: 'running', replication_state: 'in archive recovery' }
  assert.equal(row('n1', member)['state'], 'running')
  assert.equal(row('n2', member)['state'], 'in archive recovery')
  assert.equal(row('n1', member, {}, { standby_cluster: { host: 'x' } })['state'], 'in archive recovery')
  assert.equal(row('n2', { state: 'running', replication_state: '' })['state'], 'running')
  assert.equal(row('n2', {})['state'], '')
})

const ADDRESSES: readonly (readonly [member: JsonObject, host: string | undefined, port: number | undefined])[] = [
  [{ conn_url: 'postgres://DB.Example.ORG/postgres' }, 'db.example.org', 5432],
  [{ conn_url: 'postgres://[2001:DB8::1]:6432/postgres' }, '2001:db8::1', 6432],
  [{ conn_url: 'postgresql://user:p%40ss@h:7/db?x=y' }, 'h', 7],
  [{ conn_url: 'postgres://h1:1', conn_kwargs: { host: 'Other', port: 9 } }, 'Other', 9],
  [{ conn_url: 'postgres://h1:1', conn_kwargs: { host: 'o', port: '9' } }, 'o', 9],
  [{ conn_url: 'postgres://h1:1', conn_kwargs: { host: 'o' } }, 'o', 5432],
  [{ conn_url: 'postgres://h1:1', conn_kwargs: {} }, 'h1', 1],
  [{ conn_url: 'rubbish' }, undefined, undefined],
  [{ conn_url: 'postgres:///db' }, undefined, undefined],
  [{ conn_url: 17 }, undefined, undefined],
  [{}, undefined, undefined],
]
for (const [member, host, port] of ADDRESSES)
  test(`7.2 the address in ${JSON.stringify(member)} is ${host}:${port}`, () => {
    const shown = row('n2', member)
    assert.equal(shown['host'], host)
    assert.equal(shown['port'], port)
    assert.equal('host' in shown, host !== undefined)
  })

test('7.2 a position that is missing or 0 is unknown, and a lag is never negative', () => {
  const shown = row('n2', { receive_lsn: 0, replay_lsn: 67108960 + 16, xlog_location: 67108960 - 96 })
  const { receive_lsn, receive_lag, replay_lsn, replay_lag, lsn, lag } = shown
  assert.deepEqual(
    [receive_lsn, receive_lag, replay_lsn, replay_lag, lsn, lag],
    ['unknown', 'unknown', '0/4000070', 0, '0/4000000', 96],
  )
  assert.equal(row('n2', {})['lsn'], 'unknown')
})

test('7.2 what members publish about themselves is copied as it stands, hostile values included', () => {
  const published = {
    timeline: 'seven',
    pending_restart: true,
    pending_restart_reason: { max_connections: { old_value: '100', new_value: '101' } },
    scheduled_restart: { schedule: '2030-01-01T00:00:00+00:00', postmaster_start_time: 'x' },
    tags: ['not', 'an', 'object'],
  }
  const shown = row('n2', published)
  for (const [key, value] of Object.entries(published)) assert.deepEqual(shown[key], value)
  assert.equal(row('n2', { api_url: 5, state: ['x'] })['api_url'], null)
})

test('rows are sorted by name', () => {
  const view = cluster({ 'members/b': {}, 'members/a': {}, 'members/B': {} })
  assert.deepEqual(
    memberRows(view, settings()).map((one) => one.name),
    ['B', 'a', 'b'],
  )
})

test('a schedule that cannot be read is shown as it was written', () => {
  const view = cluster({ failover: { leader: 'n1', scheduled_at: 'soon' } })
  const shown = clusterDocument(view, settings(), 's')['scheduled_switchover']
  assert.deepEqual(shown, { at: 'soon', from: 'n1' })
})
