import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lsn } from '../cluster/lsn.ts'
import type { SyncState } from '../cluster/sync-state.ts'
import { timeline } from '../cluster/timeline.ts'
import type { PeerStatus } from '../ports/peers.ts'
import { type Ballot, countVotes, standing } from './election.ts'

const OWN: Ballot = {
  name: 'b',
  lsn: lsn(100),
  timeline: timeline(1),
  priority: 1,
  quorum: null,
  syncLeader: null,
  formerLeader: 'a',
  reserved: null,
}

function standby(name: string, position: number, tags = {}): PeerStatus {
  return {
    kind: 'reachable',
    name,
    inRecovery: true,
    lsn: lsn(position),
    role: 'replica',
    timeline: timeline(1),
    tags,
    watchdogFailed: false,
  }
}

function primary(name: string): PeerStatus {
  return { ...standby(name, 0), inRecovery: false } as PeerStatus
}

const gone = (name: string): PeerStatus => ({ kind: 'unreachable', name })

function quorum(leader: string, voters: readonly string[], votes: number): SyncState {
  return { version: null, leader, voters, quorum: votes }
}

const ASYNCHRONOUS: readonly (readonly [
  title: string,
  answers: readonly PeerStatus[],
  own: Partial<Ballot>,
  won: boolean,
])[] = [
  ['nobody answers', [gone('a'), gone('c')], {}, true],
  ['everybody else is behind', [standby('c', 99)], {}, true],
  ['another one is as far with the same priority: the lock decides', [standby('c', 100)], {}, true],
  ['another one is ahead', [standby('c', 101)], {}, false],
  ['another one is as far with a higher priority', [standby('c', 100, { failover_priority: 2 })], {}, false],
  ['one with a higher priority is behind', [standby('c', 99, { failover_priority: 2 })], {}, true],
  [
    'the former leader is back as a standby with a higher priority',
    [standby('a', 100, { failover_priority: 2 })],
    {},
    true,
  ],
  ['one that must not be promoted is ahead', [standby('c', 101, { nofailover: true })], {}, true],
  ['one that is further on a timeline that has ended', [standby('c', 200)], { timeline: timeline(2) }, true],
  ['one that is on a newer timeline', [{ ...standby('c', 90), timeline: timeline(2) } as PeerStatus], {}, false],
  ['one that does not tell its timeline is ahead', [{ ...standby('c', 101), timeline: null } as PeerStatus], {}, false],
  ['a primary still runs', [gone('c'), primary('a')], {}, false],
  [
    'a primary still runs on a member that must not be promoted',
    [{ ...primary('a'), tags: { nofailover: true } } as PeerStatus],
    {},
    false,
  ],
]

for (const [title, answers, own, won] of ASYNCHRONOUS) {
  test(`6.3 ${title}: ${won ? 'race' : 'stand back'}`, () => {
    assert.equal(countVotes({ ...OWN, ...own }, answers).won, won)
  })
}

test('6.3 the former leader of synchronous replication may be ahead', () => {
  const counted = countVotes({ ...OWN, syncLeader: 'a' }, [standby('a', 200)])
  assert.equal(counted.won, true)
  assert.deepEqual(
    counted.notes.map((note) => note.text),
    ['Wal position of a is ahead of my wal position', 'Ignoring the former leader being ahead of us'],
  )
})

const QUORUM: readonly (readonly [title: string, name: string, answers: readonly PeerStatus[], won: boolean])[] = [
  ['one vote of two', 'b', [gone('a'), standby('c', 100), gone('d')], false],
  ['two votes of two', 'b', [gone('a'), standby('c', 100), standby('d', 90)], true],
  ['an outsider with two votes starts one behind', 'e', [standby('b', 100), standby('c', 100)], false],
  ['an outsider with three votes', 'e', [standby('b', 100), standby('c', 100), standby('d', 100)], true],
  ['the leader of the sync key, back and alone', 'a', [gone('b'), gone('c')], true],
]

test('6.3 a member that is further, on a timeline that is said to have ended, neither blocks nor gives a vote', () => {
  const sync = quorum('a', ['b', 'c'], 1)
  const own = { ...OWN, timeline: timeline(2), quorum: sync, syncLeader: 'a' }
  assert.equal(countVotes(own, [gone('a'), standby('c', 101)]).won, false)
  assert.equal(countVotes(own, [gone('a'), standby('c', 100)]).won, true)
  assert.equal(countVotes(own, [standby('a', 101), standby('c', 100)]).won, true)
  assert.equal(countVotes({ ...own, quorum: quorum('a', [], 0) }, [standby('a', 101)]).won, false, 'an outsider')
})

test('6.3 where votes count, who does not tell its timeline gives none to who knows his, and the other way round', () => {
  const own = { ...OWN, quorum: quorum('a', ['b'], 0), name: 'c', syncLeader: 'a' }
  const silent = { ...standby('a', 90), timeline: null } as PeerStatus
  assert.equal(countVotes(own, [standby('a', 90)]).won, true)
  assert.equal(countVotes(own, [silent]).won, false, 'it may be behind on a timeline that it has just begun')
  assert.equal(countVotes({ ...own, timeline: null }, [standby('a', 90)]).won, false)
  assert.equal(countVotes({ ...own, timeline: null }, [silent]).won, true, 'positions alone are compared')
})

for (const [title, name, answers, won] of QUORUM) {
  test(`6.3 quorum of two out of a; b, c, d: ${title}: ${won ? 'race' : 'stand back'}`, () => {
    const sync = quorum('a', ['b', 'c', 'd'], 2)
    assert.equal(countVotes({ ...OWN, name, quorum: sync, syncLeader: 'a' }, answers).won, won)
  })
}

test('6.3 who was elected by the sync key does not wait for a timeline that its election had passed over (seed 32000364)', () => {
  const on = (position: number, number: number): PeerStatus =>
    ({ ...standby('a', position), timeline: timeline(number) }) as PeerStatus
  const own: Ballot = {
    ...OWN,
    timeline: timeline(9),
    reserved: timeline(11),
    quorum: quorum('b', ['a', 'c'], 1),
    syncLeader: 'b',
  }
  const wins = (peer: PeerStatus, changes: Partial<Ballot> = {}): boolean =>
    countVotes({ ...own, ...changes }, [peer]).won
  assert.equal(wins(on(50, 10)), true)
  assert.equal(standing(on(50, 10), own), 'passed-over')
  assert.equal(standing(on(50, 11), own), 'ahead')
  assert.ok(
    countVotes(own, [on(50, 10)]).notes.some(
      ({ text }) => text === 'Ignoring timeline 10 of a: it was passed over when this node was elected',
    ),
  )
  assert.equal(wins(on(50, 11)), false, 'somebody has begun the timeline that was reserved, or a later one')
  assert.equal(wins(on(101, 10)), false, 'it may hold what was lost here since')
  assert.equal(wins(on(50, 10), { reserved: null }), false, 'nobody knows whether it was passed over')
  assert.equal(wins(on(50, 10), { quorum: quorum('a', ['b', 'c'], 1), syncLeader: 'a' }), false, 'another was elected')
  assert.equal(wins(on(50, 10), { quorum: quorum('c', ['a', 'b'], 1), syncLeader: 'c' }), false, 'another was elected')
})
