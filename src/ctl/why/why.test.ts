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
