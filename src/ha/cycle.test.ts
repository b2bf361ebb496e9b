import assert from 'node:assert/strict'
import { test } from 'node:test'
import { printJson } from '../cluster/json.ts'
import { lsn } from '../cluster/lsn.ts'
import { timeline } from '../cluster/timeline.ts'
import type { RuleId } from './messages.ts'
import { Scene, SYSTEM_ID } from './testing/scene.ts'

interface Case {
  readonly title: string
  readonly scene: (scene: Scene) => void
  readonly rule: RuleId
  /** What was done, among other things. */
  readonly did?: readonly string[]
  readonly didNot?: readonly string[]
  readonly said?: string
  readonly check?: (scene: Scene) => void
}

/** It was told to become a primary, and is not yet one. */
function promoting(scene: Scene): Scene {
  Object.assign(scene.server, { role: 'promoted', inRecovery: true })
  return scene
}

const CASES: readonly Case[] = [
  // -- 3.1 the store
  {
    title: '14.1 a replica waits when the store does not answer',
    scene: (s) => {
      s.leader('b').answers.load = 'unknown'
    },
    rule: 'store-inaccessible',
    didNot: ['stop'],
  },
  {
    title: '14.1 a primary ends when the store does not answer',
    scene: (s) => {
      s.primary().answers.load = 'unknown'
    },
    rule: 'demoted-store-inaccessible',
    did: ['stop fast', 'start following nobody as replica'],
    didNot: ['release'],
  },
  {
    title: '14.1 in pause a primary goes on without the store',
    scene: (s) => {
      s.primary().config({ pause: true })
      s.ha.memory.settings = { ...s.ha.memory.settings, paused: true }
      s.answers.load = 'unknown'
    },
    rule: 'store-inaccessible',
    didNot: ['stop'],
  },
  {
    title: '14.1 an unknown answer to the renewal is not a lost lock',
    scene: (s) => {
      s.primary().answers.renew = 'unknown'
    },
    rule: 'demoted-store-inaccessible',
    did: ['stop fast'],
    didNot: ['stop immediate'],
  },
  // -- 3.7 data directory
  {
    title: '4.1 an empty member copies the leader',
    scene: (s) => {
      s.leader('b').server.directory = { kind: 'empty' }
      s.server.alive = false
    },
    rule: 'clone',
    did: ['clone', 'start following b as replica'],
  },
  {
    title: '4.1 an empty member copies a replica that offers itself',
    scene: (s) => {
      s.leader('b').member('c', { tags: { clonefrom: true } })
      Object.assign(s.server, { directory: { kind: 'empty' }, alive: false })
    },
    rule: 'clone',
    said: "bootstrapped from replica 'c'",
  },
  {
    title: '4.1 nobody has initialized: the one that creates the key does',
    scene: (s) => {
      s.newCluster()
    },
    rule: 'bootstrap',
    did: ['initialize ', 'bootstrap'],
  },
  {
    title: '4.1 another one was faster to initialize',
    scene: (s) => {
      s.newCluster().answers.initialize = 'refused'
    },
    rule: 'initialize-lost',
    didNot: ['bootstrap'],
  },
  {
    title: '4.1 a member that must not be promoted never initializes',
    scene: (s) => {
      s.newCluster().tags = { nofailover: true }
    },
    rule: 'wait-for-leader',
  },
  {
    title: '3.7 an empty directory gives the lock back',
    scene: (s) => {
      s.primary()
      Object.assign(s.server, { directory: { kind: 'empty' }, alive: false })
    },
    rule: 'lock-released-directory-empty',
    did: ['release'],
  },
  {
    title: '3.7 an unreadable directory is told, and nothing is done to it',
    scene: (s) => {
      s.leader('b')
      Object.assign(s.server, { directory: { kind: 'inaccessible', reason: 'EACCES' }, alive: false })
    },
    rule: 'directory-inaccessible',
    didNot: ['clone', 'remove'],
  },
  {
    title: '4.3 a new cluster is opened: identifier, configuration, leader key, in this order',
    scene: (s) => {
      s.primary().leader(null).keys.set('initialize', '')
      Object.assign(s.ha.memory.bootstrap, { active: true, result: true })
    },
    rule: 'initialized',
    check: (s) => {
      const order = s.calls.filter((call) => /^(initialize|config|take)/.test(call))
      assert.deepEqual(order, [`initialize ${SYSTEM_ID}`, 'config', 'take'])
    },
  },
  {
    title: '4.3 a member that was away while another one initialized takes nothing over',
    scene: (s) => {
      s.primary().leader('b').keys.set('initialize', '7999999999999999999')
      Object.assign(s.ha.memory.bootstrap, { active: true, result: true })
    },
    rule: 'bootstrap-failed',
    did: ['stop immediate', 'move data directory aside'],
    didNot: ['take', 'initialize', 'delete initialize'],
  },
  {
    title: '4.3 a failed initialization leaves no key behind',
    scene: (s) => {
      s.leader(null).stopped('shut down').keys.set('initialize', '')
      Object.assign(s.ha.memory.bootstrap, { active: true, result: false })
    },
    rule: 'bootstrap-failed',
    did: ['delete initialize', 'move data directory aside'],
  },
  // -- 3.8 system identifier
  {
    title: '3.8 data of another cluster ends the agent',
    scene: (s) => {
      s.leader('b').keys.set('initialize', '7999999999999999999')
    },
    rule: 'system-id-mismatch',
    said: 'CRITICAL system ID mismatch, node a belongs to a different cluster: 7999999999999999999 != 7000000000000000001',
  },
  {
    title: '3.8 a replica that no agent has touched joins nothing without a leader',
    scene: (s) => {
      s.keys.delete('initialize')
      s.server.callbackAttempted = false
    },
    rule: 'join-aborted',
    didNot: ['stop', 'initialize'],
  },
  // -- 3.9, 5.1 not running
  {
    title: '5.1 a crashed primary with the lock is started in place',
    scene: (s) => {
      s.primary().stopped('in production')
    },
    rule: 'start-in-place',
    did: ['renew', 'start as primary'],
  },
  {
    title: '5.1 a server that ended while it was promoted leaves the lock to somebody who can take over',
    scene: (s) => {
      s.leader('a').stopped('in archive recovery').peer('b')
      s.ha.memory.promotion.failed = true
    },
    rule: 'lock-released-promotion',
    did: ['release'],
    didNot: ['follow'],
  },
  {
    title: '5.1 a server that ended while it was promoted is tried again where nobody else can take over',
    scene: (s) => {
      s.leader('a').stopped('in archive recovery')
      s.ha.memory.promotion.failed = true
    },
    rule: 'start-readonly-with-lock',
    didNot: ['release'],
  },
  {
    title: '5.1 with primary_start_timeout 0 it fails over where somebody can take over',
    scene: (s) => {
      s.config({ primary_start_timeout: 0 }).primary().stopped('in production').peer('b')
    },
    rule: 'crashed-fail-over',
    did: ['release'],
    didNot: ['start as primary'],
  },
  {
    title: '5.1 with primary_start_timeout 0 and nobody else it starts all the same',
    scene: (s) => {
      s.config({ primary_start_timeout: 0 }).primary().stopped('shut down')
    },
    rule: 'start-readonly-with-lock',
  },
  {
    title: '5.1 a primary found stopped when the agent starts comes up in recovery first',
    scene: (s) => {
      s.primary().stopped('shut down')
      s.server.role = 'demoted'
    },
    rule: 'start-readonly-with-lock',
    did: ['start following nobody as replica'],
  },
  {
    title: '5.1 a crashed server without the lock gets a clean shutdown first, for the rewind',
    scene: (s) => {
      s.leader('b').stopped('in production')
    },
    rule: 'single-user-recovery',
    did: ['single user recovery'],
  },
  {
    title: '5.1 a stopped replica follows the leader',
    scene: (s) => {
      s.leader('b').stopped('shut down in recovery')
    },
    rule: 'start-secondary',
    did: ['start following b as replica'],
  },
  {
    title: '5.2 a server whose history has diverged is rewound',
    scene: (s) => {
      s.leader('b').stopped('shut down')
      Object.assign(s.server, { inRecovery: false, timeline: 1, lsn: 2000 })
      const history = [{ timeline: timeline(1), switchpoint: lsn(1500), reason: '' }]
      s.server.rewindSource = { kind: 'primary', timeline: timeline(2), lsn: lsn(5000), history }
    },
    rule: 'rewind',
    did: ['rewind'],
  },
  {
    title: '3.9 in pause a stopped primary stays stopped and gives the lock back',
    scene: (s) => {
      s.primary().config({ pause: true }).stopped('shut down')
    },
    rule: 'paused-lock-removed-not-running',
    did: ['release'],
    didNot: ['start'],
  },
  {
    title: '3.6 a start that failed gives the lock back',
    scene: (s) => {
      s.primary().stopped('in production')
      s.ha.memory.recovery.verifying = true
    },
    rule: 'lock-removed-start-failed',
    did: ['on_role_change demoted', 'release'],
  },
  // -- 6 the race
  {
    title: '6.5 nobody has the lock and nobody is ahead: take it and promote',
    scene: (s) => {
      s.leader(null)
        .peer('b')
        .peer('c', { lsn: lsn(900) })
    },
    rule: 'promote-by-acquiring',
    did: ['acquire', 'promote'],
  },
  {
    title: '6.3 another member is ahead',
    scene: (s) => {
      s.leader(null).peer('b', { lsn: lsn(1001) })
    },
    rule: 'follow-not-healthiest',
    didNot: ['acquire'],
    said: 'Wal position of b is ahead of my wal position',
  },
  {
    title: '6.3 the old primary still runs',
    scene: (s) => {
      s.leader(null).peer('b', { inRecovery: false, role: 'primary', lsn: lsn(0) })
    },
    rule: 'follow-not-healthiest',
    didNot: ['acquire'],
    said: 'Primary (b) is still alive',
  },
  {
    title: '6.3 too far behind what the last leader published',
    scene: (s) => {
      s.leader(null).keys.set('status', printJson({ optime: 5_000_000 }))
    },
    rule: 'follow-not-healthiest',
    said: 'My wal position exceeds maximum replication lag',
  },
  {
    title: '6.5 another member was faster',
    scene: (s) => {
      s.leader(null).answers.acquire = 'refused'
    },
    rule: 'follow-race-lost',
    didNot: ['promote'],
  },
  {
    title: '6.2 a member that must not be promoted follows',
    scene: (s) => {
      s.leader(null).tags = { nofailover: true }
    },
    rule: 'follow-not-allowed',
    didNot: ['acquire'],
  },
  {
    title: '6.2 a primary behind the history of the cluster does not take the lock back',
    scene: (s) => {
      s.primary()
        .leader(null)
        .keys.set('history', printJson([[1, 500, 'x', 't', 'b']]))
    },
    rule: 'demote-not-healthiest',
    did: ['stop immediate'],
    said: 'My timeline 1 is behind last known cluster timeline 2',
  },
  {
    title: '6.2 a primary whose key was lost takes the lock back',
    scene: (s) => {
      s.primary().leader(null)
    },
    rule: 'acquired-lock',
    did: ['acquire'],
    didNot: ['promote', 'stop'],
  },
  {
    title: '6.2 a required watchdog that does not work keeps out of the race',
    scene: (s) => {
      s.leader(null).fenceHealthy = false
    },
    rule: 'follow-not-healthiest',
    said: 'Watchdog device is not usable',
  },
  {
    title: '6.2 with synchronous replication only those in the key race',
    scene: (s) => {
      s.config({ synchronous_mode: true })
        .leader(null)
        .keys.set('sync', printJson({ leader: 'b', sync_standby: 'c', quorum: 0 }))
    },
    rule: 'follow-not-healthiest',
    didNot: ['acquire'],
  },
  {
    title: '12.4 a candidate that is ordered to by name takes over although it is behind',
    scene: (s) => {
      s.leader(null)
        .request({ member: 'a' })
        .keys.set('status', printJson({ optime: 5_000_000 }))
    },
    rule: 'promote-by-acquiring',
    did: ['failover'],
  },
  {
    title: '12.4 others let the candidate by name pass',
    scene: (s) => {
      s.leader(null).request({ leader: 'b', member: 'c' }).peer('c')
    },
    rule: 'follow-not-healthiest',
    didNot: ['acquire'],
    said: 'switchover: to c, i am a',
  },
  {
    title: '12.4 a candidate by name that must not be promoted is told, and the others race',
    scene: (s) => {
      s.leader(null)
        .request({ leader: 'b', member: 'c' })
        .member('c', { tags: { nofailover: true } })
        .peer('c', { tags: { nofailover: true } })
    },
    rule: 'promote-by-acquiring',
    said: 'WARNING switchover: member c is not allowed to promote',
  },
  {
    title: '12.4 a switchover planned for later does not steer a race before',
    scene: (s) => {
      s.leader(null).request({ leader: 'b', member: 'c', scheduled_at: '2030-01-01T00:00:00+00:00' }).peer('c')
    },
    rule: 'promote-by-acquiring',
  },
  {
    title: '11 in pause a replica never races',
    scene: (s) => {
      s.leader(null).config({ pause: true })
    },
    rule: 'no-action',
    didNot: ['acquire'],
  },
  // -- 7 locked
  {
    title: '7.1 a healthy primary renews and goes on',
    scene: (s) => {
      s.primary()
    },
    rule: 'leader-with-lock',
    did: ['renew', 'status 1000'],
  },
  {
    title: '7.1 a refused renewal ends a primary at once',
    scene: (s) => {
      s.primary().answers.renew = 'refused'
    },
    rule: 'demoted-renewal-refused',
    did: ['stop immediate'],
    said: 'ERROR failed to update leader lock',
  },
  {
    title: '11 in pause a primary goes on after a refused renewal',
    scene: (s) => {
      s.primary().config({ pause: true }).answers.renew = 'refused'
    },
    rule: 'paused-keep-primary-without-renewal',
    didNot: ['stop'],
  },
  {
    title: '7.1 a primary without the lock ends at once',
    scene: (s) => {
      s.primary().leader('b')
    },
    rule: 'demote-no-lock',
    did: ['stop immediate'],
  },
  {
    title: '7.1 a replica follows',
    scene: (s) => {
      s.leader('b')
    },
    rule: 'following-leader',
    didNot: ['start', 'reload', 'stop'],
  },
  {
    title: '7.4 a replica of somebody else is pointed at the leader by a reload',
    scene: (s) => {
      s.leader('b').server.difference = 'reload'
    },
    rule: 'following-leader',
    did: ['reload following b as replica'],
  },
  {
    title: '7.4 what needs a restart is restarted beside the loop',
    scene: (s) => {
      s.leader('b').server.difference = 'restart'
    },
    rule: 'following-leader',
    did: ['start following b as replica'],
  },
  {
    title: '7.3 a primary whose required fence cannot work ends',
    scene: (s) => {
      s.primary().fenceWorks = false
    },
    rule: 'demote-fence',
    did: ['stop immediate', 'release'],
  },
  {
    title: '9 a promotion under way whose required fence cannot work is ended with its server',
    scene: (s) => {
      promoting(s.primary()).fenceWorks = false
    },
    rule: 'demote-fence',
    did: ['stop immediate', 'release'],
  },
  {
    title: '9 a promotion under way is ended with its server when somebody else has the lock',
    scene: (s) => {
      promoting(s.leader('b'))
    },
    rule: 'demote-no-lock',
    did: ['stop immediate', 'start following b as replica'],
  },
  {
    title: '9 a promotion under way is ended with its server when the renewal is refused',
    scene: (s) => {
      promoting(s.primary()).answers.renew = 'refused'
    },
    rule: 'demoted-renewal-refused',
    did: ['stop immediate'],
  },
  {
    title: '9 a promotion under way is ended with its server when the store is away',
    scene: (s) => {
      promoting(s.primary()).answers.load = 'unknown'
    },
    rule: 'demoted-store-inaccessible',
    did: ['stop fast'],
  },
  {
    title: '11 and 7.4 in pause a primary without the lock goes on, also where its history is to be compared',
    scene: (s) => {
      s.primary().leader('b').config({ pause: true })
      s.ha.memory.wasPaused = true
      s.ha.memory.divergence.state = 'check'
    },
    rule: 'paused-primary-without-lock',
    didNot: ['stop', 'rewind'],
  },
  {
    title: '11 in pause a standby gives the lock back',
    scene: (s) => {
      s.leader('a').config({ pause: true })
    },
    rule: 'paused-lock-removed-not-primary',
    did: ['release'],
  },
  // -- 12 requests
  {
    title: '12.2 a switchover with a willing candidate demotes',
    scene: (s) => {
      s.primary().request({ leader: 'a', member: 'b' }).peer('b')
    },
    rule: 'demoting-for-request',
    did: ['stop fast', 'release', 'start following'],
  },
  {
    title: '12.2 a switchover to nobody is dismissed and its key blanked',
    scene: (s) => {
      s.primary().request({ leader: 'a', member: 'b' })
    },
    rule: 'leader-with-lock',
    did: ['failover'],
    didNot: ['stop'],
    said: 'switchover: no healthy members found, switchover is not possible',
  },
  {
    title: '12.2 a switchover of somebody else is dismissed',
    scene: (s) => {
      s.primary().request({ leader: 'c', member: 'b' }).peer('b')
    },
    rule: 'leader-with-lock',
    said: 'switchover: leader name does not match: c != a',
  },
  {
    title: '12.2 a switchover planned for later waits',
    scene: (s) => {
      s.primary().request({ leader: 'a', member: 'b', scheduled_at: '2026-01-02T13:00:00+00:00' }).peer('b')
    },
    rule: 'leader-with-lock',
    didNot: ['failover', 'stop'],
    said: 'Awaiting switchover at 2026-01-02T13:00:00+00:00 (in 3600 seconds)',
  },
  {
    title: '13.2 a plan that was missed is dropped',
    scene: (s) => {
      s.primary().request({ leader: 'a', member: 'b', scheduled_at: '2026-01-02T11:00:00+00:00' }).peer('b')
    },
    rule: 'leader-with-lock',
    did: ['failover'],
    said: 'Found a stale switchover value, cleaning up',
  },
  // -- 15 standby cluster
  {
    title: '15.2 the standby leader follows the remote primary and never promotes',
    scene: (s) => {
      s.config({ standby_cluster: { host: 'far' } }).leader('a').server.role = 'standby_leader'
    },
    rule: 'standby-leader-with-lock',
    didNot: ['promote'],
  },
  {
    title: '15.2 a replica in a standby cluster follows its standby leader',
    scene: (s) => {
      s.config({ standby_cluster: { host: 'far' } }).leader('b')
    },
    rule: 'following-standby-leader',
  },
]

for (const { title, scene, rule, did = [], didNot = [], said, check } of CASES) {
  test(`${title}: ${rule}`, async () => {
    const s = new Scene()
    scene(s)
    const result = await s.cycle()
    const story = `${result.text}\ncalls: ${s.calls.join(', ')}\n${s.log.join('\n')}`
    assert.equal(result.rule, rule, story)
    for (const call of did) assert.ok(s.did(call), `did not ${call}\n${story}`)
    for (const call of didNot) assert.ok(!s.did(call), `did ${call}\n${story}`)
    if (said !== undefined) assert.ok(s.said(said), `did not say ${said}\n${story}`)
    assert.ok(!s.said('BUG') && !s.said('Unexpected exception'), story)
    check?.(s)
  })
}
