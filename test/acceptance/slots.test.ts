import assert from 'node:assert/strict'
import { after, before, beforeEach } from 'node:test'
import { Cluster } from '../../lab/cluster.ts'
import type { ConfigDocument, Member } from '../../lab/member.ts'
import { sleep, until } from '../../lab/wait.ts'
import { assertNoBug } from '../support/looks.ts'
import { testStore } from '../support/store.ts'
import { story, withLogs } from '../support/story.ts'

const TIMING = { ttl: 20, loopWait: 1, retryTimeout: 3 }
const LIMIT_MS = 60_000

let cluster: Cluster
const told = (title: string, tell: () => Promise<void>): void => story(title, () => cluster, tell)

before(async () => {
  cluster = await Cluster.create({
    checkout: process.cwd(),
    store: testStore(),
    scope: 'slots',
    members: ['n1', 'n2', 'n3'],
    timing: TIMING,
    purpose: 'slots',
    dcs: {
      member_slots_ttl: '12s',
      ignore_slots: [{ name: 'theirs', type: 'physical' }],
      slots: {
        fixed: { type: 'physical' },
        changes: { type: 'logical', database: 'postgres', plugin: 'test_decoding' },
      },
      postgresql: {
        use_pg_rewind: true,
        parameters: { wal_log_hints: 'on', shared_buffers: '16MB', wal_level: 'logical', hot_standby_feedback: 'on' },
      },
    },
  })
  try {
    await cluster.bootstrap(LIMIT_MS)
  } catch (error) {
    throw withLogs(error, cluster)
  }
})

beforeEach(() => cluster.revive())

after(() => cluster?.destroy())

told('postgres 7.3 every member has a slot for every other one, and those of replicas move along', async () => {
  const leader = await cluster.healthy(LIMIT_MS)
  for (const member of cluster.members) {
    const wanted = [...cluster.members.filter((other) => other !== member).map(({ name }) => name), 'changes', 'fixed']
    await until(`${member.name} has its slots`, LIMIT_MS, async () => {
      assert.deepEqual([...(await slots(member)).keys()], wanted.sort())
      return true
    })
  }
  const replica = others(leader)[0]
  assert.ok(replica)
  const [absent] = others(leader).filter((member) => member !== replica)
  assert.ok(absent)
  const before = (await slots(replica)).get(absent.name)?.position ?? 0
  await leader.sql('CREATE TABLE moving AS SELECT generate_series(1, 10000) AS id')
  await until('the slot for the third member moved', LIMIT_MS, async () => {
    return ((await slots(replica)).get(absent.name)?.position ?? 0) > before
  })
})

told('postgres 7.6 permanent slots are copied to replicas and move along with their consumer', async () => {
  const leader = await cluster.healthy(LIMIT_MS)
  await leader.sql('CREATE TABLE consumed AS SELECT 1 AS id')
  await leader.sql("SELECT count(*) FROM pg_logical_slot_get_changes('changes', NULL, NULL)")
  const reached = (await slots(leader)).get('changes')?.position ?? 0
  assert.ok(reached > 0)
  for (const replica of others(leader)) {
    await until(`the slot on ${replica.name} moved`, LIMIT_MS, async () => {
      return ((await slots(replica)).get('changes')?.position ?? 0) >= reached
    })
    assert.match(replica.logSince(), /Copying logical slots \['changes'\] from the primary/)
    await until(`it is safe on ${replica.name}`, LIMIT_MS, () =>
      replica.logSince().includes('Logical slot changes is safe to be used after a failover'),
    )
  }
})

told(
  'postgres 7.7 after a failover a consumer goes on where it was: nothing is missing, nothing comes twice',
  async () => {
    const leader = await cluster.healthy(LIMIT_MS)
    await leader.sql('CREATE TABLE stream(id int)')
    await leader.sql("SELECT count(*) FROM pg_logical_slot_get_changes('changes', NULL, NULL)")
    await leader.sql('INSERT INTO stream SELECT generate_series(1, 5)')
    const seen = await consume(leader)
    assert.deepEqual(seen, [1, 2, 3, 4, 5])
    const position = (await slots(leader)).get('changes')?.position ?? 0
    for (const replica of others(leader))
      await until(`the slot on ${replica.name} moved`, LIMIT_MS, async () => {
        return ((await slots(replica)).get('changes')?.position ?? 0) >= position
      })
    await leader.sql('INSERT INTO stream SELECT generate_series(6, 9)')
    await leader.stop(LIMIT_MS)
    const next = await cluster.writable(LIMIT_MS)
    await next.sql('INSERT INTO stream SELECT 10')
    assert.deepEqual(await consume(next), [6, 7, 8, 9, 10])
  },
)

told('postgres 7.4 a slot that nobody wants is dropped, an ignored one is left alone', async () => {
  const leader = await cluster.healthy(LIMIT_MS)
  await leader.sql("SELECT pg_create_physical_replication_slot('theirs')")
  await leader.sql("SELECT pg_create_physical_replication_slot('nobodys', true)")
  await until('the unknown one is gone', LIMIT_MS, async () => !(await slots(leader)).has('nobodys'))
  await until('it is told', LIMIT_MS, () => leader.logSince().includes("Dropped replication slot 'nobodys'"))
  assert.ok((await slots(leader)).has('theirs'))
  await leader.sql("SELECT pg_drop_replication_slot('theirs')")
})

told(
  '18.3, postgres 7.9 the slot of an absent member is kept for member_slots_ttl, by a new leader too, and then dropped',
  async () => {
    const leader = await cluster.healthy(LIMIT_MS)
    const [absent, next] = others(leader)
    assert.ok(absent && next)
    const startedAt = performance.now()
    await absent.stop(LIMIT_MS)
    await until('its key is gone', (TIMING.ttl + 10) * 1000, async () => {
      return (await cluster.store.get(cluster.key(`members/${absent.name}`))) === null
    })
    assert.ok((await slots(leader)).has(absent.name), 'kept although the member key is gone')
    const status = JSON.parse((await cluster.store.get(cluster.key('status'))) ?? '{}') as { retain_slots?: string[] }
    assert.ok(status.retain_slots?.includes(absent.name))
    const body = { leader: leader.name, candidate: next.name }
    assert.equal((await leader.rest('POST', '/switchover', body, 30_000))?.status, 200)
    assert.equal(await cluster.healthy(LIMIT_MS), next)
    assert.ok((await slots(next)).has(absent.name), 'the new leader keeps it as well')
    await until('it is dropped', LIMIT_MS, async () => !(await slots(next)).has(absent.name))
    assert.ok(performance.now() - startedAt > 12_000)
    assert.match(
      next.logSince(),
      new RegExp(`Replication slot '${absent.name}' for absent cluster member is expired after 12 sec.`),
    )
    await absent.start()
    await cluster.healthy(LIMIT_MS)
    await until('it is there again', LIMIT_MS, async () => (await slots(next)).has(absent.name))
  },
)

told(
  '7.4 a cascade: replicatefrom names the upstream, which keeps the slot; without it the leader is followed',
  async () => {
    const leader = await cluster.healthy(LIMIT_MS)
    const [upstream, leaf] = others(leader)
    assert.ok(upstream && leaf)
    await tag(leaf, { replicatefrom: upstream.name })
    await until('it streams from the other replica', LIMIT_MS, async () =>
      (await standbys(upstream)).includes(leaf.name),
    )
    assert.equal((await slots(upstream)).get(leaf.name)?.active, true)
    await until('the leader keeps the slot of the leaf, unused', LIMIT_MS, async () => {
      return (await slots(leader)).get(leaf.name)?.active === false
    })
    const before = (await slots(leader)).get(leaf.name)?.position ?? 0
    await leader.sql('CREATE TABLE cascaded AS SELECT generate_series(1, 10000) AS id')
    await until('which moves on by what the leaf reports', LIMIT_MS, async () => {
      return ((await slots(leader)).get(leaf.name)?.position ?? 0) > before
    })
    await upstream.stop(LIMIT_MS)
    await until('without its upstream it follows the leader', LIMIT_MS, async () =>
      (await standbys(leader)).includes(leaf.name),
    )
    await upstream.start()
    await until('and the upstream again when it is back', LIMIT_MS, async () =>
      (await standbys(upstream)).includes(leaf.name),
    )
    await tag(leaf, {})
    await cluster.healthy(LIMIT_MS)
  },
)

told('7.4 nostream: a member that must not stream has no upstream and no slot anywhere', async () => {
  const leader = await cluster.healthy(LIMIT_MS)
  const [quiet] = others(leader)
  assert.ok(quiet)
  await tag(quiet, { nostream: true })
  await until('nobody streams to it', LIMIT_MS, async () => !(await standbys(leader)).includes(quiet.name))
  await until('nobody keeps a slot for it', LIMIT_MS, async () => !(await slots(leader)).has(quiet.name))
  const [row] = await quiet.sql("SELECT current_setting('primary_conninfo') AS conninfo")
  assert.equal(row?.['conninfo'], '')
  assert.ok(!(await slots(quiet)).has('changes'), 'logical slots could not be kept there')
  await tag(quiet, {})
  await cluster.healthy(LIMIT_MS)
  await until('its slot is back', LIMIT_MS, async () => (await slots(leader)).has(quiet.name))
})

told('noloadbalance keeps a replica out of the pool of replicas and nothing else', async () => {
  const leader = await cluster.healthy(LIMIT_MS)
  const [replica] = others(leader)
  assert.ok(replica)
  await tag(replica, { noloadbalance: true })
  assert.equal((await replica.rest('GET', '/replica'))?.status, 503)
  assert.equal((await replica.rest('GET', '/health'))?.status, 200)
  await tag(replica, {})
  assert.equal((await replica.rest('GET', '/replica'))?.status, 200)
})

told('postgres 7.3 a slot with cluster_type standby is not made in a cluster of its own', async () => {
  const leader = await cluster.healthy(LIMIT_MS)
  const change = {
    slots: {
      only_standby: { type: 'physical', cluster_type: 'standby' },
      only_primary: { type: 'physical', cluster_type: 'primary' },
    },
  }
  assert.equal((await leader.rest('PATCH', '/config', change))?.status, 200)
  await until('the other one is made', LIMIT_MS, async () => (await slots(leader)).has('only_primary'))
  await sleep(2 * TIMING.loopWait * 1000)
  assert.ok(!(await slots(leader)).has('only_standby'))
  assertNoBug(cluster)
})

function others(leader: Member): readonly Member[] {
  return cluster.members.filter((member) => member !== leader)
}

interface Slot {
  readonly active: boolean
  /** Bytes: confirmed by the consumer, else what is kept. */
  readonly position: number
}

async function slots(member: Member): Promise<ReadonlyMap<string, Slot>> {
  const rows = await member.sql(
    "SELECT slot_name, active, (coalesce(confirmed_flush_lsn, restart_lsn) - '0/0')::float8 AS position FROM pg_replication_slots WHERE NOT temporary ORDER BY 1",
  )
  return new Map(
    rows.map((row) => [
      String(row['slot_name']),
      { active: row['active'] === true, position: Number(row['position']) },
    ]),
  )
}

async function standbys(member: Member): Promise<readonly string[]> {
  const rows = await member.sql("SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'")
  return rows.map((row) => String(row['application_name']))
}

async function consume(member: Member): Promise<readonly number[]> {
  const rows = await member.sql("SELECT data FROM pg_logical_slot_get_changes('changes', NULL, NULL)")
  return rows.flatMap((row) => {
    const value = /^table public\.stream: INSERT: id\[integer\]:(\d+)$/.exec(String(row['data']))?.[1]
    return value === undefined ? [] : [Number(value)]
  })
}

async function tag(member: Member, tags: ConfigDocument): Promise<void> {
  member.config['tags'] = tags
  member.writeConfig()
  member.signalAgent('SIGHUP')
  await until(`the tags of ${member.name} are published`, LIMIT_MS, async () => {
    const text = (await cluster.store.get(cluster.key(`members/${member.name}`))) ?? '{}'
    const published = (JSON.parse(text) as { tags?: ConfigDocument }).tags ?? {}
    return JSON.stringify(published) === JSON.stringify(tags)
  })
}
