import { printNames } from '../cluster/values.ts'

/**
 * The result line of a cycle, by the rule that gave it. Rules are stable names: the journal and `why` refer to them.
 * Texts are interface: tools outside match them literally (spec ha.md 21.2), so nothing else builds them and nothing
 * reads them back.
 */
const TEXTS = {
  busy: (wanted: string, running: string) => `Failed to run ${wanted}, ${running} is already in progress`,
  // 3.3 long action running
  'kept-lock-during-action': (action: string) => `updated leader lock during ${action}`,
  'action-in-progress': (action: string) => `${action} in progress`,
  'promotion-cancelled-lock-lost': () => 'lost leader before promote',
  'lock-lost-during-action': (action: string) => `lost leader lock during ${action}`,
  'crash-recovery-too-slow': () => 'terminated crash recovery because of startup timeout',
  // 3.4 still starting
  'lock-lost-while-starting': () => 'stopped PostgreSQL while starting up because leader key was lost',
  'start-too-slow': () => 'stopped PostgreSQL because of startup timeout',
  'start-too-slow-alone': () => 'primary start has timed out, but continuing to wait because failover is not possible',
  'still-starting': (seconds: number) => `PostgreSQL is still starting up, ${seconds} seconds until timeout`,
  // 3.6 after a recovery attempt
  'lock-removed-start-failed': () => 'removed leader key after trying and failing to start postgres',
  'start-failed': () => 'failed to start postgres',
  // 3.7 data directory
  'lock-released-directory-empty': () => 'released leader key voluntarily as data dir empty and currently leader',
  'lock-released-directory-inaccessible': () =>
    'released leader key voluntarily as data dir not accessible and currently leader',
  'directory-inaccessible': (reason: string) => `data directory is not accessible: ${reason}`,
  'paused-directory-empty': () => 'running with empty data directory',
  // 3.8 system identifier
  'system-id-invalid': () =>
    'data dir for the cluster is not empty, but system ID is invalid; consider doing reinitialize',
  'lock-released-system-id': () => 'released leader key voluntarily due to the system ID mismatch',
  'system-id-mismatch': () => 'system ID mismatch',
  'join-aborted': () => 'No initialize key in DCS and PostgreSQL is running as replica, aborting start',
  // 3.9 not running
  'paused-lock-removed-not-running': () => 'removed leader lock because postgres is not running',
  'paused-not-running': () => 'postgres is not running',
  'copying-slots': (slots: readonly string[]) => `Copying logical slots ${printNames(slots)} from the primary`,
  // 3.12 errors
  'postgres-error': () => 'Error communicating with PostgreSQL. Will try again later',
  unexpected: () => 'Unexpected exception raised, please report it as a BUG',
  // 4 bootstrap
  bootstrap: () => 'trying to bootstrap a new cluster',
  'bootstrap-standby-leader': () => 'trying to bootstrap a new standby leader',
  'initialize-lost': () => 'failed to acquire initialize lock',
  clone: (from: string) => `trying to bootstrap ${from}`,
  'wait-for-leader': () => 'waiting for leader to bootstrap',
  'wait-for-standby-leader': () => 'waiting for standby_leader to bootstrap',
  'bootstrap-recovering': () => 'waiting for end of recovery after bootstrap',
  'post-bootstrap': () => 'running post_bootstrap',
  initialized: () => 'initialized a new cluster',
  'bootstrap-failed': () => 'Failed to bootstrap cluster',
  // 5 recover
  'crashed-fail-over': () => 'stopped PostgreSQL to fail over after a crash',
  'start-in-place': () => 'starting primary after failure',
  'single-user-recovery': () => 'doing crash recovery in a single user mode',
  rewind: (from: string) => `running pg_rewind from ${from}`,
  'reinitialize-diverged': () => 'reinitializing due to diverged timelines',
  'start-readonly-with-lock': () => 'starting as readonly because i had the session lock',
  'start-standby-leader-with-lock': () => 'starting as a standby leader because i had the session lock',
  'follow-remote-unhealthy': () => 'trying to follow a remote member because standby cluster is unhealthy',
  'start-secondary': () => 'starting as a secondary',
  // 6 race
  'race-backoff': (name: string, seconds: number) =>
    `My (${name}) wal position moved since last heart beat loop, ${seconds} seconds until leader race`,
  'acquired-lock': () => 'acquired session lock as a leader',
  'promote-by-acquiring': () => 'promoted self to leader by acquiring session lock',
  'standby-leader-by-acquiring': () => 'promoted self to a standby leader by acquiring session lock',
  'demoted-race-lost': () => 'demoted self after trying and failing to obtain lock',
  'follow-race-lost': () => 'following new leader after trying and failing to obtain lock',
  'demote-not-allowed': () => 'demoting self because I am not allowed to become primary',
  'follow-not-allowed': () => 'following a different leader because I am not allowed to promote',
  'demote-not-healthiest': () => 'demoting self because i am not the healthiest node',
  'follow-not-healthiest': () => 'following a different leader because i am not the healthiest node',
  // 7 locked
  'waiting-to-become-primary': () => 'waiting to become primary after promote...',
  'paused-lock-removed-not-primary': () => 'removed leader lock because postgres is not running as primary',
  'paused-keep-primary-without-renewal': () => 'continue to run as primary after failing to update leader lock in DCS',
  'demoted-renewal-refused': () => 'demoted self because failed to update leader lock in DCS',
  'not-promoting-renewal-refused': () => 'not promoting because failed to update leader lock in DCS',
  'leader-with-lock': (name: string) => `no action. I am (${name}), the leader with the lock`,
  'standby-leader-with-lock': (name: string) => `no action. I am (${name}), the standby leader with the lock`,
  'promote-with-lock': () => 'promoted self to leader because I had the session lock',
  'standby-leader-had-lock': () => 'promoted self to a standby leader because i had the session lock',
  'following-leader': (name: string, leader: string) =>
    `no action. I am (${name}), a secondary, and following a leader (${leader})`,
  'following-standby-leader': (name: string, leader: string) =>
    `no action. I am (${name}), a secondary, and following a standby leader (${leader})`,
  'demote-no-lock': () => 'demoting self because I do not have the lock and I was a leader',
  'not-primary-in-standby-cluster': () => 'cannot be a real primary in a standby cluster',
  'not-primary-following-remote': () => 'cannot be a real primary in standby cluster',
  'demote-fence': () => 'Demoting self because watchdog could not be activated',
  'not-promoting-fence': () => 'Not promoting self because watchdog could not be activated',
  'pre-promote-failed': () => 'Promotion cancelled because the pre-promote script failed',
  'promotion-postponed-sync': () =>
    'Postponing promotion because synchronous replication state was updated by somebody else',
  'promotion-postponed-timeline': () => 'Postponing promotion because its timeline could not be reserved in DCS',
  'lock-released-promotion': () => 'released leader key voluntarily as PostgreSQL ended while it was promoted',
  'lock-released-found': (reason: string) => `released the leader key, which was not of our taking: ${reason}`,
  'stopped-idle-primary': () => 'stopped PostgreSQL because it holds the lock and serves nobody',
  'paused-primary-without-lock': () => 'continue to run as primary without lock',
  'no-action': (name: string) => `no action. I am (${name})`,
  'old-standby-leader': () => 'continue following the old known standby leader',
  // 12, 13
  'demoting-for-request': (action: string) => `${action}: demoting myself`,
  'restart-initiated': () => 'restart initiated',
  // 14
  'failsafe-primary': () =>
    'continue to run as a leader because failsafe mode is enabled and all members are accessible',
  'demoted-store-inaccessible': () => 'demoted self because DCS is not accessible and I was a leader',
  'store-inaccessible': () => 'DCS is not accessible',
} as const

export type RuleId = keyof typeof TEXTS
export const RULES = Object.keys(TEXTS) as readonly RuleId[]

/** How a cycle ended: which rule decided, and the line that says so. */
export interface CycleResult {
  readonly rule: RuleId
  readonly text: string
  /** The agent has to end: with this exit code, after the shutdown procedure. */
  readonly exit?: number
}

export function result<R extends RuleId>(rule: R, ...facts: Parameters<(typeof TEXTS)[R]>): CycleResult {
  const text = TEXTS[rule] as (...facts: readonly unknown[]) => string
  return { rule, text: text(...facts) }
}

/** Ends the agent after this cycle. */
export function fatal<R extends RuleId>(rule: R, ...facts: Parameters<(typeof TEXTS)[R]>): CycleResult {
  return { ...result(rule, ...facts), exit: 1 }
}

/** The quiet lines: nothing happened. Log thinning knows them (spec ha.md 21.2). */
export function isHeartbeat(rule: RuleId): boolean {
  return [
    'leader-with-lock',
    'standby-leader-with-lock',
    'following-leader',
    'following-standby-leader',
    'no-action',
  ].includes(rule)
}
