import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NOBODY } from './membership.ts'
import { Raft } from './raft.ts'
import { type Entry, type Message, type NodeId, nodeId, type Restored, type Snapshot } from './types.ts'

const [A, B, C, D] = ['a', 'b', 'c', 'd'].map(nodeId) as [NodeId, NodeId, NodeId, NodeId]

/** Members, their disks and a network that delivers at once whatever `cut` does not hold back. */
class Group {
  readonly rafts = new Map<NodeId, Raft>()
  readonly disks = new Map<NodeId, Restored>()
  readonly applied = new Map<NodeId, string[]>()
  readonly reads = new Map<number, number | null>()
  readonly cut = new Set<NodeId>()
  readonly seen: Message[] = []

  constructor(ids: readonly NodeId[], founders: readonly NodeId[] = ids) {
    const snapshot: Snapshot = { index: 1, term: 1, membership: { voters: founders, learners: [] }, data: '' }
    for (const id of ids) {
      const isFounder = founders.includes(id)
      this.disks.set(id, {
        hardState: { term: isFounder ? 1 : 0, vote: null },
        snapshot: isFounder ? snapshot : null,
        entries: [],
      })
      this.start(id)
    }
  }

  start(id: NodeId): Raft {
    const options = { id, heartbeatTicks: 2, electionTicks: 8, jitterTicks: 0, appendBytesMax: 1e6, random: () => 0.5 }
    const raft = new Raft(options, this.disks.get(id) as Restored)
    this.rafts.set(id, raft)
    this.applied.set(id, [])
    return raft
  }

  of(id: NodeId): Raft {
    return this.rafts.get(id) as Raft
  }

  /** Runs until nothing is left to do. */
  settle(): void {
    for (let busy = true; busy; ) {
      busy = false
      for (const [id, raft] of this.rafts) {
        const ready = raft.ready()
        if (!ready) continue
        busy = true
        this.#write(id, ready.hardState, ready.entries, ready.snapshot)
        for (const { body } of ready.committed) if (body.kind === 'command') this.applied.get(id)?.push(body.command)
        for (const { read, index } of ready.reads) this.reads.set(read, index)
        raft.advance()
        for (const message of [...ready.messages, ...ready.answers]) this.deliver(message)
      }
    }
  }

  deliver(message: Message): void {
    this.seen.push(message)
    if (!this.cut.has(message.from) && !this.cut.has(message.to)) this.rafts.get(message.to)?.step(message)
  }

  #write(id: NodeId, hardState: Restored['hardState'] | null, entries: readonly Entry[], fresh: Snapshot | null): void {
    const disk = this.disks.get(id) as Restored
    const base = fresh ? [] : disk.entries
    const first = entries[0]?.index ?? Number.POSITIVE_INFINITY
    this.disks.set(id, {
      hardState: hardState ?? disk.hardState,
      snapshot: fresh ?? disk.snapshot,
      entries: [...base.filter(({ index }) => index < first), ...entries],
    })
  }

  tick(times: number, ids: Iterable<NodeId> = this.rafts.keys()): void {
    const which = [...ids]
    for (let i = 0; i < times; i += 1) {
      for (const id of which) this.of(id).tick()
      this.settle()
    }
  }

  elect(id: NodeId): void {
    this.of(id).campaign()
    this.settle()
    assert.ok(this.of(id).isLeader, `${id} leads`)
  }

  propose(id: NodeId, command: string): void {
    assert.equal(this.of(id).propose(command).kind, 'accepted')
    this.settle()
  }
}

test('a member that hears no leader campaigns, wins with a majority, and its commands reach everybody', () => {
  const group = new Group([A, B, C])
  group.tick(8, [A])
  assert.ok(group.of(A).isLeader)
  group.propose(A, 'x')
  for (const id of [A, B, C]) assert.deepEqual(group.applied.get(id), ['x'])
  assert.equal(group.of(B).propose('y').kind, 'not-leader')
})

test('without a majority nothing is committed, and the leader steps down by itself', () => {
  const group = new Group([A, B, C])
  group.elect(A)
  group.cut.add(B).add(C)
  group.of(A).propose('lost')
  group.tick(20, [A])
  assert.ok(!group.of(A).isLeader)
  assert.deepEqual(group.applied.get(A), [])
})

test('a member that was cut off neither raises the term nor disturbs the leader when it is back', () => {
  const group = new Group([A, B, C])
  group.elect(A)
  const { term } = group.of(A)
  group.cut.add(C)
  group.tick(40)
  group.cut.clear()
  group.tick(40)
  assert.equal(group.of(A).term, term)
  assert.ok(group.of(A).isLeader)
})

test('a voter that has heard of the leader passes over requests for votes', () => {
  const group = new Group([A, B, C])
  group.elect(A)
  const term = group.of(B).term
  const body = { kind: 'vote', lastIndex: 99, lastTerm: 99, transfer: false } as const
  group.deliver({ from: C, to: B, term: term + 1, body })
  assert.equal(group.of(B).term, term)
})

test('nobody votes twice in a term, not even after a restart', () => {
  const group = new Group([A, B, C])
  const ask = (from: NodeId): void => {
    const body = { kind: 'vote', lastIndex: 9, lastTerm: 9, transfer: false } as const
    group.deliver({ from, to: C, term: 5, body })
    group.settle()
  }
  const granted = (): NodeId[] =>
    group.seen.flatMap(({ to, body }) => (body.kind === 'vote-answer' && body.granted ? [to] : []))
  group.rafts.delete(A)
  group.rafts.delete(B)
  ask(A)
  group.start(C)
  ask(B)
  ask(A)
  assert.deepEqual(granted(), [A, A])
})

test('a vote is not sent before it is to be written', () => {
  const group = new Group([A, B, C])
  const raft = group.of(C)
  raft.step({ from: A, to: C, term: 5, body: { kind: 'vote', lastIndex: 9, lastTerm: 9, transfer: false } })
  const ready = raft.ready()
  assert.deepEqual(ready?.hardState, { term: 5, vote: A })
  assert.deepEqual(ready?.messages, [])
  assert.equal(ready?.answers.length, 1)
})

test('who lacks committed entries is not elected', () => {
  const group = new Group([A, B, C])
  group.elect(A)
  group.cut.add(C)
  group.propose(A, 'x')
  group.cut.clear()
  group.cut.add(A)
  group.tick(9, [B, C])
  group.tick(9, [C])
  group.tick(9, [B])
  assert.ok(group.of(B).isLeader && !group.of(C).isLeader)
  assert.deepEqual(group.applied.get(C), ['x'])
})

test('entries of a former leader that were never committed give way to those of the new one', () => {
  const group = new Group([A, B, C])
  group.elect(A)
  group.cut.add(A)
  for (let i = 0; i < 5; i += 1) group.of(A).propose(`lost ${i}`)
  group.settle()
  group.tick(9, [B])
  group.tick(9, [C])
  group.tick(9, [B])
  const leader = group.of(B).isLeader ? B : C
  group.propose(leader, 'kept')
  group.cut.clear()
  group.tick(10)
  for (const id of [A, B, C]) assert.deepEqual(group.applied.get(id), ['kept'])
  assert.deepEqual(group.disks.get(A)?.entries, group.disks.get(leader)?.entries)
})

test('a read is answered after a majority has confirmed the leader, on a follower as well', () => {
  const group = new Group([A, B, C])
  group.elect(A)
  group.propose(A, 'x')
  group.of(B).read(1)
  group.settle()
  assert.equal(group.reads.get(1), group.of(A).status.committed)
  group.cut.add(B).add(C)
  group.of(A).read(2)
  group.tick(20, [A])
  assert.equal(group.reads.get(2), null, 'a leader cut off cannot answer')
})

test('the lead is handed over to whom it is transferred, without a pause', () => {
  const group = new Group([A, B, C])
  group.elect(A)
  group.of(A).propose('x')
  assert.ok(group.of(A).transfer(B))
  assert.equal(group.of(A).propose('y').kind, 'waiting')
  group.settle()
  assert.ok(group.of(B).isLeader)
  assert.deepEqual(group.applied.get(B), ['x'])
})

test('a transfer to somebody who does not answer is given up', () => {
  const group = new Group([A, B, C])
  group.elect(A)
  group.cut.add(B)
  group.of(A).transfer(B)
  group.tick(9, [A])
  assert.equal(group.of(A).propose('y').kind, 'accepted')
})

test('a connection that breaks does not make the leader forget where it looks for the common place', () => {
  const group = new Group([A, B, C])
  group.elect(A)
  for (let i = 0; i < 10; i += 1) group.propose(A, `${i}`)
  for (const id of [A, B, C]) group.of(id).compact(group.of(id).status.applied, 'state', 2)
  group.cut.add(C)
  assert.ok(group.of(A).transfer(B))
  group.settle()
  assert.ok(group.of(B).isLeader)
  group.of(B).reportLost(C)
  group.cut.clear()
  group.tick(6)
  assert.equal(group.of(C).status.committed, group.of(B).status.committed)
  assert.ok(group.seen.every(({ body }) => body.kind !== 'snapshot'))
})

test('a new member learns first, by a snapshot where the log is gone, and votes when promoted', () => {
  const group = new Group([A, B, C, D], [A, B, C])
  group.elect(A)
  for (let i = 0; i < 10; i += 1) group.propose(A, `${i}`)
  group.of(A).compact(group.of(A).status.applied, 'state', 2)
  assert.equal(group.of(A).proposeMembership({ kind: 'add-learner', id: D }).kind, 'accepted')
  group.settle()
  group.tick(10)
  assert.equal(group.disks.get(D)?.snapshot?.data, 'state')
  assert.equal(group.of(D).status.committed, group.of(A).status.committed)
  assert.equal(group.of(A).proposeMembership({ kind: 'promote', id: D }).kind, 'accepted')
  group.settle()
  assert.deepEqual(group.of(D).status.membership.voters, [A, B, C, D])
  group.cut.add(B).add(C)
  group.of(A).propose('two of four are no majority')
  group.settle()
  assert.ok(group.of(A).status.committed < group.of(A).status.lastIndex)
})

test('one change of membership at a time, and only after something of the term is committed', () => {
  const group = new Group([A, B, C, D], [A, B, C])
  group.elect(A)
  group.cut.add(B).add(C)
  assert.equal(group.of(A).proposeMembership({ kind: 'add-learner', id: D }).kind, 'accepted')
  assert.equal(group.of(A).proposeMembership({ kind: 'remove', id: C }).kind, 'waiting')
})

test('a leader that is removed sees it through, then steps down; the others go on', () => {
  const group = new Group([A, B, C])
  group.elect(A)
  assert.equal(group.of(A).proposeMembership({ kind: 'remove', id: A }).kind, 'accepted')
  group.settle()
  assert.ok(!group.of(A).isLeader)
  group.tick(9, [B])
  group.tick(9, [C])
  group.tick(9, [B])
  assert.ok(group.of(B).isLeader || group.of(C).isLeader)
  assert.deepEqual(group.of(B).status.membership.voters, [B, C])
  group.tick(40, [A])
  assert.equal(group.of(A).status.role, 'follower', 'who does not belong to the group does not campaign')
})

test('a group of one decides alone; a member of no group never campaigns', () => {
  const group = new Group([A, B], [A])
  group.tick(9)
  assert.ok(group.of(A).isLeader)
  group.propose(A, 'x')
  assert.deepEqual(group.applied.get(A), ['x'])
  assert.deepEqual(group.of(B).status.membership, NOBODY)
})

test('messages that come twice, late or from strangers change nothing', () => {
  const group = new Group([A, B, C])
  group.elect(A)
  for (let i = 0; i < 5; i += 1) group.propose(A, `${i}`)
  const before = [A, B, C].map((id) => group.of(id).status)
  for (const message of group.seen.slice()) group.deliver(message)
  group.settle()
  for (const message of group.seen.toReversed()) group.deliver({ ...message, from: D })
  group.settle()
  for (const [i, id] of [A, B, C].entries()) {
    assert.equal(group.of(id).status.committed, before[i]?.committed)
    assert.deepEqual(group.applied.get(id), ['0', '1', '2', '3', '4'])
  }
})

test('a leader whose removal reached nobody else is elected once more, and sees it through', () => {
  const group = new Group([A, B])
  group.elect(A)
  group.cut.add(B)
  assert.equal(group.of(A).proposeMembership({ kind: 'remove', id: A }).kind, 'accepted')
  group.settle()
  group.tick(30, [A])
  group.cut.clear()
  // B has the shorter log and cannot win; A has no vote any more by its own log.
  group.tick(60)
  assert.deepEqual(group.of(B).status.membership.voters, [B])
  assert.ok(group.of(B).isLeader)
})
