import assert from 'node:assert/strict'
import { test } from 'node:test'
import { printJson } from '../cluster/json.ts'
import { lsn } from '../cluster/lsn.ts'
import { isHeartbeat, result } from './messages.ts'
import { Scene } from './testing/scene.ts'

test('21.2 results of cycles are, to the letter, what tools outside look for', () => {
  const texts: readonly (readonly [actual: ReturnType<typeof result>, text: string])[] = [
    [result('busy', 'a', 'b'), 'Failed to run a, b is already in progress'],
    [result('kept-lock-during-action', 'promote'), 'updated leader lock during promote'],
    [result('action-in-progress', 'restart'), 'restart in progress'],
    [result('promotion-cancelled-lock-lost'), 'lost leader before promote'],
    [result('lock-lost-during-action', 'restart'), 'lost leader lock during restart'],
    [result('crash-recovery-too-slow'), 'terminated crash recovery because of startup timeout'],
    [result('lock-lost-while-starting'), 'stopped PostgreSQL while starting up because leader key was lost'],
    [result('start-too-slow'), 'stopped PostgreSQL because of startup timeout'],
    [
      result('start-too-slow-alone'),
      'primary start has timed out, but continuing to wait because failover is not possible',
    ],
    [result('still-starting', 7), 'PostgreSQL is still starting up, 7 seconds until timeout'],
    [result('lock-removed-start-failed'), 'removed leader key after trying and failing to start postgres'],
    [result('start-failed'), 'failed to start postgres'],
    [result('directory-inaccessible', 'why'), 'data directory is not accessible: why'],
    [result('paused-directory-empty'), 'running with empty data directory'],
    [
      result('system-id-invalid'),
      'data dir for the cluster is not empty, but system ID is invalid; consider doing reinitialize',
    ],
    [result('copying-slots', ['a', 'b']), "Copying logical slots ['a', 'b'] from the primary"],
    [result('postgres-error'), 'Error communicating with PostgreSQL. Will try again later'],
    [result('unexpected'), 'Unexpected exception raised, please report it as a BUG'],
    [result('clone', "from leader 'a'"), "trying to bootstrap from leader 'a'"],
    [result('wait-for-leader'), 'waiting for leader to bootstrap'],
    [result('rewind', 'a'), 'running pg_rewind from a'],
    [
      result('race-backoff', 'a', 3),
      'My (a) wal position moved since last heart beat loop, 3 seconds until leader race',
    ],
    [result('promote-by-acquiring'), 'promoted self to leader by acquiring session lock'],
    [result('promote-with-lock'), 'promoted self to leader because I had the session lock'],
    [result('follow-not-allowed'), 'following a different leader because I am not allowed to promote'],
    [result('follow-not-healthiest'), 'following a different leader because i am not the healthiest node'],
    [result('leader-with-lock', 'a'), 'no action. I am (a), the leader with the lock'],
    [result('following-leader', 'a', 'b'), 'no action. I am (a), a secondary, and following a leader (b)'],
    [result('no-action', 'a'), 'no action. I am (a)'],
    [result('demoting-for-request', 'switchover'), 'switchover: demoting myself'],
    [result('store-inaccessible'), 'DCS is not accessible'],
  ]
  for (const [actual, text] of texts) assert.equal(actual.text, text, actual.rule)
})

test('21.2 the quiet lines are those that begin with "no action"', () => {
  const quiet = [
    result('leader-with-lock', 'a'),
    result('standby-leader-with-lock', 'a'),
    result('following-leader', 'a', 'b'),
    result('following-standby-leader', 'a', 'b'),
    result('no-action', 'a'),
  ]
  for (const { rule, text } of quiet) assert.ok(isHeartbeat(rule) && text.startsWith('no action. I am ('), rule)
  assert.equal(isHeartbeat('promote-by-acquiring'), false)
})

test('21.1 who stands back in a race says why in the words that tools outside match', async () => {
  const ranked = new Scene().leader(null).peer('b', { tags: { failover_priority: 2 } })
  await ranked.cycle()
  assert.ok(
    ranked.said('INFO b has equally tolerable WAL position and priority 2, while this node has priority 1'),
    ranked.log.join('\n'),
  )
  const behind = new Scene().leader(null).peer('b', { lsn: lsn(2000) })
  await behind.cycle()
  assert.ok(behind.said('INFO Wal position of b is ahead of my wal position'))
})

test('21.3 lines that operators look for come with their level', async () => {
  const follower = new Scene().leader('b')
  await follower.cycle()
  assert.ok(follower.said('INFO Lock owner: b; I am a'))
  const empty = new Scene().leader('b')
  Object.assign(empty.server, { directory: { kind: 'empty' }, alive: false })
  await empty.cycle()
  assert.ok(empty.said('INFO Lock owner: b; I am a'), 'whom an empty member copies')
  const paused = new Scene().leader('b').config({ pause: true }).stopped('shut down')
  await paused.cycle()
  assert.ok(paused.said('INFO Lock owner: b; I am a'), 'who has the lock while this server is stopped in pause')
  const refused = new Scene().primary()
  refused.answers.renew = 'refused'
  await refused.cycle()
  for (const line of ['ERROR failed to update leader lock', 'INFO Demoting self (immediate-nolock)'])
    assert.ok(refused.said(line), line)
  const away = new Scene().primary()
  away.answers.load = 'unknown'
  await away.cycle()
  for (const line of [
    'ERROR Error communicating with DCS',
    'INFO demoting self because DCS is not accessible and I was a leader',
  ])
    assert.ok(away.said(line), `${line}\n${away.log.join('\n')}`)
  const down = new Scene().leader('b').stopped('shut down in recovery')
  await down.cycle()
  assert.ok(down.said('WARNING Postgresql is not running.'))
  const late = new Scene().leader(null)
  late.keys.set('status', printJson({ optime: 90_000_000 }))
  await late.cycle()
  assert.ok(late.said('INFO My wal position exceeds maximum replication lag'))
})
