import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { JsonObject } from '../cluster/json.ts'
import { lsn } from '../cluster/lsn.ts'
import type { MemberStatus } from '../ports/control.ts'
import type { Observation } from '../ports/postgres.ts'
import { healthCode, isDecidedByLock } from './health.ts'
import { FAILED, type Look, NOT_ASKED, takePicture } from './picture.ts'
import { isLive, readiness } from './probes.ts'
import { parseTarget } from './request.ts'
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
const withSync = (mode: JsonObject) => ({
  settings: settingsFrom(mode),
  view: viewOf({ ...HEALTHY_KEYS, sync: { leader: 'n1', sync_standby: 'n2' } }),
})
const ON = { synchronous_mode: true }
const QUORUM = { synchronous_mode: 'quorum' }
const STANDBY = { standby_cluster: { host: '10.9.9.9' } }
const archive = replicaSeen({ walReceiver: null, hasRestoreCommand: true })
const noPosition = replicaSeen({
  walReceiver: { status: 'streaming', slotName: null, timeline: null, latestEndLsn: null },
})
const PAUSED = { settings: settingsFrom({ pause: true }), view: null, holdsLock: false }

const COLUMNS =
  '/ /leader /standby-leader /replica /read-only /sync /read-only-sync /quorum /read-only-quorum /async /health /readiness /liveness'.split(
    ' ',
  )

/** Section 6.3, column by column; + is 200. */
const TRUTH: readonly (readonly [node: string, status: MemberStatus, look: Look, row: string])[] = [
  ['primary with lock, running', statusOf(), seen(primarySeen()), '+ + . . + . + . + . + + +'],
  [
    'primary with lock, restarting',
    statusOf({ state: 'restarting' }),
    seen(primarySeen()),
    '+ + . . + . + . + . . + +',
  ],
  ['primary with lock, crashed', statusOf({ state: 'crashed' }), NOT_ASKED, '+ + . . + . + . + . . + +'],
  ['primary with lock, unreachable', statusOf(), FAILED, '+ + . . + . + . + . . + +'],
  ['lock held, still in recovery', statusOf({ role: 'promoted' }), seen(replicaSeen()), '+ + . + + . + . + + + + +'],
  ['asynchronous replica', replicaStatus(), seen(replicaSeen()), '. . . + + . . . . + + + +'],
  [
    'replica with noloadbalance',
    replicaStatus({ configuredTags: { noloadbalance: true } }),
    seen(replicaSeen()),
    '. . . . . . . . . . + + +',
  ],
  ['synchronous standby', replicaStatus(withSync(ON)), seen(replicaSeen()), '. . . + + + + . . . + + +'],
  ['quorum standby', replicaStatus(withSync(QUORUM)), seen(replicaSeen()), '. . . + + . . + + . + + +'],
  ['replica in archive recovery', replicaStatus(), seen(archive), '. . . + + . . . . + + . +'],
  ['replica, starting', replicaStatus({ state: 'starting' }), seen(replicaSeen()), '. . . . . . . . . . . . +'],
  ['replica, restarting', replicaStatus({ state: 'restarting' }), seen(replicaSeen()), '. . . . . . . . . . . . +'],
  ['replica, unknown', replicaStatus(), FAILED, '. . . . . . . . . . . . +'],
  [
    'standby leader with lock',
    statusOf({ role: 'standby_leader', settings: settingsFrom(STANDBY) }),
    seen(replicaSeen()),
    '. + + . + . + . + . + + +',
  ],
  [
    'replica in a standby cluster',
    replicaStatus({ settings: settingsFrom(STANDBY) }),
    seen(replicaSeen()),
    '. . . + + . . . . + + + +',
  ],
  ['running primary without lock', statusOf({ holdsLock: false }), seen(primarySeen()), '. . . . . . . . . . + . +'],
  // read-only-sync and read-only-quorum take the primary as well where the view is missing: section 21.11.
  ['no view, paused, primary', statusOf(PAUSED), seen(primarySeen()), '+ + . . + . + . + . + . +'],
  [
    'no view, paused, primary, crashed',
    statusOf({ ...PAUSED, state: 'crashed' }),
    NOT_ASKED,
    '+ + . . + . + . + . . . +',
  ],
  [
    'no view, paused, primary with lock',
    statusOf({ ...PAUSED, holdsLock: true }),
    seen(primarySeen()),
    '+ + . . + . + . + . + + +',
  ],
  [
    'no view, paused, standby leader',
    statusOf({ ...PAUSED, role: 'standby_leader', settings: settingsFrom({ ...STANDBY, pause: true }) }),
    seen(replicaSeen({ walReceiver: null })),
    '. + + . + . + . + . + . +',
  ],
  [
    'no view, failsafe active, lock held',
    statusOf({ view: null, failsafeActive: true }),
    seen(primarySeen()),
    '+ + . . + . + . + . + + +',
  ],
  ['no view, replica, position unknown', replicaStatus({ view: null }), seen(noPosition), '. . . + + . . . . . + . +'],
  ['no view, replica, position known', replicaStatus({ view: null }), seen(replicaSeen()), '. . . + + . . . . . + + +'],
  [
    'no view, replica, failsafe active',
    replicaStatus({ view: null, failsafeActive: true }),
    seen(noPosition),
    '. . . + + . . . . . + + +',
  ],
  ['stopped', replicaStatus({ state: 'stopped' }), NOT_ASKED, '. . . . . . . . . . . . +'],
  [
    'demoted',
    statusOf({ role: 'demoted', state: 'stopped', holdsLock: false }),
    NOT_ASKED,
    '. . . . . . . . . . . . +',
  ],
  ['creating replica', replicaStatus({ state: 'creating replica' }), NOT_ASKED, '. . . . . . . . . . . . +'],
  [
    'uninitialized',
    replicaStatus({ role: 'uninitialized', state: 'stopped', holdsLock: false }),
    NOT_ASKED,
    '. . . . . . . . . . . . +',
  ],
]

function isOk(path: string, status: MemberStatus, look: Look): boolean {
  const target = parseTarget(path)
  const picture = takePicture(status, look)
  if (target.segment === 'readiness') return readiness(picture, target.query).ready
  if (target.segment === 'liveness') return isLive(status, status.nextRunAt)
  return healthCode(target, picture) === 200
}

describe('6.3 truth table', () => {
  for (const [node, status, look, row] of TRUTH)
    test(node, () => {
      assert.equal(COLUMNS.map((path) => (isOk(path, status, look) ? '+' : '.')).join(' '), row)
    })
})

const REPLICA = [replicaStatus(), seen(replicaSeen())] as const
const PRIMARY = [statusOf(), seen(primarySeen())] as const
const SYNC_STANDBY = [replicaStatus(withSync(ON)), seen(replicaSeen())] as const

const PATHS: readonly (readonly [path: string, primary: boolean, replica: boolean, syncStandby: boolean])[] = [
  ['/', true, false, false],
  ['/primary', true, false, false],
  ['/master', true, false, false],
  ['/read-write', true, false, false],
  ['/primary/', true, false, false],
  ['/x/primary/y', true, false, false],
  ['/leader', true, false, false],
  ['/x-leader-y', true, false, false],
  ['/standby_leader', false, false, false],
  ['/standby-leader', false, false, false],
  ['/replica', false, true, true],
  ['/replica/', false, true, true],
  ['/read-only', true, true, true],
  ['/read-only/', true, true, true],
  ['/sync', false, false, true],
  ['/synchronous', false, false, true],
  ['/sync/', false, false, false],
  ['/x/sync', false, false, false],
  ['/async', false, true, false],
  ['/asynchronous', false, true, false],
  ['/async/', false, false, false],
  ['/quorum', false, false, false],
  ['/read-only-sync', true, false, true],
  ['/read-only-synchronous', true, false, true],
  ['/read-only-sync/', false, false, false],
  ['/read-only-quorum', true, false, false],
  ['/health', true, true, true],
  ['/healthz', true, true, true],
  ['/foo', false, false, false],
  ['/PRIMARY', false, false, false],
  ['/%70rimary', false, false, false],
]
describe('6.2 path matching', () => {
  for (const [path, primary, replica, syncStandby] of PATHS)
    test(`${path}: primary ${primary}, replica ${replica}, synchronous standby ${syncStandby}`, () => {
      assert.deepEqual(
        [isOk(path, ...PRIMARY), isOk(path, ...REPLICA), isOk(path, ...SYNC_STANDBY)],
        [primary, replica, syncStandby],
      )
    })
})

const OPTIME = 67395656
const behind = (bytes: number) => seen(replicaSeen({ replayedLsn: lsn(OPTIME - bytes), walReceiver: null }))
const aheadOfStatus = seen(
  replicaSeen({
    replayedLsn: lsn(OPTIME),
    walReceiver: { status: 'streaming', slotName: null, timeline: null, latestEndLsn: lsn(OPTIME + 2000) },
  }),
)
const LAGS: readonly (readonly [query: string, look: Look, view: boolean, ok: boolean])[] = [
  ['lag=100', behind(100), true, true],
  ['lag=100', behind(101), true, false],
  ['lag=1kB', behind(1024), true, true],
  ['lag=1kB', behind(1025), true, false],
  ['lag=1.5MB', behind(1572864), true, true],
  ['lag=16KB', behind(1e6), true, true],
  ['lag=1M', behind(1e6), true, true],
  ['lag=lots', behind(1e6), true, true],
  ['lag=', behind(1e6), true, true],
  ['lag=-1', behind(0), true, false],
  ['lag=1000', aheadOfStatus, true, false],
  ['lag=2000', aheadOfStatus, true, true],
  ['lag=1000', aheadOfStatus, false, false],
  ['lag=0', behind(1e6), false, true],
  ['lag=100&lag=999999999', behind(1000), true, false],
  ['replication_state=streaming', seen(replicaSeen()), true, true],
  ['replication_state=streaming', seen(archive), true, false],
  ['replication_state=in+archive+recovery', seen(archive), true, true],
  ['replication_state=in%20archive%20recovery', seen(archive), true, true],
  ['replication_state=nonsense', seen(replicaSeen()), true, false],
  ['other=1', seen(replicaSeen()), true, true],
]
describe('6.1 lag and state filters', () => {
  for (const [query, look, hasView, ok] of LAGS)
    test(`/replica?${query}${hasView ? '' : ' without a view'} is ${ok ? 200 : 503}`, () => {
      assert.equal(isOk(`/replica?${query}`, replicaStatus(hasView ? {} : { view: null }), look), ok)
      assert.equal(isOk(`/read-only?${query}`, replicaStatus(hasView ? {} : { view: null }), look), ok)
    })

  test('they do not touch a primary', () => {
    assert.equal(isOk('/read-only?lag=-1&replication_state=x', ...PRIMARY), true)
    assert.equal(isOk('/primary?lag=-1&replication_state=x', ...PRIMARY), true)
  })
})

const TAGS = {
  region: 'eu',
  zone: 1,
  ratio: 1.4,
  ssd: true,
  spinning: false,
  nofailover: false,
  clonefrom: true,
  nothing: null,
}
const TAG_CASES: readonly (readonly [query: string, ok: boolean])[] = [
  ['tag_region=eu', true],
  ['tag_region=EU', false],
  ['tag_region=eu&tag_zone=1', true],
  ['tag_region=eu&tag_zone=2', false],
  ['tag_ratio=1.4', true],
  ['tag_ssd=true', true],
  ['tag_ssd=True', false],
  ['tag_spinning=false', true],
  ['tag_nofailover=false', false],
  ['tag_clonefrom=true', true],
  ['tag_nothing=none', true],
  ['tag_absent=x', false],
  ['tag_region=', true],
  ['tag_constructor={}', false],
]
describe('6.2 tag filter', () => {
  for (const [query, ok] of TAG_CASES)
    test(`?${query} is ${ok ? 200 : 503}`, () => {
      const status = replicaStatus({ configuredTags: TAGS })
      for (const path of ['/replica', '/read-only', '/health', '/async'])
        assert.equal(isOk(`${path}?${query}`, status, seen(replicaSeen())), ok, path)
      const primary = statusOf({ configuredTags: TAGS })
      for (const path of ['/read-only', '/read-only-sync', '/read-only-quorum'])
        assert.equal(isOk(`${path}?${query}`, primary, seen(primarySeen())), ok, path)
      for (const path of ['/primary', '/leader'])
        assert.equal(isOk(`${path}?${query}`, primary, seen(primarySeen())), true)
    })

  test('it is the configured tags that count, not those of a standby that steps down', () => {
    const status = replicaStatus({ effectiveTags: { nosync: true } })
    assert.equal(isOk('/replica?tag_nosync=true', status, seen(replicaSeen())), false)
  })

  test('nofailover: false is kept beside a priority', () => {
    const status = replicaStatus({ configuredTags: { nofailover: false, failover_priority: 1 } })
    assert.equal(isOk('/replica?tag_nofailover=false', status, seen(replicaSeen())), true)
  })
})

describe('6.4 liveness', () => {
  const at = (status: MemberStatus, afterMs: number) =>
    isLive(status, (status.nextRunAt + afterMs) as typeof status.nextRunAt)
  test('a primary is given ttl, everybody else twice as long', () => {
    assert.equal(at(statusOf(), 29_999), true)
    assert.equal(at(statusOf(), 30_000), false)
    assert.equal(at(replicaStatus(), 59_999), true)
    assert.equal(at(replicaStatus(), 60_000), false)
    assert.equal(at(statusOf({ postmasterAlive: false }), 59_999), true)
    assert.equal(at(statusOf({ state: 'crashed' }), 59_999), true)
  })
  test('a paused cluster is alive', () => {
    assert.equal(at(statusOf({ settings: settingsFrom({ pause: true }) }), 1e9), true)
  })
})

const READY: readonly (readonly [title: string, status: MemberStatus, look: Look, query: string, answer: string])[] = [
  ['the lock is enough', statusOf({ state: 'crashed' }), NOT_ASKED, '', 'ready'],
  ['not running', replicaStatus({ state: 'starting' }), NOT_ASKED, '', 'PostgreSQL is not running'],
  ['no answer', replicaStatus(), FAILED, '', 'PostgreSQL replication state is not streaming'],
  ['from the archive', replicaStatus(), seen(archive), '', 'PostgreSQL replication state is not streaming'],
  [
    'before 9.6',
    replicaStatus({ serverVersion: 90524 }),
    seen(replicaSeen()),
    '',
    'PostgreSQL replication state is not streaming',
  ],
  ['no store', replicaStatus({ view: null }), seen(noPosition), '', 'DCS is not accessible'],
  ['no store, failsafe', replicaStatus({ view: null, failsafeActive: true }), seen(noPosition), '', 'ready'],
  ['at the limit', replicaStatus(), seen(replicaSeen({ replayedLsn: lsn(OPTIME - 1048576) })), '', 'ready'],
  [
    'beyond the limit',
    replicaStatus(),
    seen(replicaSeen({ replayedLsn: lsn(OPTIME - 1048577) })),
    '',
    'Replication apply lag 1048577 exceeds maximum allowable 1048576',
  ],
  [
    'the limit of the cluster',
    replicaStatus({ settings: settingsFrom({ maximum_lag_on_failover: 5 }) }),
    seen(replicaSeen({ replayedLsn: lsn(OPTIME - 6) })),
    '?lag=junk',
    'Replication apply lag 6 exceeds maximum allowable 5',
  ],
  [
    'the limit of the request',
    replicaStatus(),
    seen(replicaSeen({ replayedLsn: lsn(OPTIME - 11) })),
    '?lag=10',
    'Replication apply lag 11 exceeds maximum allowable 10',
  ],
  [
    'received counts for mode=write',
    replicaStatus(),
    seen(replicaSeen({ replayedLsn: lsn(1) })),
    '?mode=write&lag=0',
    'ready',
  ],
  [
    'received is behind',
    replicaStatus(),
    seen(replicaSeen({ receivedLsn: lsn(OPTIME - 3) })),
    '?mode=write&lag=0',
    'Replication write lag 3 exceeds maximum allowable 0',
  ],
  [
    'any other mode is apply',
    replicaStatus(),
    seen(replicaSeen({ receivedLsn: lsn(OPTIME - 3) })),
    '?mode=x&lag=0',
    'ready',
  ],
  [
    'noloadbalance plays no part',
    replicaStatus({ configuredTags: { noloadbalance: true } }),
    seen(replicaSeen()),
    '',
    'ready',
  ],
]
describe('6.5 readiness', () => {
  for (const [title, status, look, query, answer] of READY)
    test(`${title}: ${answer}`, () => {
      const verdict = readiness(takePicture(status, look), parseTarget(`/readiness${query}`).query)
      assert.equal(verdict.ready ? 'ready' : verdict.because, answer)
    })
})

test('a check that the lock decides has the same answer whether the server was seen or not', () => {
  for (const [, status, look] of TRUTH)
    for (const path of ['/', '/primary', '/master', '/read-write', '/leader', '/standby-leader', '/replica/primary']) {
      if (isDecidedByLock(parseTarget(path), status))
        assert.equal(isOk(path, status, look), isOk(path, status, FAILED), path)
    }
})
