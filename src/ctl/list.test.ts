import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Keys, memberKey, ORDERS, testWorld } from './testing/world.ts'

process.env['TZ'] = 'UTC'

const PRETTY = `\
+ Cluster: orders (7412345678901234567) ----+----+-------------+-----+------------+-----+
| Member | Host       | Role    | State     | TL | Receive LSN | Lag | Replay LSN | Lag |
+--------+------------+---------+-----------+----+-------------+-----+------------+-----+
| db1    | 10.20.0.11 | Leader  | running   |  4 |             |     |            |     |
| db2    | 10.20.0.12 | Replica | streaming |  4 |   0/6000000 |   0 |  0/6000000 |   0 |
| db3    | 10.20.0.13 | Replica | streaming |  4 |   0/6000000 |   0 |  0/5A995C0 |   5 |
+--------+------------+---------+-----------+----+-------------+-----+------------+-----+
`

function without(keys: Keys, ...names: string[]): Keys {
  return Object.fromEntries(Object.entries(keys).filter(([key]) => !names.includes(key)))
}

const TAGGED: Keys = {
  ...without(ORDERS, 'members/db2'),
  'members/db3': memberKey('10.20.0.13', { replay_lsn: 0x5a995c0, tags: { dc: 'east', clonefrom: true } }),
}

test('4.5 list prints the worked example', async () => {
  const { code, out, err } = await testWorld({ orders: ORDERS }).run('list')
  assert.equal(out, PRETTY)
  assert.deepEqual([code, err], [0, ''])
})

test('4.5 a cell of several lines puts a rule behind every row; tags are block YAML', async () => {
  const { out } = await testWorld({ orders: TAGGED }).run('list', 'orders')
  assert.equal(
    out,
    `\
+ Cluster: orders (7412345678901234567) ----+----+-------------+-----+------------+-----+-----------------+
| Member | Host       | Role    | State     | TL | Receive LSN | Lag | Replay LSN | Lag | Tags            |
+--------+------------+---------+-----------+----+-------------+-----+------------+-----+-----------------+
| db1    | 10.20.0.11 | Leader  | running   |  4 |             |     |            |     |                 |
+--------+------------+---------+-----------+----+-------------+-----+------------+-----+-----------------+
| db3    | 10.20.0.13 | Replica | streaming |  4 |   0/6000000 |   0 |  0/5A995C0 |   5 | clonefrom: true |
|        |            |         |           |    |             |     |            |     | dc: east        |
+--------+------------+---------+-----------+----+-------------+-----+------------+-----+-----------------+
`,
  )
})

test('4.5 a standby cluster on one host shows ports and its own roles', async () => {
  const at = (port: number, changes: Parameters<typeof memberKey>[1]) =>
    memberKey('127.0.0.1', { conn_url: `postgres://127.0.0.1:${port}/postgres`, timeline: 7, ...changes })
  const keys: Keys = {
    initialize: '7412345678901234567',
    leader: 's1',
    config: { standby_cluster: { host: '10.9.9.9' } },
    status: { optime: 100663296 },
    'members/s1': at(5433, { role: 'standby_leader', replication_state: 'in archive recovery' }),
    'members/s2': at(5434, {}),
    'members/s3': {
      conn_url: 'postgres://127.0.0.1:5435/postgres',
      api_url: 'http://127.0.0.1:8010/patroni',
      state: 'stopped',
      role: 'replica',
    },
  }
  const { out } = await testWorld({ x: keys }).run('list', 'x')
  assert.equal(
    out,
    `\
+ Cluster: x (7412345678901234567) --------+---------------------+----+-------------+-----+------------+-----+
| Member | Host           | Role           | State               | TL | Receive LSN | Lag | Replay LSN | Lag |
+--------+----------------+----------------+---------------------+----+-------------+-----+------------+-----+
| s1     | 127.0.0.1:5433 | Standby Leader | in archive recovery |  7 |             |     |            |     |
| s2     | 127.0.0.1:5434 | Replica        | streaming           |  7 |   0/6000000 |   0 |  0/6000000 |   0 |
| s3     | 127.0.0.1:5435 | Replica        | stopped             |    |     unknown |     |    unknown |     |
+--------+----------------+----------------+---------------------+----+-------------+-----+------------+-----+
`,
  )
})

test('4.5 an unknown cluster is an empty table and no error', async () => {
  const { code, out } = await testWorld({}).run('list', 'x')
  assert.equal(code, 0)
  assert.equal(
    out,
    `\
+ Cluster: x (uninitialized) --+----+-------------+-----+------------+-----+
| Member | Host | Role | State | TL | Receive LSN | Lag | Replay LSN | Lag |
+--------+------+------+-------+----+-------------+-----+------------+-----+
+--------+------+------+-------+----+-------------+-----+------------+-----+
`,
  )
})

const FORMATION: Readonly<Record<string, Keys>> = {
  'shop/0': {
    initialize: '7412345678901234566',
    leader: 'coord1',
    config: { synchronous_mode: 'quorum' },
    status: { optime: 100663296 },
    sync: { leader: 'coord1', sync_standby: 'coord2', quorum: 0 },
    'members/coord1': memberKey('10.30.0.1', { role: 'primary', replication_state: '', timeline: 1 }),
    'members/coord2': memberKey('10.30.0.2', { timeline: 1 }),
  },
  'shop/2': {
    initialize: '7412345678901234567',
    leader: 'work2-1',
    config: { synchronous_mode: 'quorum', pause: true },
    status: { optime: 100663296 },
    sync: { leader: 'work2-1', sync_standby: 'work2-2', quorum: 0 },
    'members/work2-1': memberKey('10.30.0.21', { role: 'primary', replication_state: '', timeline: 1 }),
    'members/work2-2': memberKey('10.30.0.22', { timeline: 1 }),
  },
}

test('4.5 a Citus formation shows every group, and whose maintenance mode is on', async () => {
  const world = testWorld(FORMATION)
  world.env = { ...world.env, PATRONI_CITUS_GROUP: '0', PATRONI_CITUS_DATABASE: 'shop' }
  const { out } = await world.run('list', 'shop')
  assert.equal(
    out,
    `\
+ Citus cluster: shop ---------+----------------+-----------+----+-------------+-----+------------+-----+
| Group | Member  | Host       | Role           | State     | TL | Receive LSN | Lag | Replay LSN | Lag |
+-------+---------+------------+----------------+-----------+----+-------------+-----+------------+-----+
|     0 | coord1  | 10.30.0.1  | Leader         | running   |  1 |             |     |            |     |
|     0 | coord2  | 10.30.0.2  | Quorum Standby | streaming |  1 |   0/6000000 |   0 |  0/6000000 |   0 |
|     2 | work2-1 | 10.30.0.21 | Leader         | running   |  1 |             |     |            |     |
|     2 | work2-2 | 10.30.0.22 | Quorum Standby | streaming |  1 |   0/6000000 |   0 |  0/6000000 |   0 |
+-------+---------+------------+----------------+-----------+----+-------------+-----+------------+-----+
Citus group: 2
 Maintenance mode: on
`,
  )
})

test('4.4 one group of a formation is named in the title and has no column', async () => {
  const { out } = await testWorld(FORMATION).run('list', 'shop', '--group', '2')
  const [title, header] = out.split('\n')
  assert.match(title ?? '', /^\+ Citus cluster: shop \(group: 2, 7412345678901234567\) -/)
  assert.doesNotMatch(header ?? '', /Group/)
  assert.match(out, /\n Maintenance mode: on\n$/)
})

test('4.6 topology draws who replicates from whom', async () => {
  const from = (host: string, replicatefrom?: string) =>
    memberKey(host, replicatefrom === undefined ? {} : { tags: { replicatefrom } })
  const keys: Keys = {
    leader: 'a',
    'members/a': memberKey('10.0.0.1', { role: 'primary' }),
    'members/b': from('10.0.0.2'),
    'members/c': from('10.0.0.3', 'b'),
    'members/d': from('10.0.0.4', 'c'),
    'members/e': from('10.0.0.5', 'nobody'),
    'members/f': from('10.0.0.6', 'g'),
    'members/g': from('10.0.0.7', 'f'),
  }
  const { out } = await testWorld({ orders: keys }).run('topology')
  const names = out
    .split('\n')
    .slice(3, -2)
    .map((line) => line.slice(0, 12))
  assert.deepEqual(names, [
    '| a       | ',
    '| + b     | ',
    '|   + c   | ',
    '|     + d | ',
    '| + e     | ',
    // In a circle: no way leads there from the root, yet they exist.
    '| + f     | ',
    '| + g     | ',
  ])
  assert.match(out, /\{replicatefrom: b\}/)
})

test('4.7 the footer tells a scheduled switchover', async () => {
  const failover = { leader: 'db1', member: 'db2', scheduled_at: '2030-01-01T10:00:00+00:00' }
  const config = { pause: true }
  const { out } = await testWorld({ orders: { ...ORDERS, failover, config } }).run('list')
  assert.equal(
    out.slice(PRETTY.length),
    `\
 Maintenance mode: on
 Switchover scheduled at: 2030-01-01T10:00:00+00:00
                    from: db1
                      to: db2
`,
  )
})

test('4.8 tsv, json and yaml are for programs', async () => {
  const world = testWorld({ orders: TAGGED })
  assert.equal(
    (await world.run('list', '-f', 'tsv')).out,
    `\
Cluster\tMember\tHost\tRole\tState\tTL\tReceive LSN\tReceive Lag\tReplay LSN\tReplay Lag\tTags
orders\tdb1\t10.20.0.11\tLeader\trunning\t4\t\t\t\t\t
orders\tdb3\t10.20.0.13\tReplica\tstreaming\t4\t0/6000000\t0\t0/5A995C0\t5\t{clonefrom: true, dc: east}
`,
  )
  const { 'members/db3': _, ...single } = TAGGED
  world.clusters.set('orders', single)
  assert.equal(
    (await world.run('list', '-fyaml')).out,
    `\
- Cluster: orders
  Host: 10.20.0.11
  Member: db1
  Role: Leader
  State: running
  TL: 4

`,
  )
  world.clusters.set('orders', {
    ...TAGGED,
    'members/db3': memberKey('10.20.0.13', { replay_lsn: 0x5a995c0, tags: { clonefrom: true, dc: 'eäst' } }),
  })
  assert.equal(
    (await world.run('list', '-f', 'json', '-e')).out,
    '[{"Cluster": "orders", "Member": "db1", "Host": "10.20.0.11", "Role": "Leader", "State": "running", "TL": 4}, {"Cluster": "orders", "Member": "db3", "Host": "10.20.0.13", "Role": "Replica", "State": "streaming", "TL": 4, "Receive LSN": "0/6000000", "Receive Lag": 0, "Replay LSN": "0/5A995C0", "Replay Lag": 5, "Tags": {"clonefrom": true, "dc": "e\\u00e4st"}}]\n',
  )
})

test('4.2 restart columns: flag, reasons (long ones hidden for people only), schedule with its condition', async () => {
  const long = { old_value: 'x'.repeat(40), new_value: 'y'.repeat(40) }
  const db2 = memberKey('10.20.0.12', {
    pending_restart: true,
    pending_restart_reason: { max_connections: { old_value: '100', new_value: '200' }, shared_preload_libraries: long },
    scheduled_restart: { schedule: '2030-05-02T00:00:00+00:00', postgres_version: '16.0' },
  })
  const world = testWorld({ orders: { ...ORDERS, 'members/db2': db2 } })
  const { out } = await world.run('list')
  assert.match(out, /\| \* +\| max_connections: 100->200 +\| 2030-05-02T00:00:00\+00:00 if version < 16.0 \|/)
  assert.match(out, /\| shared_preload_libraries: \[hidden - too long\] \|/)
  const rows = JSON.parse((await world.run('list', '-f', 'json')).out) as Record<string, unknown>[]
  assert.equal(rows[1]?.['Pending restart'], '*')
  assert.equal(
    rows[1]?.['Pending restart reason'],
    `max_connections: 100->200\nshared_preload_libraries: ${'x'.repeat(40)}->${'y'.repeat(40)}`,
  )
  assert.equal('Pending restart' in (rows[0] ?? {}), false)
})

test('4.2 members that publish one position only: received while streaming, else replayed', async () => {
  const old = (host: string, replication_state: string) => {
    const { receive_lsn: _r, replay_lsn: _p, ...key } = memberKey(host, { replication_state })
    return key
  }
  const keys = { ...ORDERS, 'members/db2': old('10.20.0.12', 'streaming'), 'members/db3': old('10.20.0.13', '') }
  const { out } = await testWorld({ orders: keys }).run('list', '-f', 'tsv')
  assert.match(out, /db2\t10.20.0.12\tReplica\tstreaming\t4\t0\/6000000\t0\tunknown\t\n/)
  assert.match(out, /db3\t10.20.0.13\tReplica\trunning\t4\tunknown\t\t0\/6000000\t0\n/)
})

test('8.1 several clusters make several documents, below one timestamp', async () => {
  const world = testWorld({ orders: ORDERS, x: {} })
  const { out } = await world.run('list', 'x', 'orders', '-t', '-f', 'json')
  const [time, first, second] = out.split('\n')
  assert.equal(time, '2030-05-01 10:14:36')
  assert.equal(first, '[]')
  assert.match(second ?? '', /^\[\{"Cluster": "orders"/)
})

test('8.1 without a name and a scope there is only a warning', async () => {
  const world = testWorld({})
  world.env = {}
  const { code, out, err } = await world.run('list')
  assert.deepEqual([code, out], [0, ''])
  assert.equal(err, '2030-05-01 10:14:36,139 - WARNING - Listing members: No cluster names were provided\n')
})

test('4.9 watching reads anew every time and survives a store that fails meanwhile', async () => {
  const world = testWorld({ orders: ORDERS })
  world.interactive = true
  const waits: number[] = []
  world.onWait = (waitedMs) => {
    waits.push(waitedMs)
    world.storeAnswers = waits.length === 1 ? 'unknown' : 'done'
    if (waits.length === 3) throw new Error('end of the test')
  }
  const { out, err } = await world.run('list', '-w', '1.5')
  assert.deepEqual(waits, [1500, 3000, 4500])
  assert.equal(out, `\u001b[2J\u001b[1;1H${PRETTY}\u001b[2J\u001b[1;1H\u001b[2J\u001b[1;1H${PRETTY}`)
  assert.match(err, /^Error: etcd3 at 127.0.0.1:2379 did not answer: timed out \(.*\)\n/)
})

test('1.2 a store that does not answer is one line and exit code 1', async () => {
  const world = testWorld({ orders: ORDERS })
  world.storeAnswers = 'unknown'
  assert.deepEqual(await world.run('list'), {
    code: 1,
    out: '',
    err: 'Error: etcd3 at 127.0.0.1:2379 did not answer: timed out (does it run, and is the way there open?)\n',
  })
})
