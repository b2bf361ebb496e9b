import assert from 'node:assert/strict'
import { after, before, beforeEach } from 'node:test'
import { Cluster } from '../../lab/cluster.ts'
import type { Etcd } from '../../lab/etcd.ts'
import { longestGap, reigns } from '../../lab/ledger.ts'
import type { Member } from '../../lab/member.ts'
import { sleep, until } from '../../lab/wait.ts'
import { Writer } from '../../lab/writer.ts'
import { assertLeads, assertNoBug, assertNothingLost } from '../support/looks.ts'
import { story, withLogs } from '../support/story.ts'

const TIMING = { ttl: 20, loopWait: 1, retryTimeout: 3 }
const LIMIT_MS = 60_000
/** Every member has run a cycle or two on each value. */
const EACH_MS = 1300
/** A busy machine makes single writes slow; less than any failover takes. */
const UNNOTICED_MS = 8000

/** What no program of ours would write, into whichever key. */
const ANYWHERE: readonly (string | Uint8Array)[] = [
  'not JSON at all',
  '{"half": ',
  'null',
  '-1',
  '"text"',
  '[1, [2, {"3": null}]]',
  '{"__proto__": {"leader": "n2"}, "constructor": 1, "unknown": [true]}',
  '['.repeat(20_000) + ']'.repeat(20_000),
  JSON.stringify({ long: 'x'.repeat(500_000) }),
  Uint8Array.from([0xff, 0xfe, 0x00, 0x80, 0x7b, 0x7d]),
]

/** What looks right and is not, by key. */
const CUNNING: Readonly<Record<string, readonly unknown[]>> = {
  config: [
    { ttl: 'soon', loop_wait: [], retry_timeout: {} },
    { ttl: -30, loop_wait: 1e12, retry_timeout: -5 },
    {
      maximum_lag_on_failover: 'far',
      synchronous_mode: { on: true },
      pause: 'perhaps',
      standby_cluster: 5,
      slots: [1],
    },
    { synchronous_mode: true, slots: { "x'; DROP": { type: 'physical' }, a: 'b', c: { type: 'logical', plugin: 1 } } },
    { synchronous_mode: true, postgresql: ['no', 'map'] },
    {
      synchronous_mode: true,
      postgresql: {
        parameters: { work_mem: "4MB'\nport = 1", 'a\nport = 1 #': 'x', max_connections: 'lots', port: 1 },
      },
    },
  ],
  'members/n2': [
    { conn_url: 5, api_url: ['x'], state: 'flying', role: {}, tags: 'none', xlog_location: -5, timeline: 1e300 },
    { conn_url: 'postgres://[::', api_url: 'file:///etc/passwd', state: 'running', role: 'primary', version: 'x.y' },
  ],
  'members/ghost': [
    { conn_url: 'postgres://127.0.0.1:1/postgres', api_url: 'http://127.0.0.1:1/patroni', state: 'running' },
    { api_url: 'http://127.0.0.1:1/patroni', role: 'primary', state: 'running', timeline: 4_294_967_295 },
    { tags: { replicatefrom: 'ghost', nofailover: 'yes please', clonefrom: {} }, xlog_location: '9'.repeat(40) },
  ],
  status: [
    { optime: 'far', slots: { n2: -1, n3: 9e15, '../x': 1 }, retain_slots: ['UPPER', "x'y", 5, 'z'.repeat(500)] },
    { optime: 9e15, slots: 'x', retain_slots: {} },
  ],
  sync: [
    { leader: 'n1', sync_standby: ['n2'], quorum: 'many' },
    { leader: 'nobody', sync_standby: 'ghost,,  ,n9', quorum: -3 },
    { leader: 'n1', sync_standby: "n2'; --", quorum: 1e9 },
  ],
  failover: [
    { leader: 5, member: ['n2'] },
    { leader: 'nobody', member: 'n2' },
    { leader: 'n1', member: 'n1' },
    { leader: 'n1', member: 'ghost', scheduled_at: 'tomorrow' },
    { leader: 'n1', member: 'n2', scheduled_at: '0000-99-99T99:99:99+99:99' },
  ],
  history: [[[1]], [['x', 'y', 'z', {}, []]], [[4_294_967_294, 0, 'x', 'now', 'ghost']], { 1: 2 }],
  failsafe: [{ n1: 5, n2: null }, { ghost: 'http://127.0.0.1:1/patroni' }, { n1: 'not a url' }],
  initialize: ['', '1', 'x'.repeat(1000)],
}

let cluster: Cluster
let etcd: Etcd
let writer: Writer
const told = (title: string, tell: () => Promise<void>): void => story(title, () => cluster, tell)
const primary = (): Member => cluster.member('n1')

before(async () => {
  cluster = await Cluster.create({
    checkout: process.cwd(),
    scope: 'hostile',
    members: ['n1', 'n2', 'n3'],
    timing: TIMING,
    purpose: 'hostile',
    dcs: { failsafe_mode: true, synchronous_mode: true },
  })
  try {
    await cluster.bootstrap(LIMIT_MS)
  } catch (error) {
    throw withLogs(error, cluster)
  }
  const [first] = cluster.stores
  assert.ok(first)
  etcd = first
})

beforeEach(async () => {
  writer = await Writer.start(cluster)
})

after(() => cluster?.destroy())

/** The primary and its clients have not noticed anything. */
async function assertUnharmed(since: number): Promise<void> {
  await sleep(700)
  await writer.stop()
  assert.deepEqual(reigns(writer.acknowledged, 0), [primary().name])
  assertNothingLost(await writer.account())
  const gap = longestGap(writer.acknowledged, since)
  assert.ok(gap.ms < UNNOTICED_MS, `writes stopped for ${Math.round(gap.ms)} ms`)
  await assertLeads(cluster, primary())
  assertNoBug(cluster)
}

for (const [key, cunning] of Object.entries(CUNNING)) {
  told(
    `1.3 hostile values in the key ${key}: the primary and its clients do not notice, the cluster is whole after it`,
    async () => {
      const since = performance.now()
      const before = { postmaster: primary().postmasterPid(), value: await cluster.store.get(cluster.key(key)) }
      const texts = cunning.map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))
      for (const value of [...ANYWHERE, ...texts]) {
        await etcd.put(cluster.key(key), value)
        await sleep(EACH_MS)
      }
      if (key === 'config') await etcd.put(cluster.key(key), before.value ?? '{}')
      if (key === 'members/ghost') await etcd.delete(cluster.key(key))
      assert.equal(primary().postmasterPid(), before.postmaster)
      await assertUnharmed(since)
      await HEALED[key]?.(before.value)
    },
  )
}

/** What stands in the key some cycles later. */
const HEALED: Readonly<Record<string, (before: string | null) => Promise<void>>> = {
  initialize: (before) => becomes('initialize', (text) => text === before),
  status: () => becomes('status', (text) => Number((JSON.parse(text) as { optime: unknown }).optime) < 1e12),
  failover: () => becomes('failover', (text) => text === '{}'),
  failsafe: () => becomes('failsafe', (text) => Object.keys(JSON.parse(text) as object).join() === 'n1,n2,n3'),
  sync: () => becomes('sync', (text) => /^\{"leader":"n1","quorum":0,"sync_standby":"n[23]"\}$/.test(text)),
  history: () => becomes('history', (text) => text === '[]'),
}

async function becomes(key: string, right: (text: string) => boolean): Promise<void> {
  await until(`the key ${key} is put right`, LIMIT_MS, async () => {
    const text = await cluster.store.get(cluster.key(key))
    return text !== null && right(text)
  })
}

told(
  '1.3 a stranger’s name in the leader key ends the primary, nobody takes its place, and when it is gone a primary is back',
  async () => {
    await until('it is written', LIMIT_MS, () => writer.acknowledged.length > 50)
    await etcd.put(cluster.key('leader'), '{"not": "a name"}')
    await until('nobody takes writes', LIMIT_MS, async () => {
      const rows = await primary()
        .sql('SELECT pg_is_in_recovery() AS standby')
        .catch(() => [])
      return rows[0]?.['standby'] === true
    })
    await sleep(3000)
    assert.equal(await cluster.leader(), null)
    await etcd.delete(cluster.key('leader'))
    const next = await cluster.healthy(LIMIT_MS)
    await until('writes go on', LIMIT_MS, () => writer.firstWrite(next.name, performance.now() - 500))
    await writer.stop()
    assertNothingLost(await writer.account())
    assert.ok(reigns(writer.acknowledged, 0).length <= 2, 'never two primaries')
    assertNoBug(cluster)
  },
)
