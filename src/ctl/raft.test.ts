import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RaftAnswer, RaftMember } from './session.ts'
import { ORDERS, type TestWorld, testWorld } from './testing/world.ts'

const member = (address: string, changes: Partial<RaftMember> = {}): RaftMember => ({
  address,
  isVoter: true,
  isLeader: false,
  isThere: true,
  match: 120,
  ...changes,
})

/** A group of three whose answers to changes come from a list; `after` says what the group is like then. */
function groupWorld(answers: readonly RaftAnswer[], after: (asked: number) => readonly RaftMember[]): TestWorld {
  const world = testWorld({ orders: ORDERS })
  let asked = 0
  world.raft = {
    status: async () => ({
      self: 'a:1',
      role: 'leader',
      leader: 'a:1',
      term: 3,
      committed: 120,
      applied: 120,
      logLength: 20,
      members: after(asked),
    }),
    change: async () => answers[asked++] ?? { kind: 'refused', reason: 'asked too often' },
  }
  return world
}

const THREE = [
  member('a:1', { isLeader: true, match: null }),
  member('b:1'),
  member('c:1', { isThere: false, match: 80 }),
]

test('raft status shows who leads, who votes, who is there and how far each is', async () => {
  const { out, code } = await groupWorld([], () => THREE).run('raft', 'status')
  assert.equal(code, 0)
  assert.match(out, /\+ Raft group, term 3 -/)
  assert.match(out, /\| a:1 +\| Leader \| connected +\| 120 \|/)
  assert.match(out, /\| c:1 +\| Voter +\| not connected +\| +80 \|/)
})

test('raft add asks again until the member has a vote', async () => {
  const answers: RaftAnswer[] = [
    { kind: 'under way' },
    { kind: 'not now', reason: 'an earlier change is not settled yet' },
    { kind: 'refused', reason: 'd:1 belongs to the group already' },
  ]
  const world = groupWorld(answers, (asked) => [
    ...THREE,
    ...(asked > 0 ? [member('d:1', { isVoter: asked > 2 })] : []),
  ])
  const { out, code } = await world.run('raft', 'add', 'd:1')
  assert.equal(out, 'Success: d:1 is a voter of the group\n')
  assert.equal(code, 0)
})

test('raft remove and transfer tell when it is done; what cannot be done is an error', async () => {
  const removed = groupWorld([{ kind: 'under way' }], (asked) => (asked > 0 ? THREE.slice(0, 2) : THREE))
  assert.equal((await removed.run('raft', 'remove', 'c:1')).out, 'Success: c:1 does not belong to the group any more\n')
  const led = groupWorld([{ kind: 'under way' }], (asked) => [member('b:1', { isLeader: asked > 0 })])
  assert.equal((await led.run('raft', 'transfer', 'b:1')).out, 'Success: b:1 leads the group\n')
  const refused = groupWorld([{ kind: 'refused', reason: 'x:1 does not belong to the group' }], () => THREE)
  const { err, code } = await refused.run('raft', 'remove', 'x:1')
  assert.equal(err, 'Error: x:1 does not belong to the group\n')
  assert.equal(code, 1)
  assert.equal((await groupWorld([], () => THREE).run('raft', 'add')).code, 2)
})

test('a change that is never settled ends after half a minute with the last reason', async () => {
  const never: RaftAnswer[] = Array.from({ length: 200 }, () => ({ kind: 'not now', reason: 'too few are there' }))
  const { err, code } = await groupWorld(never, () => THREE).run('raft', 'remove', 'c:1')
  assert.equal(err, 'Error: c:1: too few are there. See matriarchctl raft status\n')
  assert.equal(code, 1)
})
