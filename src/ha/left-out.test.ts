import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../cluster/json.ts'
import { printJson } from '../cluster/json.ts'
import { lsn } from '../cluster/lsn.ts'
import type { Instant } from '../cluster/time.ts'
import type { PeerStatus } from '../ports/peers.ts'
import { Scene } from './testing/scene.ts'

const url = (name: string): string => `http://${name}:8008/patroni`

/** Nobody has the lock, the last record of the failsafe mode names these members; `b` and `c` are behind. */
function scene(record: readonly string[], more: JsonObject = {}): Scene {
  const s = new Scene().config({ failsafe_mode: true, ...more }).leader(null)
  s.keys.set('failsafe', printJson(Object.fromEntries(record.map((name) => [name, url(name)]))))
  return s.peer('b', { lsn: lsn(900) }).peer('c', { lsn: lsn(900) })
}

const ANSWERS: readonly (readonly [title: string, answer: Partial<PeerStatus>, rule: string])[] = [
  ['is a standby', {}, 'promote-by-acquiring'],
  ['is a primary', { inRecovery: false }, 'follow-not-healthiest'],
  ['runs without a store, or consented that somebody does', { failsafeActive: true }, 'follow-not-healthiest'],
  ['does not answer', { kind: 'unreachable' }, 'follow-not-healthiest'],
  ['says that its server is stopped', { kind: 'unreachable', stopped: true }, 'promote-by-acquiring'],
]
for (const [title, answer, rule] of ANSWERS) {
  test(`6.2 and 14.3 who is not in the failsafe record asks everybody in it, and one of them ${title}`, async () => {
    const s = scene(['b', 'c'])
    s.peers.set('c', { ...s.peers.get('c'), ...answer } as PeerStatus)
    assert.equal((await s.cycle()).rule, rule)
  })
}

test('6.2 and 14.3 whoever the failsafe record names asks nobody for that', async () => {
  const s = scene(['a', 'b', 'c'])
  s.peers.clear()
  assert.equal((await s.cycle()).rule, 'promote-by-acquiring')
})

test('6.2 and 15 in a standby cluster nobody takes writes: the failsafe record keeps nobody from its lead', async () => {
  const s = scene(['b'], { standby_cluster: { host: 'far' } })
  s.peers.clear()
  assert.equal((await s.cycle()).rule, 'standby-leader-by-acquiring')
})

test('6.3 nobody stands back for the priority of a member that stands back itself, not being in the failsafe record', async () => {
  const s = scene(['a', 'b']).peer('c', { tags: { failover_priority: 5 } })
  assert.equal((await s.cycle()).rule, 'follow-not-healthiest', 'b answers, so c takes over')
  s.peers.delete('b')
  assert.equal((await s.cycle()).rule, 'promote-by-acquiring')
})

test('12.4 and 14.3 an ordered failover past the failsafe record says who may be a primary without a store', async () => {
  const warning = (who: string): string => `WARNING manual failover: ${who} does not answer and may be a primary`
  const s = scene(['b', 'c']).request({ member: 'a' })
  s.peers.delete('c')
  assert.equal((await s.cycle()).rule, 'promote-by-acquiring')
  assert.ok(s.said(warning('c')) && !s.said(warning('b')))
  const named = scene(['a', 'c']).request({ member: 'a' })
  named.peers.delete('c')
  assert.equal((await named.cycle()).rule, 'promote-by-acquiring')
  assert.ok(!named.said(warning('c')), 'it would have been asked for its consent')
})

test('12.4 a candidate that may not take over says so and takes the request back: the others wait for it', async () => {
  const leftOut = scene(['b', 'c']).request({ leader: 'b', member: 'a' })
  leftOut.peers.delete('c')
  const sync = scene(['a'], { synchronous_mode: true }).request({ leader: 'b', member: 'a' })
  sync.keys.set('sync', printJson({ leader: 'b', quorum: 0, sync_standby: 'c' }))
  for (const [s, because] of [
    [leftOut, 'the failsafe record of the last leader does not name it, and c may be a primary without a store'],
    [sync, 'it is no synchronous standby'],
  ] as const) {
    assert.equal((await s.cycle()).rule, 'follow-not-healthiest')
    assert.ok(s.said(`WARNING switchover: I do not take over, because ${because}; anybody else may`), s.log.join('\n'))
    assert.equal(s.keys.get('failover'), '{}')
  }
})

test('6.2 and 14.3 an agent started a moment ago waits while one that it asks knows of a primary without a store', async () => {
  const s = scene(['a', 'b', 'c']).peer('b', { failsafeActive: true })
  Object.assign(s.ha.memory, { startedAt: s.nowMs as Instant })
  assert.equal((await s.cycle()).rule, 'follow-not-healthiest')
  s.peer('b')
  assert.equal((await s.cycle()).rule, 'promote-by-acquiring')
})

test('3.7 a server whose data are gone is told as stopped', async () => {
  const s = new Scene().leader('b')
  Object.assign(s.server, { alive: false, directory: { kind: 'inaccessible', reason: 'no such disk' } })
  assert.equal((await s.cycle()).rule, 'directory-inaccessible')
  assert.equal(s.server.state, 'stopped')
})
