import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { lsn } from '../cluster/lsn.ts'
import { version } from '../cluster/stored.ts'
import { later } from '../cluster/time.ts'
import { timeline } from '../cluster/timeline.ts'
import { type ClusterView, isEmptyView } from '../cluster/view.ts'
import type { Budget, Clock } from '../ports/clock.ts'
import type { Dcs, StoreEvent, StoreOutcome } from '../ports/dcs.ts'

/** What a suite needs of an adapter: fresh trees, members in them, and their clock. */
export interface StoreUnderTest {
  readonly clock: Clock
  /** Connects a member to the tree of that name; the same name again is the same tree. Closed by the suite. */
  readonly open: (tree: string, member: string) => Promise<Dcs>
  /** Lets so much time pass for the store and the members. */
  readonly pass: (ms: number) => Promise<void>
  /** The least ttl that the store accepts. */
  readonly ttlMs: number
  /** Rules of the suite, by title, that this store cannot keep, each with the reason. */
  readonly exceptions?: Readonly<Record<string, string>>
}

/**
 * What every store adapter must do, whatever it speaks (spec dcs.md 1.3 to 1.9). Each rule uses a tree of its own.
 * @param name of the adapter, for titles
 */
export function storeContract(name: string, make: () => Promise<StoreUnderTest>): void {
  for (const [title, run] of RULES) {
    test(`${name}: ${title}`, async (t) => {
      const store = await make()
      const reason = store.exceptions?.[title]
      if (reason !== undefined) {
        t.skip(reason)
        return
      }
      const opened: Dcs[] = []
      const tree = `contract-${title.replace(/[^a-z0-9]+/gi, '-').slice(0, 40)}-${Math.round(store.clock.wallMs())}`
      const world: World = {
        store,
        budget: (ms = 5000) => {
          const deadline = later(store.clock.now(), ms)
          const time = store.clock.deadline(deadline)
          after(time.done)
          return { deadline, signal: time.signal }
        },
        member: async (member) => {
          const dcs = await store.open(tree, member)
          opened.push(dcs)
          return dcs
        },
      }
      try {
        await run(world)
      } finally {
        await Promise.all(opened.map((dcs) => dcs.close()))
      }
    })
  }
}

interface World {
  readonly store: StoreUnderTest
  readonly budget: (ms?: number) => Budget
  readonly member: (name: string) => Promise<Dcs>
}

type Rule = (world: World) => Promise<void>

const RULES: readonly (readonly [string, Rule])[] = [
  ['1.2 a missing tree is an empty view, not an error', missingTree],
  ['1.3 acquire creates the lock; somebody else is refused', acquireOnce],
  ['1.3 acquire is refused where the sync key is not the one that decided the election', acquireByOldSync],
  ['1.3 acquire is refused where status is not the one that decided the election', acquireByOldStatus],
  ['1.3 acquire is refused where the failsafe record is not the one that decided the election', acquireByOldRecord],
  ['1.3 status, history and the failsafe record are written only by who has the lock', onlyTheHolder],
  ['1.3 of two members that race exactly one acquires', race],
  ['1.3 a member that holds the lock is refused by acquire or keeps it, and never loses it so', acquireTwice],
  ['1.3 renew keeps the lock under the same version or a newer one; sentAt is never after the call', renewKeeps],
  ['1.3 renew re-creates a lock that has vanished', renewRecreates],
  ['1.3 renew leaves a lock that has vanished alone where it may not create it', renewOnlyKeeps],
  ['1.3 renew is refused once somebody else has the lock', renewRefused],
  ['1.3 take writes the lock whoever has it', takeAnyway],
  ['1.3 release deletes only a lock of our own', releaseOwn],
  ['1.7 leader and member keys expire a ttl after the last renewal, not before', expiry],
  ['1.7 a member key lives as long as its member touches it', touchKeeps],
  ['1.8 a member reads its own writes at once', readYourWrites],
  ['1.3 config is written by compare-and-set on its version', compareAndSetConfig],
  ['1.3 failover is written by compare-and-set on its version, or whatever is there', compareAndSetFailover],
  ['1.3 sync is written by compare-and-set; the version returned serves for the next', compareAndSetSync],
  ['6.2 a first write of sync is refused where there is a key already', firstSync],
  ['1.3 sync is deleted by compare-and-set', deleteSync],
  ['1.3 initialize is created once, overwritten when asked to, and deleted', initialize],
  ['1.9 status, failsafe, history and the legacy position are kept as written', documents],
  ['1.3 delete cluster removes everything and leaves other trees alone', deleteCluster],
  ['1.8 the others hear of leader, config, failover and sync; nobody hears of his own writes', events],
  ['1.8 an update that keeps the value wakes nobody', silentUpdates],
  ['an operation ends with its budget and says unknown when that is over before it begins', deadBudget],
]

function value<T>(outcome: StoreOutcome<T>): T {
  if (outcome.kind !== 'done') assert.fail(`${outcome.kind}: ${outcome.reason}`)
  return outcome.value
}

async function viewOf(dcs: Dcs, budget: Budget): Promise<ClusterView> {
  return value(await dcs.load(budget))
}

/** What others wrote arrives by a watch, soon but not at once. */
async function eventually(world: World, dcs: Dcs, what: string, holds: (view: ClusterView) => boolean): Promise<void> {
  for (let i = 0; i < 200; i += 1) {
    if (holds(await viewOf(dcs, world.budget()))) return
    await world.store.pass(20)
  }
  assert.fail(`never came true: ${what}`)
}

async function missingTree(w: World): Promise<void> {
  const a = await w.member('a')
  assert.ok(isEmptyView(await viewOf(a, w.budget())))
}

async function acquireOnce(w: World): Promise<void> {
  const [a, b] = [await w.member('a'), await w.member('b')]
  const before = w.store.clock.now()
  const lease = value(await a.acquire(w.budget()))
  assert.ok(lease.sentAt <= w.store.clock.now() && lease.sentAt > before - w.store.ttlMs)
  assert.equal((await b.acquire(w.budget())).kind, 'refused')
  await eventually(w, b, 'b sees a as leader', (view) => view.leader?.name === 'a')
}

async function acquireByOldSync(w: World): Promise<void> {
  const [a, b] = [await w.member('a'), await w.member('b')]
  const first = value(await b.writeSync({ leader: 'b', voters: ['a'], quorum: 0 }, null, w.budget()))
  assert.equal((await a.acquire(w.budget(), { sync: null })).kind, 'refused', 'there was none')
  const second = value(await b.writeSync({ leader: 'b', voters: [], quorum: 0 }, first, w.budget()))
  assert.equal((await a.acquire(w.budget(), { sync: first })).kind, 'refused', 'it is another one')
  await eventually(w, a, 'a sees the sync key', ({ sync }) => sync.version === second)
  assert.equal((await viewOf(a, w.budget())).leader, null)
  value(await a.acquire(w.budget(), { sync: second }))
  value(await a.release(w.budget()))
  value(await b.deleteSync(second, w.budget()))
  value(await b.acquire(w.budget(), { sync: null, failsafe: null }))
}

async function acquireByOldStatus(w: World): Promise<void> {
  const [a, b] = [await w.member('a'), await w.member('b')]
  const reign = async (position: number): Promise<void> => {
    value(await b.acquire(w.budget()))
    value(await b.writeStatus({ lastLsn: lsn(position), slots: null, retainSlots: [] }, w.budget()))
    value(await b.release(w.budget()))
  }
  await reign(100)
  assert.equal((await a.acquire(w.budget(), { status: null })).kind, 'refused', 'there was none')
  await eventually(w, a, 'a sees the status', ({ status }) => status.lastLsn === 100)
  const first = (await viewOf(a, w.budget())).status.version
  await reign(200)
  assert.equal((await a.acquire(w.budget(), { status: first })).kind, 'refused', 'it is another one')
  await eventually(w, a, 'a sees the other status', ({ status, leader }) => status.lastLsn === 200 && leader === null)
  value(await a.acquire(w.budget(), { status: (await viewOf(a, w.budget())).status.version }))
}

async function acquireByOldRecord(w: World): Promise<void> {
  const [a, b] = [await w.member('a'), await w.member('b')]
  value(await b.acquire(w.budget()))
  value(await b.writeFailsafe({ a: 'http://a', b: 'http://b' }, w.budget()))
  value(await b.release(w.budget()))
  assert.equal((await a.acquire(w.budget(), { failsafe: null })).kind, 'refused', 'there was none')
  await eventually(w, a, 'a sees the record', ({ failsafe }) => failsafe !== null)
  const first = (await viewOf(a, w.budget())).failsafe?.version ?? null
  value(await b.acquire(w.budget()))
  value(await b.writeFailsafe({ b: 'http://b' }, w.budget()))
  value(await b.release(w.budget()))
  assert.equal((await a.acquire(w.budget(), { failsafe: first })).kind, 'refused', 'it is another one')
  await eventually(w, a, 'a sees the other record', ({ failsafe }) => failsafe?.version !== first)
  const { failsafe, leader } = await viewOf(a, w.budget())
  assert.equal(leader, null)
  value(await a.acquire(w.budget(), { failsafe: failsafe?.version ?? null }))
}

async function onlyTheHolder(w: World): Promise<void> {
  const [a, b] = [await w.member('a'), await w.member('b')]
  const status = (position: number) => ({ lastLsn: lsn(position), slots: null, retainSlots: [] })
  assert.equal((await a.writeStatus(status(1), w.budget())).kind, 'refused', 'nobody has the lock')
  value(await a.acquire(w.budget()))
  value(await a.writeStatus(status(2), w.budget()))
  value(await a.writeFailsafe({ a: 'http://a' }, w.budget()))
  assert.equal((await b.writeStatus(status(3), w.budget())).kind, 'refused', 'somebody else has it')
  assert.equal((await b.writeFailsafe({ b: 'http://b' }, w.budget())).kind, 'refused', 'somebody else has it')
  assert.equal((await b.writeHistory([], w.budget())).kind, 'refused', 'somebody else has it')
  await eventually(w, b, 'b sees the record', ({ failsafe }) => failsafe !== null)
  const view = await viewOf(b, w.budget())
  assert.equal(view.status.lastLsn, 2)
  assert.deepEqual(view.failsafe?.document, { a: 'http://a' })
  assert.equal(view.history, null)
}

async function race(w: World): Promise<void> {
  const members = [await w.member('a'), await w.member('b'), await w.member('c')]
  for (const winnerReleases of [true, true, false]) {
    const outcomes = await Promise.all(members.map((dcs) => dcs.acquire(w.budget())))
    assert.deepEqual(outcomes.map(({ kind }) => kind).sort(), ['done', 'refused', 'refused'])
    const winner = members[outcomes.findIndex(({ kind }) => kind === 'done')] as Dcs
    if (winnerReleases) value(await winner.release(w.budget()))
  }
}

async function acquireTwice(w: World): Promise<void> {
  const a = await w.member('a')
  value(await a.acquire(w.budget()))
  assert.notEqual((await a.acquire(w.budget())).kind, 'unknown')
  assert.equal((await viewOf(a, w.budget())).leader?.name, 'a')
}

async function renewKeeps(w: World): Promise<void> {
  const a = await w.member('a')
  value(await a.acquire(w.budget()))
  for (let i = 0; i < 3; i += 1) {
    await w.store.pass(10)
    const view = await viewOf(a, w.budget())
    const before = w.store.clock.now()
    const { sentAt } = value(await a.renew(view, w.budget()))
    assert.ok(sentAt >= before && sentAt <= w.store.clock.now(), 'counted from before the request left')
  }
  assert.equal((await viewOf(a, w.budget())).leader?.name, 'a')
}

async function renewRecreates(w: World): Promise<void> {
  const [a, b] = [await w.member('a'), await w.member('b')]
  value(await a.acquire(w.budget()))
  await eventually(w, a, 'a holds the lock', (view) => view.leader?.name === 'a')
  const view = await viewOf(a, w.budget())
  value(await b.deleteCluster(w.budget()))
  await eventually(w, a, 'the lock is gone', (now) => now.leader === null)
  value(await a.renew(view, w.budget()))
  await eventually(w, b, 'the lock is back', (now) => now.leader?.name === 'a')
}

async function renewOnlyKeeps(w: World): Promise<void> {
  const a = await w.member('a')
  value(await a.acquire(w.budget()))
  const view = await viewOf(a, w.budget())
  value(await a.renew(view, w.budget(), false))
  value(await a.release(w.budget()))
  assert.equal((await a.renew(view, w.budget(), false)).kind, 'refused')
  assert.equal((await viewOf(a, w.budget())).leader, null)
}

async function renewRefused(w: World): Promise<void> {
  const [a, b] = [await w.member('a'), await w.member('b')]
  value(await a.acquire(w.budget()))
  const view = await viewOf(a, w.budget())
  value(await b.take(w.budget()))
  // A store that tells of changes by a watch may answer from what it has heard, for the moment that this takes.
  await eventually(w, a, 'a sees b as leader', (now) => now.leader?.name === 'b')
  assert.equal((await a.renew(view, w.budget())).kind, 'refused', 'also by the view from before')
}

async function takeAnyway(w: World): Promise<void> {
  const [a, b] = [await w.member('a'), await w.member('b')]
  value(await a.take(w.budget()))
  value(await b.take(w.budget()))
  value(await b.take(w.budget()))
  await eventually(w, a, 'b is leader', (view) => view.leader?.name === 'b')
}

async function releaseOwn(w: World): Promise<void> {
  const [a, b] = [await w.member('a'), await w.member('b')]
  value(await a.acquire(w.budget()))
  await eventually(w, b, 'b sees the lock', (view) => view.leader?.name === 'a')
  assert.equal((await b.release(w.budget())).kind, 'refused')
  assert.equal((await viewOf(a, w.budget())).leader?.name, 'a')
  value(await a.release(w.budget()))
  assert.equal((await viewOf(a, w.budget())).leader, null)
  value(await b.acquire(w.budget()))
}

async function expiry(w: World): Promise<void> {
  const [a, b] = [await w.member('a'), await w.member('b')]
  value(await a.touchMember({ state: 'running' }, w.budget()))
  const { sentAt } = value(await a.acquire(w.budget()))
  await a.close()
  await eventually(w, b, 'b sees both keys', (view) => view.leader?.name === 'a' && view.members.length === 1)
  const view = async () => viewOf(b, w.budget())
  for (;;) {
    const atLeast = w.store.clock.now() - sentAt
    const seen = await view()
    if (seen.leader === null) break
    assert.ok(atLeast < w.store.ttlMs * 2 + 3000, 'the lock never expires')
    await w.store.pass(100)
    // B stays.
    await b.touchMember({ state: 'running' }, w.budget())
  }
  assert.ok(w.store.clock.now() - sentAt >= w.store.ttlMs, 'the lock expired before its time')
  await eventually(w, b, 'the member key of a is gone', (now) => !now.members.some(({ name }) => name === 'a'))
  value(await b.acquire(w.budget()))
}

async function touchKeeps(w: World): Promise<void> {
  const [a, b] = [await w.member('a'), await w.member('b')]
  const end = later(w.store.clock.now(), w.store.ttlMs * 1.5)
  while (w.store.clock.now() < end) {
    value(await a.touchMember({ state: 'running', xlog_location: 5 }, w.budget()))
    await w.store.pass(Math.floor(w.store.ttlMs / 8))
  }
  const [member] = (await viewOf(b, w.budget())).members
  assert.equal(member?.name, 'a')
  assert.equal(member?.data.xlogLocation, 5)
}

async function readYourWrites(w: World): Promise<void> {
  const a = await w.member('a')
  value(await a.acquire(w.budget()))
  for (let i = 1; i <= 5; i += 1) {
    value(await a.touchMember({ state: 'running', xlog_location: i }, w.budget()))
    value(await a.writeFailover({ leader: 'a', candidate: `c${i}`, scheduledAt: null }, null, w.budget()))
    value(await a.writeStatus({ lastLsn: lsn(i), slots: { s: lsn(i) }, retainSlots: [] }, w.budget()))
    const view = await viewOf(a, w.budget())
    assert.equal(view.members[0]?.data.xlogLocation, i)
    assert.equal(view.failover?.candidate, `c${i}`)
    assert.equal(view.status.lastLsn, i)
  }
}

async function compareAndSetConfig(w: World): Promise<void> {
  const [a, b] = [await w.member('a'), await w.member('b')]
  value(await a.writeConfig({ ttl: 30 }, null, w.budget()))
  const first = (await viewOf(a, w.budget())).config?.version ?? null
  value(await a.writeConfig({ ttl: 40 }, first, w.budget()))
  assert.equal((await a.writeConfig({ ttl: 50 }, first, w.budget())).kind, 'refused')
  await eventually(w, b, 'b sees the second value', (view) => view.config?.document['ttl'] === 40)
  value(await b.writeConfig({ ttl: 60 }, (await viewOf(b, w.budget())).config?.version ?? null, w.budget()))
  await eventually(w, a, 'a sees the third value', (view) => view.config?.document['ttl'] === 60)
}

async function compareAndSetFailover(w: World): Promise<void> {
  const a = await w.member('a')
  const request = { leader: 'a', candidate: 'b', scheduledAt: null }
  value(await a.writeFailover(request, null, w.budget()))
  const first = (await viewOf(a, w.budget())).failover
  assert.deepEqual({ ...first, version: null }, { ...request, version: null })
  value(await a.writeFailover({ leader: null, candidate: null, scheduledAt: null }, first?.version ?? null, w.budget()))
  assert.equal((await a.writeFailover(request, first?.version ?? null, w.budget())).kind, 'refused')
  const blank = (await viewOf(a, w.budget())).failover
  assert.equal(blank?.leader, null)
  assert.notEqual(blank?.version, first?.version)
}

async function compareAndSetSync(w: World): Promise<void> {
  const [a, b] = [await w.member('a'), await w.member('b')]
  const first = value(await a.writeSync({ leader: 'a', voters: ['c', 'b'], quorum: 1 }, null, w.budget()))
  const second = value(await a.writeSync({ leader: 'a', voters: ['b'], quorum: 0 }, first, w.budget()))
  assert.notEqual(second, first)
  assert.equal((await a.writeSync({ leader: 'a', voters: [], quorum: 0 }, first, w.budget())).kind, 'refused')
  await eventually(w, b, 'b sees the second state', (view) => view.sync.version === second)
  const { sync } = await viewOf(b, w.budget())
  assert.deepEqual(
    { leader: sync.leader, voters: sync.voters, quorum: sync.quorum },
    { leader: 'a', voters: ['b'], quorum: 0 },
  )
}

async function firstSync(w: World): Promise<void> {
  const [a, b] = [await w.member('a'), await w.member('b')]
  value(await a.writeSync({ leader: 'a', voters: ['b'], quorum: 0 }, null, w.budget()))
  assert.equal((await b.writeSync({ leader: 'b', voters: [], quorum: 0 }, null, w.budget())).kind, 'refused')
}

async function deleteSync(w: World): Promise<void> {
  const a = await w.member('a')
  const first = value(await a.writeSync({ leader: 'a', voters: ['b'], quorum: 0 }, null, w.budget()))
  assert.equal((await a.deleteSync(version('123456789'), w.budget())).kind, 'refused')
  value(await a.deleteSync(first, w.budget()))
  assert.equal((await viewOf(a, w.budget())).sync.leader, null)
}

async function initialize(w: World): Promise<void> {
  const [a, b] = [await w.member('a'), await w.member('b')]
  value(await a.writeInitialize('', { createOnly: true }, w.budget()))
  assert.equal((await viewOf(a, w.budget())).initialize, '')
  assert.equal((await b.writeInitialize('', { createOnly: true }, w.budget())).kind, 'refused')
  value(await a.writeInitialize('7012345678901234567', { createOnly: false }, w.budget()))
  await eventually(w, b, 'b sees it', (view) => view.initialize === '7012345678901234567')
  value(await b.deleteInitialize(w.budget()))
  value(await b.deleteInitialize(w.budget()))
  await eventually(w, a, 'it is gone', (view) => view.initialize === null)
}

async function documents(w: World): Promise<void> {
  const [a, b] = [await w.member('a'), await w.member('b')]
  const record = {
    timeline: timeline(1),
    lsn: lsn(25165984),
    reason: 'no recovery target specified',
    at: '2026-11-21T02:00:00.123456+01:00',
    leader: 'pg2',
  }
  value(await a.acquire(w.budget()))
  value(
    await a.writeStatus({ lastLsn: lsn(67393608), slots: { pg_2: lsn(1) }, retainSlots: ['pg_1', 'pg_2'] }, w.budget()),
  )
  value(await a.writeFailsafe({ a: 'http://a/patroni', ü: 'http://ü/patroni' }, w.budget()))
  value(await a.writeHistory([record], w.budget()))
  value(await a.writeLegacyOptime(lsn(67393608), w.budget()))
  await eventually(w, b, 'b sees the history', (view) => view.history !== null)
  const view = await viewOf(b, w.budget())
  const { version, ...status } = view.status
  assert.notEqual(version, null)
  assert.deepEqual(status, { lastLsn: 67393608, slots: { pg_2: 1 }, retainSlots: ['pg_1', 'pg_2'] })
  assert.deepEqual(view.failsafe?.document, { a: 'http://a/patroni', ü: 'http://ü/patroni' })
  assert.deepEqual(view.history?.records, [record])
}

async function deleteCluster(w: World): Promise<void> {
  const a = await w.member('a')
  const other = await w.store.open(`other-${Math.round(w.store.clock.wallMs())}`, 'a')
  try {
    value(await other.writeConfig({ ttl: 30 }, null, w.budget()))
    value(await a.writeConfig({ ttl: 30 }, null, w.budget()))
    value(await a.acquire(w.budget()))
    value(await a.touchMember({ state: 'running' }, w.budget()))
    value(await a.deleteCluster(w.budget()))
    assert.ok(isEmptyView(await viewOf(a, w.budget())))
    assert.notEqual((await viewOf(other, w.budget())).config, null)
    value(await other.deleteCluster(w.budget()))
  } finally {
    await other.close()
  }
}

async function events(w: World): Promise<void> {
  const [a, b] = [await w.member('a'), await w.member('b')]
  const [atA, atB] = [listen(a), listen(b)]
  await viewOf(a, w.budget())
  await viewOf(b, w.budget())
  value(await a.writeConfig({ ttl: 30 }, null, w.budget()))
  value(await a.acquire(w.budget()))
  value(await a.writeConfig({ ttl: 31 }, null, w.budget()))
  value(await a.writeStatus({ lastLsn: lsn(1), slots: null, retainSlots: [] }, w.budget()))
  value(await a.writeSync({ leader: 'a', voters: ['b'], quorum: 0 }, null, w.budget()))
  value(await a.writeFailover({ leader: 'a', candidate: 'b', scheduledAt: null }, null, w.budget()))
  for (const wanted of ['leader', 'config', 'status', 'sync', 'failover'] as const) {
    await soon(w, `b hears of ${wanted}`, () => atB.includes(wanted))
  }
  await w.store.pass(200)
  assert.equal(atA.length, 0, `a heard of its own writes: ${atA.join()}`)
  // A request that somebody else's REST server has taken wakes the leader at once.
  value(await b.writeFailover({ leader: 'a', candidate: null, scheduledAt: null }, null, w.budget()))
  await soon(w, 'a hears of failover', () => atA.includes('failover'))
  value(await a.release(w.budget()))
  await soon(w, 'b hears of the release', () => atB.filter((event) => event === 'leader').length >= 2)
  assert.ok(!atA.includes('leader'))
}

async function silentUpdates(w: World): Promise<void> {
  const [a, b] = [await w.member('a'), await w.member('b')]
  value(await a.acquire(w.budget()))
  value(await a.writeConfig({ ttl: 30 }, null, w.budget()))
  await eventually(w, b, 'b sees everything', (view) => view.leader?.name === 'a' && view.config !== null)
  await w.store.pass(200)
  const atB = listen(b)
  value(await a.renew(await viewOf(a, w.budget()), w.budget()))
  value(await a.take(w.budget()))
  value(await a.writeConfig({ ttl: 30 }, null, w.budget()))
  await w.store.pass(300)
  assert.equal(atB.length, 0, `b woke up for ${atB.join()}`)
}

async function deadBudget(w: World): Promise<void> {
  const a = await w.member('a')
  const over: Budget = { deadline: w.store.clock.now(), signal: AbortSignal.abort() }
  assert.equal((await a.acquire(over)).kind, 'unknown')
  assert.equal((await a.writeConfig({ ttl: 30 }, null, over)).kind, 'unknown')
  assert.ok(isEmptyView(await viewOf(a, w.budget())))
  value(await a.acquire(w.budget()))
  assert.equal((await a.renew(await viewOf(a, w.budget()), over)).kind, 'unknown')
}

function listen(dcs: Dcs): StoreEvent[] {
  const heard: StoreEvent[] = []
  dcs.onChange((event) => heard.push(event))
  return heard
}

async function soon(world: World, what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 100 && !holds(); i += 1) await world.store.pass(20)
  assert.ok(holds(), what)
}
