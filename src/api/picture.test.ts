import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { lsn, ZERO_LSN } from '../cluster/lsn.ts'
import { timeline } from '../cluster/timeline.ts'
import type { MemberStatus } from '../ports/control.ts'
import type { Observation } from '../ports/postgres.ts'
import { FAILED, type Look, NOT_ASKED, statusDocument, takePicture } from './picture.ts'
import { spacedJson } from './spaced-json.ts'
import {
  HEALTHY_KEYS,
  primarySeen,
  replicaSeen,
  replicaStatus,
  settingsFrom,
  statusOf,
  viewOf,
} from './testing/fake-agent.ts'

const seen = (observation: Observation): Look => ({ kind: 'observed', observation })
const document = (status: MemberStatus, look: Look) => statusDocument(takePicture(status, look))

const SENDER = {
  pid: 4711,
  applicationName: 'n2',
  userName: 'replicator',
  clientAddr: '10.0.0.2',
  state: 'streaming',
  syncState: 'async',
  syncPriority: 0,
  writeLsn: null,
  flushLsn: null,
  replayLsn: null,
}

describe('5.2 worked examples, byte for byte', () => {
  test('a primary', () => {
    const status = statusOf({ effectiveTags: { clonefrom: true } })
    assert.equal(
      spacedJson(document(status, seen(primarySeen({ walSenders: [SENDER] })))),
      '{"state": "running", "postmaster_start_time": "2024-08-28 19:39:26.352526+00:00", "role": "primary", ' +
        '"server_version": 160004, "xlog": {"location": 67395656}, "timeline": 1, ' +
        '"replication": [{"usename": "replicator", "application_name": "n2", "client_addr": "10.0.0.2", ' +
        '"state": "streaming", "sync_state": "async", "sync_priority": 0}], ' +
        '"dcs_last_seen": 1692356718, "tags": {"clonefrom": true}, ' +
        '"database_system_identifier": "7268616322854375442", ' +
        '"patroni": {"version": "4.1.4", "scope": "demo", "name": "n1"}}',
    )
  })

  test('a cascading replica with a pending restart', () => {
    const status = replicaStatus({
      scope: 'batman',
      serverVersion: 150018,
      view: null,
      dcsLastSeen: 1795223155,
      effectiveTags: { nostream: 'true' },
      systemIdentifier: '7710424623213588797',
      pendingRestart: { wal_level: { old_value: 'replica', new_value: 'logical' } },
    })
    const observation = replicaSeen({
      postmasterStartTime: '2026-11-21 01:05:31.790923+00',
      receivedLsn: lsn(117440512),
      replayedLsn: lsn(117440512),
      replayedAt: '2026-11-21 01:05:32.958753+00',
      walReceiver: null,
      hasRestoreCommand: true,
      walSenders: [{ ...SENDER, applicationName: 'n3', clientAddr: '127.0.0.1' }],
    })
    assert.equal(
      spacedJson(document(status, seen(observation))),
      '{"state": "running", "postmaster_start_time": "2026-11-21 01:05:31.790923+00:00", "role": "replica", ' +
        '"server_version": 150018, "xlog": {"received_location": 117440512, "replayed_location": 117440512, ' +
        '"replayed_timestamp": "2026-11-21 01:05:32.958753+00:00", "paused": false}, "timeline": 1, ' +
        '"replication_state": "in archive recovery", ' +
        '"replication": [{"usename": "replicator", "application_name": "n3", "client_addr": "127.0.0.1", ' +
        '"state": "streaming", "sync_state": "async", "sync_priority": 0}], ' +
        '"cluster_unlocked": true, "dcs_last_seen": 1795223155, "tags": {"nostream": "true"}, ' +
        '"database_system_identifier": "7710424623213588797", "pending_restart": true, ' +
        '"pending_restart_reason": {"wal_level": {"old_value": "replica", "new_value": "logical"}}, ' +
        '"patroni": {"version": "4.1.4", "scope": "batman", "name": "n2"}}',
    )
  })

  test('a demoted node', () => {
    const status = statusOf({
      scope: 'batman',
      state: 'stopped',
      role: 'demoted',
      holdsLock: false,
      view: viewOf({ ...HEALTHY_KEYS, leader: '' }),
      dcsLastSeen: 1795223464,
      systemIdentifier: '7710426001064336970',
    })
    assert.equal(
      spacedJson(document(status, NOT_ASKED)),
      '{"state": "stopped", "role": "demoted", "cluster_unlocked": true, "dcs_last_seen": 1795223464, ' +
        '"database_system_identifier": "7710426001064336970", ' +
        '"patroni": {"version": "4.1.4", "scope": "batman", "name": "n1"}}',
    )
  })
})

const keys = (status: MemberStatus, look: Look) => Object.keys(document(status, look))

describe('5.1 presence of keys', () => {
  test('a server that does not answer is unknown while it should be running, and has no xlog', () => {
    assert.equal(document(statusOf(), FAILED)['state'], 'unknown')
    assert.equal(document(statusOf({ state: 'starting' }), FAILED)['state'], 'starting')
    assert.equal('xlog' in document(statusOf(), FAILED), false)
    assert.equal(document(statusOf({ role: 'promoted' }), FAILED)['role'], 'promoted')
  })

  test('the role is what the server says, but for a standby cluster', () => {
    assert.equal(document(statusOf(), seen(replicaSeen()))['role'], 'replica')
    assert.equal(document(replicaStatus(), seen(primarySeen()))['role'], 'primary')
    const settings = settingsFrom({ standby_cluster: { port: 5432 } })
    assert.equal(
      document(statusOf({ role: 'standby_leader', settings }), seen(replicaSeen()))['role'],
      'standby_leader',
    )
    assert.equal(document(statusOf({ role: 'standby_leader', settings }), seen(primarySeen()))['role'], 'primary')
  })

  test('received falls back to replayed', () => {
    const xlog = document(replicaStatus(), seen(replicaSeen({ receivedLsn: ZERO_LSN, replayedAt: null })))['xlog']
    assert.deepEqual(xlog, {
      received_location: 67395656,
      replayed_location: 67395656,
      replayed_timestamp: null,
      paused: false,
    })
  })

  test('a replica shows its cached timeline, null included', () => {
    assert.equal(document(replicaStatus({ localTimeline: timeline(7) }), seen(replicaSeen()))['timeline'], 7)
    assert.equal(document(replicaStatus({ localTimeline: null }), seen(replicaSeen()))['timeline'], null)
    assert.equal(document(statusOf({ localTimeline: timeline(7) }), seen(primarySeen()))['timeline'], 1)
  })

  test('there is no replication state before 9.6, nor without a way to get WAL', () => {
    assert.equal(
      keys(replicaStatus({ serverVersion: 90524 }), seen(replicaSeen())).includes('replication_state'),
      false,
    )
    assert.equal(keys(replicaStatus(), seen(replicaSeen({ walReceiver: null }))).includes('replication_state'), false)
    assert.equal(keys(statusOf(), seen(primarySeen({ hasRestoreCommand: true }))).includes('replication_state'), false)
  })

  const sync = (changes: Partial<MemberStatus>, mode: string | boolean = true) =>
    keys(
      replicaStatus({
        settings: settingsFrom({ synchronous_mode: mode }),
        view: viewOf({ ...HEALTHY_KEYS, sync: { leader: 'n1', sync_standby: 'N2,n3' } }),
        ...changes,
      }),
      seen(replicaSeen()),
    ).find((key) => key.endsWith('_standby'))
  test('a synchronous standby says so, by the name of the mode, whatever the case of its name', () => {
    assert.equal(sync({}), 'sync_standby')
    assert.equal(sync({}, 'quorum'), 'quorum_standby')
    assert.equal(sync({}, false), undefined)
    assert.equal(sync({ view: null }), undefined)
    assert.equal(sync({ name: 'n4' }), undefined)
  })

  test('flags are there only while they are true', () => {
    const flags = ['pause', 'cluster_unlocked', 'failsafe_mode_is_active', 'watchdog_failed', 'pending_restart']
    assert.deepEqual(
      flags.filter((flag) => keys(statusOf(), seen(primarySeen())).includes(flag)),
      [],
    )
    const all = statusOf({
      settings: settingsFrom({ pause: true }),
      view: null,
      failsafeActive: true,
      watchdogFailed: true,
      cloneProgress: { doneBytes: 4096, totalBytes: 8192 },
      pendingRestart: { a: { old_value: '1', new_value: '2' } },
    })
    assert.deepEqual(
      flags.filter((flag) => document(all, NOT_ASKED)[flag] === true),
      flags,
    )
    assert.deepEqual(document(all, NOT_ASKED)['clone'], { done_bytes: 4096, total_bytes: 8192 })
  })

  test('empty tags, an unknown identifier and a quiet log are left out', () => {
    const bare = statusOf({
      systemIdentifier: null,
      effectiveTags: { nofailover: false },
      logQueue: { size: 2, lost: 9 },
    })
    for (const key of ['tags', 'database_system_identifier', 'logger_queue_size', 'logger_records_lost'])
      assert.equal(keys(bare, NOT_ASKED).includes(key), false, key)
    const busy = document(statusOf({ logQueue: { size: 3, lost: 9 } }), NOT_ASKED)
    assert.deepEqual([busy['logger_queue_size'], busy['logger_records_lost']], [3, 9])
    assert.equal(keys(statusOf({ logQueue: { size: 3, lost: 0 } }), NOT_ASKED).includes('logger_records_lost'), false)
  })

  test('a planned restart is shown without the start time that is recorded with it', () => {
    const scheduledRestart = { schedule: '2030-01-01T00:00:00+00:00', postmaster_start_time: 'x', role: 'replica' }
    assert.deepEqual(document(statusOf({ scheduledRestart }), NOT_ASKED)['scheduled_restart'], {
      schedule: '2030-01-01T00:00:00+00:00',
      role: 'replica',
    })
  })

  test('2.4 times keep the offset of the server and print microseconds only where there are any', () => {
    const at = (postmasterStartTime: string) =>
      document(statusOf(), seen(primarySeen({ postmasterStartTime })))['postmaster_start_time']
    assert.equal(at('2024-08-28 19:39:26+05:30'), '2024-08-28 19:39:26+05:30')
    assert.equal(at('2024-08-28 19:39:26.5-03'), '2024-08-28 19:39:26.500000-03:00')
    assert.equal(at('infinity'), 'infinity')
  })
})

test('2.4 JSON is ASCII, with a blank after commas and colons', () => {
  assert.equal(
    spacedJson({ 'ä"': [1, 2.5, null, true, 'a, b: \u2028\u007f\ud83d\ude00'], o: {}, l: [] }),
    '{"\\u00e4\\"": [1, 2.5, null, true, "a, b: \\u2028\\u007f\\ud83d\\ude00"], "o": {}, "l": []}',
  )
})
