import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CycleRecord, TimedEntry } from '../../ports/journal.ts'
import { type MemberJournal, mergedEvents } from './events.ts'
import { storyText } from './print.ts'
import { findStories, type Story } from './stories.ts'

let number = 0
const T0 = 1_800_000_000_000
const step = (at: number, kind: TimedEntry['kind'], what: string, detail?: TimedEntry['detail']): TimedEntry => ({
  at: T0 + at,
  kind,
  what,
  ...(detail === undefined ? {} : { detail }),
})
function cycle(at: number, rule: string, text: string, ...entries: TimedEntry[]): CycleRecord {
  number += 1
  return { number, at: T0 + at, until: T0 + at, times: 1, rule, text, tookMs: 1, entries }
}
const told = (...journals: MemberJournal[]): readonly Story[] => findStories(mergedEvents(journals))

const LOST = (owner: string) => ({ from: owner, to: null, ttlMs: 20_000 })
const N2: MemberJournal = {
  member: 'n2',
  records: [
    cycle(0, 'following-leader', 'no action', step(0, 'did', 'start agent')),
    cycle(
      60_100,
      'promote-by-acquiring',
      'promoted self to leader by acquiring session lock',
      step(60_000, 'saw', 'leader', LOST('n1')),
      step(60_010, 'considered', 'n1', { verdict: 'unreachable' }),
      step(60_010, 'considered', 'n3', { verdict: 'behind', lsn: 100, ownLsn: 150 }),
      step(60_020, 'asked', 'acquire lock', { answer: 'done', tookMs: 10 }),
      step(60_030, 'did', 'begin action', { action: 'promote' }),
    ),
    cycle(
      60_300,
      'leader-with-lock',
      'no action',
      step(60_200, 'did', 'end action', { action: 'promote', tookMs: 170 }),
    ),
  ],
}

test('a failover names the cause, the rule, who was considered and how long each step took', () => {
  const [story, ...more] = told(N2).filter(({ kind }) => kind !== 'restart')
  assert.deepEqual([story?.kind, story?.leaders, more.length], ['failover', { before: 'n1', after: 'n2' }, 0])
  const text = storyText(story as Story)
  for (const line of [
    'Why: n1 did not renew its lease of 20 s: its agent, its host or its way to the store was gone.',
    'Rule: promote-by-acquiring at n2 ("promoted self to leader by acquiring session lock")',
    'n1 does not answer (as n2 saw it)',
    'n3 is 50 bytes behind (as n2 saw it)',
    'Took 200 ms: from the first sign to a new primary',
    'Took 170 ms: n2: promote',
    'n3 is 50 bytes behind (as n2 saw it)',
  ])
    assert.ok(text.includes(line), `${line}\n--- in\n${text}`)
})

test('an earlier switchover is another story, even where the journal of the leader in between is gone', () => {
  const n1: MemberJournal = {
    member: 'n1',
    records: [
      cycle(
        0,
        'initialized',
        'initialized',
        step(-500, 'did', 'win initialize'),
        step(0, 'asked', 'take lock', { answer: 'done' }),
      ),
      cycle(
        30_000,
        'demoting-for-request',
        'switchover: demoting myself',
        step(30_000, 'did', 'accept request', { action: 'switchover', candidate: 'n9' }),
      ),
      cycle(
        31_000,
        'following-leader',
        'no action',
        step(31_000, 'saw', 'leader', { from: null, to: 'n9', ttlMs: 20_000 }),
      ),
    ],
  }
  const n2: MemberJournal = {
    member: 'n2',
    records: [
      cycle(
        60_100,
        'promote-by-acquiring',
        'promoted',
        step(60_000, 'saw', 'leader', LOST('n9')),
        step(60_020, 'asked', 'acquire lock', { answer: 'done', tookMs: 10 }),
      ),
    ],
  }
  assert.deepEqual(
    told(n1, n2).map(({ kind, leaders }) => [kind, leaders?.before, leaders?.after]),
    [
      ['bootstrap', null, 'n1'],
      ['switchover', 'n1', 'n9'],
      ['failover', 'n9', 'n2'],
    ],
  )
})

test('a demotion without a successor, a restart and a refusal are stories of their own', () => {
  const n1: MemberJournal = {
    member: 'n1',
    records: [
      cycle(
        0,
        'demoted-store-inaccessible',
        'demoted self because DCS is not accessible and I was a leader',
        step(-20, 'saw', 'store unreachable', { reason: 'timed out' }),
        step(-10, 'did', 'demote', { mode: 'offline' }),
      ),
      cycle(100_000, 'restart-initiated', 'restart initiated', step(100_000, 'did', 'restart')),
      cycle(
        200_000,
        'leader-with-lock',
        'no action',
        step(200_000, 'considered', 'n2', { verdict: 'too-far-behind', lsn: 1, ownLsn: 9 }),
        step(200_000, 'decided', 'refuse request', { because: 'no good candidates', leader: 'n1', candidate: 'n2' }),
      ),
    ],
  }
  const stories = told(n1)
  assert.deepEqual(
    stories.map(({ kind, subject }) => [kind, subject]),
    [
      ['demotion', 'n1'],
      ['restart', 'n1'],
      ['refusal', 'n1'],
    ],
  )
  assert.match(storyText(stories[0] as Story), /Why: n1 got no answer from the store/)
  assert.match(storyText(stories[2] as Story), /refused a request to switch over from n1 to n2: no good candidates/)
  assert.match(storyText(stories[2] as Story), /n2 is too far behind: 8 bytes/)
})

const GOT = { answer: 'done', tookMs: 10 }
const NOT_RUNNING = { role: 'primary', state: 'running', holdsLock: true }
/** The agent that was started after the lease guard had killed the primary. */
const STRUCK_N1: MemberJournal = {
  member: 'n1',
  records: [
    cycle(
      90_000,
      'start-secondary',
      'starting as a secondary',
      step(89_000, 'did', 'start agent'),
      step(89_100, 'saw', 'lease guard struck', { at: T0 + 58_500, pid: 7 }),
      step(89_200, 'saw', 'PostgreSQL is not running', { ...NOT_RUNNING, holdsLock: false }),
    ),
  ],
}

test('a leader whose journal does not say that it took the lock is the former leader all the same, and its strike the reason', () => {
  const n3: MemberJournal = {
    member: 'n3',
    records: [
      cycle(30_000, 'promote-by-acquiring', 'promoted', step(29_990, 'asked', 'acquire lock', GOT)),
      cycle(31_000, 'demoted', 'stopped', step(31_000, 'saw', 'leader', LOST('n3'))),
    ],
  }
  const story = told(STRUCK_N1, n3, N2).find(({ leaders }) => leaders?.after === 'n2')
  assert.deepEqual([story?.leaders?.before, story?.from], ['n1', T0 + 58_500])
  assert.match(storyText(story as Story), /^ {2}Why: The agent of n1 no longer renewed the lease: .* the lease guard/m)
})

test('a strike of the lease guard, told by the next agent, stands where it happened and is the reason', () => {
  const [, story] = told(STRUCK_N1, N2)
  const text = storyText(story as Story)
  assert.match(text, /^ {2}Why: The agent of n1 no longer renewed the lease: .* the lease guard killed PostgreSQL/m)
  assert.match(text, /^Failover at .*: n1 -> n2$/m)
  assert.equal(story?.from, T0 + 58_500)
  assert.match(text, /n1 {2}the lease guard killed PostgreSQL/)
})

test('a server that died and came back neither belongs to the failover before nor to the switchover after', () => {
  const n2: MemberJournal = {
    member: 'n2',
    records: [
      ...N2.records,
      cycle(70_100, 'start-in-place', 'starting', step(70_000, 'saw', 'PostgreSQL is not running', NOT_RUNNING)),
      cycle(72_000, 'leader-with-lock', 'no action', step(71_900, 'did', 'end action', { action: 'start', tookMs: 9 })),
      cycle(
        100_100,
        'demoting-for-request',
        'switchover: demoting myself',
        step(99_900, 'considered', 'n3', { verdict: 'fit' }),
        step(100_000, 'did', 'accept request', { action: 'switchover', candidate: 'n3' }),
      ),
    ],
  }
  const n3: MemberJournal = {
    member: 'n3',
    records: [cycle(101_000, 'promote-by-acquiring', 'promoted', step(100_900, 'asked', 'acquire lock', GOT))],
  }
  const stories = told(n2, n3).slice(-3)
  assert.deepEqual(
    stories.map(({ kind, about, from }) => [kind, about, from - T0]),
    [
      ['failover', undefined, 60_000],
      ['restart', 'PostgreSQL is not running', 70_000],
      ['switchover', undefined, 99_900],
    ],
  )
  assert.match(
    storyText(stories[1] as Story),
    /^PostgreSQL had ended at .*: n2\n {2}Why: PostgreSQL of n2 had ended although it was the primary\./,
  )
})

test('what a former leader found when it came back is no reason for the failover', () => {
  const n1: MemberJournal = {
    member: 'n1',
    records: [
      cycle(
        75_000,
        'start-secondary',
        'starting as a secondary',
        step(74_000, 'did', 'start agent'),
        step(74_100, 'saw', 'PostgreSQL is not running', { role: 'demoted', state: 'stopped', holdsLock: false }),
        step(74_200, 'decided', 'history diverged', { because: 'past-switch', switchpoint: 83886080 }),
        step(74_300, 'did', 'throw away WAL', {
          timeline: 1,
          from: 83886080,
          to: 100663456,
          bytes: 9,
          by: 'pg_rewind',
        }),
      ),
    ],
  }
  const text = storyText(told(n1, N2).at(-1) as Story)
  assert.match(text, /Why: n1 did not renew its lease of 20 s/)
  assert.match(text, /its WAL is not part of the leader's, from 0\/5000000 on/)
  assert.match(text, /gives up what only it has: WAL of timeline 1 from 0\/5000000 to 0\/60000A0, by pg_rewind/)
})

test('a leader that is lost without a successor is a story of its own, with the reason of each who stood back', () => {
  const standBack = (member: string, because: string): MemberJournal => ({
    member,
    records: [
      ...(member === 'n2' ? N2.records : []),
      cycle(
        90_000,
        'follow-not-allowed',
        'following a different leader',
        step(89_000, 'saw', 'leader', LOST('n2')),
        step(89_100, 'decided', 'stand back', { because }),
      ),
    ],
  })
  const n1 = standBack('n1', 'its tag nofailover forbids it')
  const n3 = standBack('n3', 'it is 5343992 bytes behind: more than maximum_lag_on_failover')
  const stories = told(N2, n1, n3)
  assert.deepEqual(
    stories.slice(-2).map(({ kind, subject }) => [kind, subject]),
    [
      ['failover', 'n1'],
      ['leaderless', 'n2'],
    ],
  )
  const text = storyText(stories.at(-1) as Story)
  assert.match(text, /^Leader lost, nobody took over at .*: n2\n {2}Why: n2 did not renew its lease/)
  assert.match(text, /^ {4}n1 did not stand for leader: its tag nofailover forbids it$/m)
  assert.match(
    text,
    /^ {4}n3 did not stand for leader: it is 5343992 bytes behind: more than maximum_lag_on_failover$/m,
  )
})

test('a request that was dismissed is not buried under the start of an agent', () => {
  const n1: MemberJournal = {
    member: 'n1',
    records: [
      cycle(0, 'following-leader', 'no action', step(0, 'did', 'start agent')),
      cycle(
        25_000,
        'leader-with-lock',
        'no action',
        step(24_990, 'considered', 'n2', { verdict: 'too-far-behind', lsn: 1, ownLsn: 9 }),
        step(25_000, 'did', 'dismiss request', { because: 'no healthy members found' }),
      ),
    ],
  }
  const stories = told(n1)
  assert.deepEqual(
    stories.map(({ kind }) => kind),
    ['restart', 'refusal'],
  )
  assert.match(storyText(stories[1] as Story), /Why: n1 dismissed a request: no healthy members found\./)
})
