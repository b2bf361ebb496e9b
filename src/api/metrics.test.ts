import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lsn } from '../cluster/lsn.ts'
import { timeline } from '../cluster/timeline.ts'
import type { MemberStatus } from '../ports/control.ts'
import { metricsText } from './metrics.ts'
import { FAILED, type Look, NOT_ASKED, takePicture } from './picture.ts'
import {
  HEALTHY_KEYS,
  primarySeen,
  replicaSeen,
  replicaStatus,
  settingsFrom,
  statusOf,
  viewOf,
} from './testing/fake-agent.ts'

/** Section 8, in order: name, type, help. */
const EXPECTED = `patroni_version gauge Patroni semver without periods.
patroni_postgres_running gauge Value is 1 if Postgres is running, 0 otherwise.
patroni_postmaster_start_time gauge Epoch seconds since Postgres started.
patroni_primary gauge Value is 1 if this node is the leader, 0 otherwise.
patroni_xlog_location counter Current location of the Postgres transaction log, 0 if this node is not the leader.
patroni_standby_leader gauge Value is 1 if this node is the standby_leader, 0 otherwise.
patroni_replica gauge Value is 1 if this node is a replica, 0 otherwise.
patroni_sync_standby gauge Value is 1 if this node is a sync standby, 0 otherwise.
patroni_quorum_standby gauge Value is 1 if this node is a quorum standby, 0 otherwise.
patroni_xlog_received_location counter Current location of the received Postgres transaction log, 0 if this node is not a replica.
patroni_xlog_replayed_location counter Current location of the replayed Postgres transaction log, 0 if this node is not a replica.
patroni_xlog_replayed_timestamp gauge Current timestamp of the replayed Postgres transaction log, 0 if null.
patroni_xlog_paused gauge Value is 1 if the Postgres xlog is paused, 0 otherwise.
patroni_postgres_streaming gauge Value is 1 if Postgres is streaming, 0 otherwise.
patroni_postgres_in_archive_recovery gauge Value is 1 if Postgres is replicating from archive, 0 otherwise.
patroni_postgres_server_version gauge Version of Postgres (if running), 0 otherwise.
patroni_cluster_unlocked gauge Value is 1 if the cluster is unlocked, 0 if locked.
patroni_failsafe_mode_is_active gauge Value is 1 if failsafe mode is active, 0 if inactive.
patroni_failsafe_mode_enabled gauge Value is 1 if failsafe_mode is enabled, 0 otherwise.
patroni_failsafe_member gauge Value is 1 if this node is a member of failsafe, 0 otherwise.
patroni_postgres_timeline gauge Postgres timeline of this node (if running), 0 otherwise.
patroni_dcs_last_seen gauge Epoch timestamp when DCS was last contacted successfully by Patroni.
patroni_pending_restart gauge Value is 1 if the node needs a restart, 0 otherwise.
patroni_is_paused gauge Value is 1 if auto failover is disabled, 0 otherwise.
patroni_postgres_state gauge Numeric representation of Postgres state.
patroni_failover_priority gauge Failover priority of this node.`.split('\n')

const VALUES =
  '# Values: 0=initdb, 1=initdb_failed, 2=custom_bootstrap, 3=custom_bootstrap_failed, 4=creating_replica, 5=running, 6=starting, 7=bootstrap_starting, 8=start_failed, 9=restarting, 10=restart_failed, 11=stopping, 12=stopped, 13=stop_failed, 14=crashed'

const seenPrimary: Look = { kind: 'observed', observation: primarySeen() }
const text = (status: MemberStatus, look: Look) => metricsText(takePicture(status, look))

/** Names without the prefix, to values; those that are 0 are left out. */
function samples(status: MemberStatus, look: Look): Record<string, string> {
  const found = [...text(status, look).matchAll(/^patroni_(\w+)\{[^}]*\} (.*)$/gm)].map((m) => [m[1], m[2]] as const)
  return Object.fromEntries(found.filter(([, value]) => value !== '0'))
}

test('8 names, order, types and help texts are those that dashboards know', () => {
  const lines = text(statusOf(), seenPrimary).split('\n')
  assert.equal(lines.pop(), '')
  const shown = lines.filter((line) => line.startsWith('# HELP') || line.startsWith('# TYPE'))
  const wanted = EXPECTED.flatMap((line) => {
    const [name, type, ...help] = line.split(' ')
    return [`# HELP ${name} ${help.join(' ')}`, `# TYPE ${name} ${type}`]
  })
  assert.deepEqual(shown, wanted)
  assert.equal(lines.length, 26 * 3 + 1)
  const values = lines.indexOf(VALUES)
  assert.match(lines[values - 1] ?? '', /^# HELP patroni_postgres_state /)
  assert.equal(lines[values + 1], '# TYPE patroni_postgres_state gauge')
  assert.equal(lines[2], 'patroni_version{scope="demo",name="n1"} 040104')
})

test('8 a primary', () => {
  assert.deepEqual(samples(statusOf(), seenPrimary), {
    version: '040104',
    postgres_running: '1',
    postmaster_start_time: '1724873966.352526',
    primary: '1',
    xlog_location: '67395656',
    postgres_server_version: '160004',
    postgres_timeline: '1',
    dcs_last_seen: '1692356718',
    postgres_state: '5',
    failover_priority: '1',
  })
})

test('8 a synchronous standby in a paused failsafe cluster', () => {
  const status = replicaStatus({
    settings: settingsFrom({ synchronous_mode: true, pause: true, failsafe_mode: true }),
    view: viewOf({ ...HEALTHY_KEYS, leader: '', sync: { leader: 'n1', sync_standby: 'n2' }, failsafe: { n2: 'u' } }),
    failsafeActive: true,
    pendingRestart: { a: { old_value: '1', new_value: '2' } },
    configuredTags: { failover_priority: 5 },
    localTimeline: timeline(3),
  })
  const look: Look = { kind: 'observed', observation: replicaSeen({ replayPaused: true, replayedLsn: lsn(1) }) }
  assert.deepEqual(samples(status, look), {
    version: '040104',
    postgres_running: '1',
    postmaster_start_time: '1724873966.352526',
    replica: '1',
    sync_standby: '1',
    xlog_received_location: '67395656',
    xlog_replayed_location: '1',
    xlog_replayed_timestamp: '1724874000',
    xlog_paused: '1',
    postgres_streaming: '1',
    postgres_server_version: '160004',
    cluster_unlocked: '1',
    failsafe_mode_is_active: '1',
    failsafe_mode_enabled: '1',
    failsafe_member: '1',
    postgres_timeline: '3',
    dcs_last_seen: '1692356718',
    pending_restart: '1',
    is_paused: '1',
    postgres_state: '5',
    failover_priority: '5',
  })
})

test('8 a standby leader', () => {
  const status = statusOf({ role: 'standby_leader', settings: settingsFrom({ standby_cluster: { host: 'x' } }) })
  const found = samples(status, {
    kind: 'observed',
    observation: replicaSeen({ walReceiver: null, hasRestoreCommand: true }),
  })
  const { standby_leader, primary, replica, postgres_in_archive_recovery } = found
  assert.deepEqual([standby_leader, primary, replica, postgres_in_archive_recovery], ['1', undefined, undefined, '1'])
})

test('8 without data the two states of replication are not shown at all, and before 9.6 neither', () => {
  const old = text(replicaStatus({ serverVersion: 90524 }), { kind: 'observed', observation: replicaSeen() })
  for (const shown of [text(statusOf(), FAILED), text(statusOf({ state: 'stopped' }), NOT_ASKED), old]) {
    assert.equal(shown.includes('patroni_postgres_streaming'), false)
    assert.equal(shown.includes('patroni_postgres_in_archive_recovery'), false)
  }
})

test('8 a server that does not answer has state -1 and is not running', () => {
  const found = samples(statusOf(), FAILED)
  assert.equal(found['postgres_state'], '-1')
  assert.equal(found['postgres_running'], undefined)
  assert.equal(found['primary'], '1')
  assert.equal(found['postgres_server_version'], undefined)
})

test('8 nofailover is priority 0, and the failsafe topology outlives the view', () => {
  const found = samples(statusOf({ configuredTags: { nofailover: true, failover_priority: 4 } }), NOT_ASKED)
  assert.equal(found['failover_priority'], undefined)
  const away = statusOf({ view: null, failsafeTopology: { n1: 'u' } })
  assert.equal(samples(away, NOT_ASKED)['failsafe_member'], '1')
})

test('21.21 labels are escaped', () => {
  const shown = text(statusOf({ name: 'a"b\\c\nd' }), NOT_ASKED)
  assert.match(shown, /^patroni_primary\{scope="demo",name="a\\"b\\\\c\\nd"\} 1$/m)
})
