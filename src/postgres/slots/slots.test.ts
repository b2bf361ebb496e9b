import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Role } from '../../cluster/instance.ts'
import type { JsonObject } from '../../cluster/json.ts'
import type { Lsn } from '../../cluster/lsn.ts'
import { type Member, memberDataFrom } from '../../cluster/member.ts'
import { clusterSettings, DEFAULT_TIMING } from '../../cluster/settings.ts'
import { NO_STATUS } from '../../cluster/status.ts'
import { version } from '../../cluster/stored.ts'
import { EMPTY_VIEW } from '../../cluster/view.ts'
import type { Observation, SlotFact } from '../../ports/postgres.ts'
import { planSlots } from './plan.ts'
import { needsFeedback, type SlotSituation, topOfChain, wantedSlots } from './wanted.ts'

interface Given {
  readonly me?: string
  readonly role?: Role
  readonly leader?: string | null
  /** Name to tags, and what else the member publishes. */
  readonly members?: Readonly<Record<string, JsonObject>>
  readonly published?: Readonly<Record<string, number>>
  readonly retained?: readonly string[]
  readonly dynamic?: JsonObject
  readonly version?: number
}

/** Three members, node-1 leads, and this is what node-1 thinks. */
function situation(given: Given = {}): SlotSituation {
  const { me = 'node-1', leader = 'node-1', members = { 'node-1': {}, 'node-2': {}, 'node-3': {} } } = given
  const all = Object.entries(members).map(([name, { tags = {}, ...data }]): Member => {
    const published = memberDataFrom({ version: '4.1.0', ...data, tags })
    return { name, version: version('1'), session: null, data: published }
  })
  return {
    view: {
      ...EMPTY_VIEW,
      leader: leader === null ? null : { name: leader, version: version('1'), session: null },
      members: all,
      status: { ...NO_STATUS, slots: (given.published ?? null) as never, retainSlots: given.retained ?? [] },
    },
    settings: clusterSettings(given.dynamic ?? {}, DEFAULT_TIMING),
    name: me,
    tags: all.find((one) => one.name === me)?.data.tags ?? {},
    role: given.role ?? (me === leader ? 'primary' : 'replica'),
    version: given.version ?? 150000,
  }
}

const wanted = (given: Given = {}) => Object.fromEntries(wantedSlots(situation(given)).slots)
const names = (given: Given = {}) => Object.keys(wanted(given))
const OFF = { member_slots_ttl: 0 }
const tagged = (tags: JsonObject) => ({ tags })

test('7.3 every node keeps a slot for every other member, with who should use it', () => {
  const flags = (given: Given) =>
    Object.values(wanted(given)).map((slot) => [slot.name, slot.kind === 'physical' && slot.expectedActive])
  assert.deepEqual(flags({}), [
    ['node_2', true],
    ['node_3', true],
  ])
  assert.deepEqual(flags({ me: 'node-2' }), [
    ['node_1', false],
    ['node_3', false],
  ])
  const cascade = { 'node-1': {}, 'node-2': {}, 'node-3': tagged({ replicatefrom: 'node-2' }) }
  assert.deepEqual(flags({ members: cascade }), [
    ['node_2', true],
    ['node_3', false],
  ])
  assert.deepEqual(flags({ members: cascade, me: 'node-2' }), [
    ['node_1', false],
    ['node_3', true],
  ])
  const lost = { 'node-1': {}, 'node-3': tagged({ replicatefrom: 'gone' }) }
  assert.deepEqual(flags({ members: lost }), [['node_3', true]])
})

test('7.3 without retention, or before 11, a node has only the slots that are used here', () => {
  for (const more of [{ dynamic: OFF }, { version: 100000 }]) {
    assert.deepEqual(names(more), ['node_2', 'node_3'])
    assert.deepEqual(names({ me: 'node-2', ...more }), [])
    const members = {
      'node-1': tagged({ replicatefrom: 'node-2' }),
      'node-2': {},
      'node-3': tagged({ replicatefrom: 'node-2' }),
    }
    assert.deepEqual(names({ me: 'node-2', members, ...more }), ['node_3'], 'not for the leader')
  }
})

test('7.3 no slots for nostream members, nor at all without use_slots', () => {
  assert.deepEqual(names({ members: { 'node-1': {}, 'node-2': tagged({ nostream: true }) } }), [])
  assert.deepEqual(names({ dynamic: { postgresql: { use_slots: false } } }), [])
})

test('7.3 a nofailover node keeps only the slots of those who replicate from it', () => {
  const members = {
    'node-1': {},
    'node-2': tagged({ nofailover: true }),
    'node-3': tagged({ replicatefrom: 'node-2' }),
    'node-4': {},
  }
  const given = { me: 'node-2', members, retained: ['gone'], dynamic: { slots: { p: {} } } }
  assert.deepEqual(names(given), ['node_3'])
})

test('7.3 how far a member is comes from the leader; for cascading ones and old leaders from the member as well', () => {
  const lsn = (given: Given) => wanted({ me: 'node-2', published: { node_3: 100 }, ...given })['node_3']?.lsn
  const third = { xlog_location: 200 }
  assert.equal(lsn({ members: { 'node-1': {}, 'node-2': {}, 'node-3': third } }), 100)
  assert.equal(
    lsn({ members: { 'node-1': {}, 'node-2': {}, 'node-3': { ...third, ...tagged({ replicatefrom: 'x' }) } } }),
    200,
  )
  assert.equal(lsn({ members: { 'node-1': { version: '3.3.0' }, 'node-2': {}, 'node-3': third } }), 200)
  assert.equal(lsn({ published: {} }), null)
})

test('7.3 slots of members that are away are kept without a position, never ones own', () => {
  const slots = wanted({ retained: ['node_1', 'node_2', 'node_9'] })
  assert.deepEqual(Object.keys(slots), ['node_2', 'node_3', 'node_9'])
  assert.deepEqual(slots['node_9'], { kind: 'physical', name: 'node_9', expectedActive: null, lsn: null })
})

test('7.1 two members with one slot name are an error, and have one slot', () => {
  const found = wantedSlots(situation({ members: { 'node-1': {}, 'a-b': {}, 'a.b': {} } }))
  assert.deepEqual([...found.slots.keys()], ['a_b'])
  assert.deepEqual(found.errors, ['Following cluster members share a replication slot name: a-b, a.b map to a_b'])
})

const LOGICAL = { database: 'd', plugin: 'p' }

test('7.3 permanent slots: any empty value or a plain mapping is physical, database and plugin make it logical', () => {
  const slots = {
    a: 0,
    b: null,
    c: {},
    d: { type: 'physical' },
    l: LOGICAL,
    m: { type: 'logical', ...LOGICAL },
    'X-Y': 0,
    z: { type: 'odd' },
    y: { type: 'logical' },
  }
  const found = wantedSlots(situation({ members: { 'node-1': {} }, dynamic: { slots } }))
  assert.deepEqual(
    [...found.slots.values()].map(({ name, kind }) => `${name} ${kind}`),
    ['a physical', 'b physical', 'c physical', 'd physical', 'l logical', 'm logical'],
  )
  assert.deepEqual(found.errors, [
    "Invalid permanent replication slot name 'X-Y'",
    "Bad value for slot 'z' in permanent_slots: {'type': 'odd'}",
    "Bad value for slot 'y' in permanent_slots: {'type': 'logical'}",
  ])
})

test('7.3 a permanent slot with the name of a member, or of this node, is that member’s', () => {
  const dynamic = { slots: { node_1: 0, node_2: 0, node_3: LOGICAL } }
  const found = wantedSlots(situation({ dynamic }))
  assert.deepEqual([...found.slots.keys()], ['node_2', 'node_3'])
  assert.equal(found.errors.length, 1)
})

test('7.3 a standby cluster has only physical ones, and each kind of cluster its own', () => {
  const slots = {
    a: 0,
    l: LOGICAL,
    s: { type: 'physical', cluster_type: 'standby' },
    p: { type: 'physical', cluster_type: 'primary' },
  }
  const members = { 'node-1': {} }
  assert.deepEqual(names({ members, dynamic: { slots } }), ['a', 'l', 'p'])
  assert.deepEqual(names({ members, role: 'standby_leader', dynamic: { slots, standby_cluster: { host: 'h' } } }), [
    'a',
    's',
  ])
})

test('7.3 logical slots are not for nodes that nothing streams to, nor for servers before 11', () => {
  const dynamic = { slots: { l: LOGICAL, a: 0 } }
  const chain = { 'node-1': {}, 'node-2': tagged({ replicatefrom: 'node-3' }), 'node-3': tagged({ nostream: true }) }
  assert.deepEqual(names({ me: 'node-2', members: chain, dynamic }), ['node_1', 'a'])
  const circle = {
    'node-1': {},
    'node-2': tagged({ replicatefrom: 'node-3' }),
    'node-3': tagged({ replicatefrom: 'node-2' }),
  }
  assert.deepEqual(names({ me: 'node-2', members: circle, dynamic }), ['node_1', 'node_3', 'a'])
  const old = wantedSlots(situation({ dynamic, version: 100000, members: { 'node-1': {} } }))
  assert.deepEqual([...old.slots.keys()], ['a'])
  assert.match(
    old.errors[0] ?? '',
    /^Permanent logical replication slots supported by Patroni only starting from PostgreSQL 11/,
  )
})

test('7.7 the slot that holds our rows on the primary is that of the top of the chain', () => {
  const members = {
    'node-1': {},
    'node-2': tagged({ replicatefrom: 'node-3' }),
    'node-3': tagged({ replicatefrom: 'node-1' }),
  }
  assert.equal(topOfChain(situation({ me: 'node-2', members })), 'node-3')
  assert.equal(topOfChain(situation({ me: 'node-3', members })), 'node-3')
})

test('7.8 feedback is forced where copies of logical slots are kept, and on the way there', () => {
  const dynamic = { slots: { l: LOGICAL } }
  assert.equal(needsFeedback(situation({ me: 'node-2', dynamic })), true)
  assert.equal(needsFeedback(situation({ me: 'node-2', dynamic: { slots: { a: 0 } } })), false)
  assert.equal(needsFeedback(situation({ me: 'node-2', dynamic, version: 100000 })), false)
  assert.equal(
    needsFeedback(situation({ me: 'node-2', dynamic: { ...dynamic, standby_cluster: { host: 'h' } } })),
    false,
  )
  const members = {
    'node-1': {},
    'node-2': tagged({ nofailover: true }),
    'node-3': tagged({ replicatefrom: 'node-2' }),
  }
  assert.equal(needsFeedback(situation({ me: 'node-2', members, dynamic })), true, 'for node-3')
  assert.equal(
    needsFeedback(
      situation({ me: 'node-3', members: { ...members, 'node-3': tagged({ nofailover: true }) }, dynamic }),
    ),
    false,
  )
})

// -- what is done

function fact(name: string, more: Partial<SlotFact> = {}): SlotFact {
  return {
    name,
    type: 'physical',
    database: null,
    plugin: null,
    active: false,
    restartLsn: 50 as Lsn,
    confirmedFlushLsn: null,
    xmin: null,
    catalogXmin: null,
    failover: false,
    synced: false,
    walStatus: 'reserved',
    ...more,
  }
}

const logical = (name: string, more: Partial<SlotFact> = {}) =>
  fact(name, { type: 'logical', database: 'd', plugin: 'p', confirmedFlushLsn: 50 as Lsn, ...more })

function plan(slots: readonly SlotFact[], given: Given = {}, seen: Partial<Observation> = {}) {
  const where = situation(given)
  const inRecovery = where.role === 'replica'
  const observation = {
    inRecovery,
    slots,
    primaryLsn: inRecovery ? 0 : 1000,
    replayedLsn: inRecovery ? 1000 : 0,
    ...seen,
  } as Observation
  return planSlots({ situation: where, wanted: wantedSlots(where).slots, observation }).map((step) => {
    const name = step.kind === 'create-logical' ? step.slot.name : step.name
    return 'lsn' in step ? `${step.kind} ${name} ${step.lsn}` : `${step.kind} ${name}`
  })
}

const TWO = { 'node-1': {}, 'node-2': {} }

test('7.4 nothing is done where the wanted slots exist', () => {
  assert.deepEqual(plan([fact('node_2', { active: true }), fact('node_3')]), [])
})

test('7.4 missing slots are made, unknown ones dropped, those in use are left', () => {
  assert.deepEqual(plan([fact('a'), fact('b', { active: true })], { members: TWO }), [
    'drop a',
    'leave-active b',
    'create-physical node_2',
  ])
})

test('7.4 in pause, when ignored, and by the server itself: slots that are not ours to drop', () => {
  const members = { 'node-1': {} }
  assert.deepEqual(plan([fact('a')], { members, dynamic: { pause: true } }), [])
  assert.deepEqual(plan([fact('a')], { members, dynamic: { ignore_slots: [{ name: 'a', type: 'logical' }] } }), [
    'drop a',
  ])
  assert.deepEqual(plan([fact('a')], { members, dynamic: { ignore_slots: [{ type: 'physical' }] } }), [])
  assert.deepEqual(plan([logical('l')], { members, dynamic: { ignore_slots: [{ database: 'd', plugin: 'p' }] } }), [])
  const failover = { members, version: 170000 }
  assert.deepEqual(
    plan([logical('l', { failover: true }), logical('m', { failover: true, synced: true })], failover),
    [],
  )
})

test('7.4 17+: a former primary drops its failover slots so that the server can copy those of the new one', () => {
  const given = { me: 'node-2', members: TWO, version: 170000 }
  assert.deepEqual(plan([fact('node_1'), logical('l', { failover: true })], given), ['drop l'])
  assert.deepEqual(plan([fact('node_1'), logical('l', { failover: true, synced: true })], given), [])
})

test('7.4 a slot whose WAL is lost is made anew', () => {
  assert.deepEqual(plan([fact('node_2', { walStatus: 'lost' })], { members: TWO }), [
    'drop node_2',
    'create-physical node_2',
  ])
})

test('7.4 a slot of another kind is replaced, in pause too', () => {
  const dynamic = { slots: { l: LOGICAL }, pause: true }
  const members = { 'node-1': {} }
  assert.deepEqual(plan([logical('l', { plugin: 'q' })], { members, dynamic }), ['drop l', 'create-logical l'])
  assert.deepEqual(plan([fact('l')], { members, dynamic }), ['drop l', 'create-logical l'])
  assert.deepEqual(plan([fact('l', { active: true })], { members, dynamic }), ['leave-active l'])
})

test('7.4 slots nobody uses here move with what the leader publishes, no further than the own WAL, never back', () => {
  const at = (published: number, slot: SlotFact) =>
    plan([slot], { me: 'node-2', members: TWO, published: { node_1: published } })
  assert.deepEqual(at(80, fact('node_1')), ['advance-physical node_1 80'])
  assert.deepEqual(at(5000, fact('node_1')), ['advance-physical node_1 1000'])
  assert.deepEqual(at(50, fact('node_1')), [])
  assert.deepEqual(at(20, fact('node_1')), [])
  assert.deepEqual(at(80, fact('node_1', { active: true })), [])
  assert.deepEqual(plan([fact('node_2')], { members: TWO, published: { node_2: 80 } }), [], 'its user moves it')
})

test('7.4 a slot that nobody uses must hold no rows, and must hold WAL', () => {
  const given = { me: 'node-2', members: TWO }
  assert.deepEqual(plan([fact('node_1', { xmin: '700' })], given), ['drop node_1', 'create-physical node_1'])
  assert.deepEqual(plan([fact('node_1', { xmin: '700' })], { ...given, leader: null }), [], 'who knows who leads')
  assert.deepEqual(plan([fact('node_1', { restartLsn: null })], given), ['drop node_1', 'create-physical node_1'])
  assert.deepEqual(plan([fact('node_2', { xmin: '700' })], { members: TWO }), [], 'it will be used again')
})

test('7.5 logical slots of a standby are copied once, then advanced', () => {
  const given = { me: 'node-2', members: TWO, dynamic: { slots: { l: LOGICAL } } }
  const known = fact('node_1')
  assert.deepEqual(plan([known], given), [], 'the primary has not made it')
  assert.deepEqual(plan([known], { ...given, published: { l: 80 } }), ['copy-logical l'])
  assert.deepEqual(plan([known, logical('l')], { ...given, published: { l: 80 } }), ['advance-logical l 80'])
  assert.deepEqual(plan([known, logical('l')], { ...given, published: { l: 8000 } }), ['advance-logical l 1000'])
  assert.deepEqual(plan([known, logical('l')], { ...given, published: { l: 50 } }), [])
  assert.deepEqual(
    plan(
      [known, logical('l')],
      { ...given, published: { l: 80 }, role: 'promoted' },
      { inRecovery: true, replayedLsn: 1000 as Lsn },
    ),
    [],
  )
})
