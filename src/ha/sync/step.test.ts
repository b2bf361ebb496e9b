import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type JsonObject, printJson } from '../../cluster/json.ts'
import { lsn } from '../../cluster/lsn.ts'
import { parseStandbyNames } from '../../cluster/standby-names.ts'
import { timeline } from '../../cluster/timeline.ts'
import type { WalSender } from '../../ports/postgres.ts'
import { Scene } from '../testing/scene.ts'
import { newCycle } from '../view-loading.ts'
import { prepareSyncForPromotion } from './step.ts'

/** The primary `a` with standbys that do what synchronous_standby_names asks of them. Positions by name; 1000 is the end. */
class Synchronous extends Scene {
  live = ''
  streaming: Record<string, number> = { b: 1000, c: 1000 }

  constructor(settings: JsonObject) {
    super()
    this.config(settings).primary()
    const { postgres } = this.ha.world
    const look = postgres.observe.bind(postgres)
    Object.assign(postgres, {
      observe: async (signal: AbortSignal) => {
        const seen = await look(signal)
        if (seen.kind !== 'observed') return seen
        const walSenders = Object.entries(this.streaming).map(([name, at], i) => this.#sender(name, at, i))
        return { ...seen, observation: { ...seen.observation, synchronousStandbyNames: this.live, walSenders } }
      },
      setSynchronousStandbyNames: async (text: string | null) => {
        if ((text ?? '') !== this.live) this.calls.push(`names ${text ?? 'none'}`)
        this.live = text ?? ''
      },
    })
  }

  #sender(name: string, at: number, i: number): WalSender {
    const wanted = parseStandbyNames(this.live)
    const place = wanted?.members.indexOf(name) ?? -1
    const chosen = place < (wanted?.count ?? 0) ? 'sync' : 'potential'
    const here = lsn(at)
    return {
      pid: i + 10,
      applicationName: name,
      userName: 'replicator',
      clientAddr: null,
      state: 'streaming',
      syncState: place < 0 ? 'async' : wanted?.kind === 'quorum' ? 'quorum' : chosen,
      syncPriority: 1,
      writeLsn: here,
      flushLsn: here,
      replayLsn: here,
    }
  }

  /** What one cycle does about synchronous replication, in order. */
  async step(): Promise<readonly string[]> {
    this.calls.length = 0
    const { text } = await this.cycle()
    assert.ok(!text.includes('BUG'), this.log.join('\n'))
    return this.calls.filter((call) => /^(names|sync|delete sync)/.test(call))
  }

  key(leader: string, standbys: string | null, quorum = 0): this {
    this.keys.set('sync', printJson({ leader, sync_standby: standbys, quorum }))
    return this
  }
}

const NEVER = new AbortController().signal

test('16.5 and 16.6, postgres 8.5 a standby goes into PostgreSQL first and into the key when it is caught up; out of the key first', async () => {
  const s = new Synchronous({ synchronous_mode: true })
  assert.deepEqual(await s.step(), ['sync a::0', 'names b', 'sync a:b:0'])
  assert.ok(s.said('INFO Enabled synchronous replication'))
  assert.ok(s.said("INFO Synchronous standby status assigned to ['b']"))
  assert.deepEqual(await s.step(), [], 'nothing is done twice')
  s.streaming = { c: 1000 }
  assert.deepEqual(await s.step(), ['sync a::0', 'names c', 'sync a:c:0'])
  assert.ok(s.said("INFO Updating /sync key temporarily from ['b'] to []"))
})

test('16.5 a key of somebody else, and one that promises whom no commit waits for, are put right first', async () => {
  const foreign = new Synchronous({ synchronous_mode: true }).key('c', 'b')
  assert.equal((await foreign.step())[0], 'sync a::0')
  assert.ok(foreign.said("WARNING Inconsistent state of /sync key detected, leader = c doesn't match a"))
  const promised = new Synchronous({ synchronous_mode: true }).key('a', 'b')
  assert.deepEqual(await promised.step(), ['sync a::0', 'names b', 'sync a:b:0'])
  assert.ok(promised.said("Inconsistent state between synchronous_standby_names = [] and /sync = ['b'] key detected"))
})

test('16.5 a write of the key that is refused ends the step: somebody else knows better', async () => {
  const s = new Synchronous({ synchronous_mode: true })
  Object.assign(s.ha.world.dcs, { writeSync: async () => ({ kind: 'refused', reason: 'version' }) })
  assert.deepEqual(await s.step(), [])
  assert.ok(s.said('WARNING Updating sync state failed'))
})

const CHOICES: readonly (readonly [title: string, (s: Synchronous) => void, chosen: string])[] = [
  ['the first by name where nothing else tells them apart', () => {}, 'b'],
  ['the higher sync_priority', (s) => s.member('c', { tags: { sync_priority: 2 } }), 'c'],
  ['not nosync', (s) => s.member('b', { tags: { nosync: true } }), 'c'],
  ['nofailover last', (s) => s.member('b', { tags: { nofailover: true, sync_priority: 9 } }), 'c'],
  ['not a member that is not running', (s) => s.member('b', { state: 'starting' }), 'c'],
  ['not one that should stream from another', (s) => s.member('b', { tags: { replicatefrom: 'c' } }), 'c'],
  ['but one whose chain runs in a circle', (s) => s.member('b', { tags: { replicatefrom: 'b' } }), 'b'],
  ['the furthest', (s) => Object.assign(s.streaming, { b: 900 }), 'c'],
]
for (const [title, scene, chosen] of CHOICES)
  test(`16.2, postgres 8.1 who becomes synchronous: ${title}`, async () => {
    const s = new Synchronous({ synchronous_mode: true })
    scene(s)
    await s.step()
    assert.equal(s.live, chosen)
  })

test('16.2 who is further behind than maximum_lag_on_syncnode is passed over, measured by the best', async () => {
  const s = new Synchronous({ synchronous_mode: true, maximum_lag_on_syncnode: 50, synchronous_node_count: 2 })
  Object.assign(s.streaming, { b: 900, c: 960 })
  await s.step()
  assert.equal(s.live, 'c')
})

test('16.2 and 16.5, postgres 8.3 who has not caught up with the moment of its listing does not stand in the key', async () => {
  const s = new Synchronous({ synchronous_mode: true })
  Object.assign(s.streaming, { b: 990, c: 980 })
  assert.deepEqual(await s.step(), ['sync a::0', 'names b'])
  Object.assign(s.streaming, { b: 1000 })
  assert.deepEqual(await s.step(), ['sync a:b:0'])
})

test('16.4 strict: without standbys commits go on waiting for those who were promised, who stay electable', async () => {
  const s = new Synchronous({ synchronous_mode: true, synchronous_mode_strict: true })
  s.streaming = {}
  assert.deepEqual(await s.step(), ['sync a::0', 'names __patroni_strict_sync_replica_placeholder__'])
  assert.ok(
    s.said(
      'WARNING No active replication connections from Patroni members and synchronous_mode_strict is requested. Commits will be delayed.',
    ),
  )
  s.streaming = { b: 1000 }
  assert.deepEqual(await s.step(), ['names b', 'sync a:b:0'])
  s.streaming = {}
  s.log.length = 0
  assert.deepEqual(await s.step(), [])
  assert.deepEqual(await s.step(), [])
  const warnings = s.log.filter((line) => line.includes('synchronous_mode_strict'))
  assert.deepEqual(warnings, [
    'WARNING No active replication connections from Patroni members and synchronous_mode_strict is requested. ' +
      'Continue using old value of synchronous_standby_names="b". Commits will be delayed.',
  ])
})

test('16.1 switched off, the key goes before the parameter', async () => {
  const s = new Synchronous({ synchronous_mode: true })
  await s.step()
  s.config({})
  assert.deepEqual(await s.step(), ['delete sync', 'names none'])
  assert.ok(s.said('INFO Disabled synchronous replication'))
})

test('17.4 quorum: who is left alone in the key must have what those who left it had confirmed', async () => {
  const s = new Synchronous({ synchronous_mode: 'quorum' })
  await s.step()
  s.streaming = { c: 900 }
  assert.deepEqual(await s.step(), ['names ANY 1 (c)'], 'b may have confirmed what c does not have')
  assert.ok(s.said('INFO Not yet setting quorum to 0 of (c): too few of them have all commits'))
  assert.deepEqual(await s.step(), [])
  s.streaming = { c: 1000 }
  assert.deepEqual(await s.step(), ['sync a:c:0'])
})

test('17.4 quorum: a key from a backup of the store that promises what nobody keeps is put right at once (seed 21050398)', async () => {
  const s = new Synchronous({ synchronous_mode: 'quorum' }).key('a', 'b')
  s.streaming = {}
  assert.deepEqual(await s.step(), ['sync a::0'], 'commits wait for nobody, so nobody may take over')
  s.key('a', 'b')
  s.streaming = { b: 1000 }
  assert.equal((await s.step())[0], 'sync a::0')
  assert.deepEqual(await s.step(), ['names ANY 1 (b)', 'sync a:b:0'])
})

test('17.4 quorum: a key that lets fewer elect than before is written whoever has what by now', async () => {
  const s = new Synchronous({ synchronous_mode: 'quorum' })
  await s.step()
  s.key('a', 'b,c', 0)
  s.streaming = { b: 900, c: 900 }
  s.ha.memory.sync.changedAtLsn = lsn(1000)
  assert.deepEqual(await s.step(), ['sync a:b,c:1'], 'with the key of the backup each of them could take over alone')
})

test('17.2 quorum: all may vote, the key follows within the cycle; a switch from priority only changes the form', async () => {
  const s = new Synchronous({ synchronous_mode: 'quorum' })
  assert.deepEqual(await s.step(), ['sync a::0', 'names ANY 1 (b,c)', 'sync a:b,c:1'])
  assert.ok(s.said('INFO Setting leader to a, quorum to 1 of (b, c)'))
  assert.deepEqual(await s.step(), [])
  const before = new Synchronous({ synchronous_mode: true, synchronous_node_count: 2 })
  await before.step()
  assert.equal(before.live, '2 (b,c)')
  before.config({ synchronous_mode: 'quorum', synchronous_node_count: 2 })
  await before.step()
  assert.equal(before.live, 'ANY 2 (b,c)')
})

test('17.2 the key names a standby at most 0.2 s after it has caught up: until then it may not take over', async () => {
  const short = { ttl: 5, loop_wait: 1, retry_timeout: 1 }
  for (const settings of [
    { synchronous_mode: 'quorum' },
    { synchronous_mode: 'quorum', ...short },
    { synchronous_mode: true },
  ]) {
    const s = new Synchronous(settings)
    s.streaming = { b: 900 }
    const start = s.nowMs
    const { clock, dcs } = s.ha.world
    const [sleep, write] = [clock.sleep.bind(clock), dcs.writeSync.bind(dcs)]
    let named: number | null = null
    Object.assign(clock, {
      sleep: async (ms: number, signal: AbortSignal) => {
        await sleep(ms, signal)
        if (s.nowMs >= start + 300) s.streaming = { b: 1000 }
      },
    })
    Object.assign(dcs, {
      writeSync: async (...wanted: Parameters<typeof write>) => {
        if (wanted[0].voters.length > 0) named ??= s.nowMs - start
        return write(...wanted)
      },
    })
    await s.step()
    assert.ok(named !== null && named >= 300 && named <= 500, `after ${named} ms`)
  }
})

/** What a standby does before it is promoted. */
async function callsBeforePromotion(s: Synchronous): Promise<readonly string[]> {
  s.leader('c').server.inRecovery = true
  await s.cycle()
  s.calls.length = 0
  const { view } = s.ha.memory.store
  assert.ok(view)
  assert.equal(await prepareSyncForPromotion(newCycle(s.ha, view, NEVER)), 'ready')
  return s.calls
}

const PROMOTIONS: readonly (readonly [
  title: string,
  settings: JsonObject,
  key: readonly [leader: string, standbys: string, quorum: number],
  calls: readonly string[],
])[] = [
  ['16.5, postgres 8.6 without strict nobody', { synchronous_mode: true }, ['b', 'a', 0], ['sync a::0']],
  [
    '16.5, postgres 8.6 strict: the others of the key',
    { synchronous_mode: true, synchronous_mode_strict: true },
    ['b', 'a,c', 0],
    ['sync a:b,c:0', 'names 2 (b,c)'],
  ],
  [
    '17.3, postgres 8.6 a voter waits for as many as could elect somebody else',
    { synchronous_mode: 'quorum' },
    ['b', 'a,c,d', 2],
    ['sync a:b,c,d:2', 'names ANY 1 (b,c,d)'],
  ],
  [
    '17.3, postgres 8.6 an outsider waits for one more',
    { synchronous_mode: 'quorum' },
    ['b', 'c,d', 1],
    ['sync a:b,c,d:1', 'names ANY 2 (b,c,d)'],
  ],
]
for (const [title, settings, [leader, standbys, quorum], calls] of PROMOTIONS)
  test(`${title} before the first commit of the new primary`, async () => {
    const s = new Synchronous(settings).key(leader, standbys, quorum)
    assert.deepEqual(await callsBeforePromotion(s), calls)
  })

test('16.5 and 17.3 where there is no key yet the new primary is named in one before its first commit', async () => {
  for (const mode of [true, 'quorum']) {
    const s = new Synchronous({ synchronous_mode: mode })
    assert.deepEqual(await callsBeforePromotion(s), ['sync a::0'])
  }
})

test('16.5 and 7.3 a promotion waits where somebody else has just written the key', async () => {
  for (const mode of [true, 'quorum']) {
    const s = new Scene().config({ synchronous_mode: mode }).leader('a')
    s.ha.memory.lease.taken = true
    s.keys.set('sync', printJson({ leader: 'b', sync_standby: 'a', quorum: 0 }))
    Object.assign(s.ha.world.dcs, { writeSync: async () => ({ kind: 'refused', reason: 'version' }) })
    assert.equal((await s.cycle()).rule, 'promotion-postponed-sync')
    assert.ok(!s.did('promote'))
  }
})

test('9 and 17.3 a promotion takes its timeline before it makes the sync key its own (seed 32000364)', async () => {
  const s = new Synchronous({ synchronous_mode: 'quorum' }).key('b', 'a,c', 1).leader(null)
  Object.assign(s.server, { role: 'replica', inRecovery: true })
  s.peer('c', { lsn: lsn(1000), timeline: timeline(1) })
  assert.equal((await s.cycle()).rule, 'promote-by-acquiring')
  const writes = s.calls.filter((call) => /^(status|sync a)/.test(call))
  assert.match(writes.join(' '), /^status \d+ sync a:b,c:1/)
})
