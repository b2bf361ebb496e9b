import { INSTANCE_STATES } from '../cluster/instance.ts'
import { isObject } from '../cluster/json.ts'
import { failoverPriority } from '../cluster/tags.ts'
import { epochMs, parseTimestamp } from '../cluster/timestamp.ts'
import { lockOwner } from '../cluster/view.ts'
import type { MemberStatus } from '../ports/control.ts'
import { isRestartPending, type Picture, receivedLocation } from './picture.ts'

interface Metric {
  readonly name: string
  readonly type: 'gauge' | 'counter'
  readonly help: string
  /** `null`: not shown at all. */
  readonly value: (picture: Picture) => number | string | boolean | null
}

const STATE_VALUES =
  '# Values: 0=initdb, 1=initdb_failed, 2=custom_bootstrap, 3=custom_bootstrap_failed, 4=creating_replica, 5=running, 6=starting, 7=bootstrap_starting, 8=start_failed, 9=restarting, 10=restart_failed, 11=stopping, 12=stopped, 13=stop_failed, 14=crashed'

function gauge(name: string, help: string, value: Metric['value']): Metric {
  return { name, type: 'gauge', help, value }
}

function counter(name: string, help: string, value: Metric['value']): Metric {
  return { name, type: 'counter', help, value }
}

/** Names, order, types and help texts that dashboards know (spec rest-api.md 8). */
const METRICS: readonly Metric[] = [
  gauge('patroni_version', 'Patroni semver without periods.', ({ status }) => paddedVersion(status.version)),
  gauge('patroni_postgres_running', 'Value is 1 if Postgres is running, 0 otherwise.', (p) => p.state === 'running'),
  gauge('patroni_postmaster_start_time', 'Epoch seconds since Postgres started.', (p) =>
    epochSeconds(p.observation?.postmasterStartTime),
  ),
  gauge('patroni_primary', 'Value is 1 if this node is the leader, 0 otherwise.', (p) => p.role === 'primary'),
  counter(
    'patroni_xlog_location',
    'Current location of the Postgres transaction log, 0 if this node is not the leader.',
    ({ observation }) => (observation && !observation.inRecovery ? observation.primaryLsn : 0),
  ),
  gauge(
    'patroni_standby_leader',
    'Value is 1 if this node is the standby_leader, 0 otherwise.',
    (p) => p.role === 'standby_leader',
  ),
  gauge('patroni_replica', 'Value is 1 if this node is a replica, 0 otherwise.', (p) => p.role === 'replica'),
  gauge(
    'patroni_sync_standby',
    'Value is 1 if this node is a sync standby, 0 otherwise.',
    (p) => p.standby === 'sync_standby',
  ),
  gauge(
    'patroni_quorum_standby',
    'Value is 1 if this node is a quorum standby, 0 otherwise.',
    (p) => p.standby === 'quorum_standby',
  ),
  counter(
    'patroni_xlog_received_location',
    'Current location of the received Postgres transaction log, 0 if this node is not a replica.',
    ({ observation }) => (observation?.inRecovery ? receivedLocation(observation) : 0),
  ),
  counter(
    'patroni_xlog_replayed_location',
    'Current location of the replayed Postgres transaction log, 0 if this node is not a replica.',
    ({ observation }) => (observation?.inRecovery ? observation.replayedLsn : 0),
  ),
  gauge(
    'patroni_xlog_replayed_timestamp',
    'Current timestamp of the replayed Postgres transaction log, 0 if null.',
    ({ observation }) => epochSeconds(observation?.inRecovery ? observation.replayedAt : null),
  ),
  gauge(
    'patroni_xlog_paused',
    'Value is 1 if the Postgres xlog is paused, 0 otherwise.',
    ({ observation }) => observation?.inRecovery === true && observation.replayPaused,
  ),
  gauge('patroni_postgres_streaming', 'Value is 1 if Postgres is streaming, 0 otherwise.', (p) =>
    knowsReplicationState(p) ? p.replicationState === 'streaming' : null,
  ),
  gauge(
    'patroni_postgres_in_archive_recovery',
    'Value is 1 if Postgres is replicating from archive, 0 otherwise.',
    (p) => (knowsReplicationState(p) ? p.replicationState === 'in archive recovery' : null),
  ),
  gauge(
    'patroni_postgres_server_version',
    'Version of Postgres (if running), 0 otherwise.',
    ({ observation, status }) => (observation ? status.serverVersion : 0),
  ),
  gauge(
    'patroni_cluster_unlocked',
    'Value is 1 if the cluster is unlocked, 0 if locked.',
    ({ status }) => !status.view || lockOwner(status.view) === null,
  ),
  gauge(
    'patroni_failsafe_mode_is_active',
    'Value is 1 if failsafe mode is active, 0 if inactive.',
    ({ status }) => status.failsafeActive,
  ),
  gauge(
    'patroni_failsafe_mode_enabled',
    'Value is 1 if failsafe_mode is enabled, 0 otherwise.',
    ({ status }) => status.settings.failsafeMode,
  ),
  gauge('patroni_failsafe_member', 'Value is 1 if this node is a member of failsafe, 0 otherwise.', ({ status }) =>
    isFailsafeMember(status),
  ),
  gauge('patroni_postgres_timeline', 'Postgres timeline of this node (if running), 0 otherwise.', (p) =>
    p.observation ? (p.observation.inRecovery ? (p.status.localTimeline ?? 0) : p.observation.timeline) : 0,
  ),
  gauge(
    'patroni_dcs_last_seen',
    'Epoch timestamp when DCS was last contacted successfully by Patroni.',
    ({ status }) => status.dcsLastSeen,
  ),
  gauge('patroni_pending_restart', 'Value is 1 if the node needs a restart, 0 otherwise.', ({ status }) =>
    isRestartPending(status),
  ),
  gauge(
    'patroni_is_paused',
    'Value is 1 if auto failover is disabled, 0 otherwise.',
    ({ status }) => status.settings.paused,
  ),
  gauge('patroni_postgres_state', 'Numeric representation of Postgres state.', ({ state }) =>
    state === 'unknown' ? -1 : INSTANCE_STATES.indexOf(state),
  ),
  gauge('patroni_failover_priority', 'Failover priority of this node.', ({ status }) =>
    failoverPriority(status.configuredTags),
  ),
]

/** The body of `GET /metrics`, in the text format of Prometheus. */
export function metricsText(picture: Picture): string {
  const labels = `{scope="${label(picture.status.scope)}",name="${label(picture.status.name)}"}`
  return METRICS.map(({ name, type, help, value }) => {
    const sample = value(picture)
    if (sample === null) return ''
    const values = name === 'patroni_postgres_state' ? `${STATE_VALUES}\n` : ''
    const shown = typeof sample === 'boolean' ? Number(sample) : sample
    return `# HELP ${name} ${help}\n${values}# TYPE ${name} ${type}\n${name}${labels} ${shown}\n`
  }).join('')
}

function label(value: string): string {
  return value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))
}

function paddedVersion(version: string): string {
  return version
    .split('.')
    .map((part) => part.padStart(2, '0'))
    .join('')
}

function epochSeconds(text: string | null | undefined): number {
  const at = text ? parseTimestamp(text) : null
  return ((at && epochMs(at)) ?? 0) / 1000
}

function knowsReplicationState({ observation, status }: Picture): boolean {
  return observation !== null && status.serverVersion >= 90600
}

export function failsafeTopology(status: MemberStatus): MemberStatus['failsafeTopology'] {
  return status.failsafeTopology === undefined ? (status.view?.failsafe?.document ?? null) : status.failsafeTopology
}

function isFailsafeMember(status: MemberStatus): boolean {
  const topology = failsafeTopology(status)
  return isObject(topology) && Object.hasOwn(topology, status.name)
}
