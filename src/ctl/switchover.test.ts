import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answered, type Keys, memberKey, ORDERS, type TestWorld, testWorld } from './testing/world.ts'

process.env['TZ'] = 'UTC'

async function tableOf(world: TestWorld, cluster = 'orders'): Promise<string> {
  return (await world.run('list', cluster)).out
}

const AFTER_WITH_API: Keys = {
  ...ORDERS,
  leader: 'db2',
  'members/db1': memberKey('10.20.0.11', { state: 'stopped', replication_state: '' }),
}

const AFTER: Keys = {
  ...ORDERS,
  leader: 'db2',
  'members/db1': { conn_url: 'postgres://10.20.0.11:5432/postgres', state: 'stopped', role: 'replica' },
  'members/db2': memberKey('10.20.0.12', { role: 'primary', replication_state: '' }),
}

test('10 an interactive switchover asks, calls the leader once and shows both tables', async () => {
  const world = testWorld({ orders: ORDERS })
  const before = await tableOf(world)
  world.input = ['', 'db2', '', 'y']
  world.answer = () => {
    world.clusters.set('orders', AFTER)
    return answered(200, 'Successfully switched over to "db2"')
  }
  const { code, out } = await world.run('switchover', 'orders')
  const after = await tableOf(world)
  assert.equal(
    out,
    `\
Current cluster topology
${before}Primary [db1]: 
Candidate ['db2', 'db3'] []: db2
When should the switchover take place (e.g. 2030-05-01T11:14 )  [now]: 
Are you sure you want to switchover cluster orders, demoting current leader db1? [y/N]: y
2030-05-01 10:14:36.13900 Successfully switched over to "db2"
${after}`,
  )
  assert.equal(code, 0)
  assert.deepEqual(world.sent, [
    { method: 'POST', url: 'https://10.20.0.11:8008/switchover', body: { candidate: 'db2', leader: 'db1' } },
  ])
})

test('10 a scheduled switchover by force sends the time as it was given', async () => {
  const world = testWorld({ orders: ORDERS })
  world.answer = () => answered(202, 'Switchover scheduled')
  const scheduled = '2030-05-01T22:00+02:00'
  const { out } = await world.run('switchover', '--candidate', 'db2', '--scheduled', scheduled, '--force')
  assert.match(out, /\n2030-05-01 10:14:36.13900 Switchover scheduled\n\+ Cluster/)
  assert.deepEqual(world.sent[0]?.body, {
    candidate: 'db2',
    leader: 'db1',
    scheduled_at: '2030-05-01T22:00:00+02:00',
  })
})

test('8.13 without force a scheduled switchover is confirmed with its time', async () => {
  const world = testWorld({ orders: ORDERS })
  world.input = ['db1', '', '2030-05-02 10:00', 'n']
  const { code, out, err } = await world.run('switchover')
  assert.match(
    out,
    /Are you sure you want to schedule switchover of cluster orders at 2030-05-02T10:00:00\+00:00, demoting current leader db1\? \[y\/N\]: n\n$/,
  )
  assert.deepEqual([code, err], [1, 'Error: Aborting scheduled switchover\n'])
  assert.deepEqual(world.sent, [])
})

const SINGLE: Keys = { ...ORDERS, 'members/db2': memberKey('10.20.0.12', { tags: { nofailover: true } }) }
const { 'members/db3': _, ...NO_CANDIDATE } = SINGLE

const REFUSALS: readonly (readonly [string, Keys, readonly string[], string])[] = [
  ['no leader', { 'members/db2': memberKey('h') }, ['switchover'], 'This cluster has no leader'],
  ['another leader', ORDERS, ['switchover', '--leader', 'db2'], 'Member db2 is not the leader of cluster orders'],
  ['the alias --primary', ORDERS, ['switchover', '--primary', 'x'], 'Member x is not the leader of cluster orders'],
  ['nobody to switch to', NO_CANDIDATE, ['switchover', '--force'], 'No candidates found to switchover to'],
  ['nobody to fail over to', NO_CANDIDATE, ['failover', '--force'], 'No candidates found to failover to'],
  ['no candidate', ORDERS, ['failover', '--force'], 'Failover could be performed only to a specific candidate'],
  [
    'the leader as candidate',
    ORDERS,
    ['failover', '--candidate', 'db1', '--force'],
    'Member db1 is already the leader of cluster orders',
  ],
  [
    'an excluded candidate',
    SINGLE,
    ['failover', '--candidate', 'db2', '--force'],
    'Member db2 does not exist in cluster orders or is tagged as nofailover',
  ],
  [
    'a schedule in pause',
    { ...ORDERS, config: { pause: true } },
    ['switchover', '--scheduled', '2030-05-02T10:00', '--force'],
    "Can't schedule switchover in the paused state",
  ],
  [
    'a time that is none',
    ORDERS,
    ['switchover', '--scheduled', '2030-02-30', '--force'],
    'Unable to parse scheduled timestamp (2030-02-30). It should be in an unambiguous format (e.g. ISO 8601)',
  ],
  [
    'a zone that is only a name',
    ORDERS,
    ['switchover', '--scheduled', '2030-02-20 10:00 EST', '--force'],
    'Unable to parse scheduled timestamp (2030-02-20 10:00 EST). It should be in an unambiguous format (e.g. ISO 8601)',
  ],
]

for (const [title, keys, argv, message] of REFUSALS) {
  test(`8.13 refused before any request: ${title}`, async () => {
    const world = testWorld({ orders: keys })
    const { code, err } = await world.run(...argv)
    const hint = keys === NO_CANDIDATE ? '2030-05-01 10:14:36,139 - WARNING - Tagged as nofailover: db2\n' : ''
    assert.deepEqual([code, err, world.sent], [1, `${hint}Error: ${message}\n`, []])
  })
}

test('8.13 what the server refuses is told with exit code 0, with --strict 3', async () => {
  const world = testWorld({ orders: ORDERS })
  const text = 'switchover is not possible: no good candidates have been found'
  world.answer = () => answered(412, text)
  const refused = await world.run('switchover', '--force')
  assert.equal(refused.code, 0)
  assert.ok(refused.out.endsWith(`\nSwitchover failed, details: 412, ${text}\n`))
  assert.equal((await world.run('--strict', 'switchover', '--force')).code, 3)
})

test('8.13 an answer that knows nothing is called unknown', async () => {
  const world = testWorld({ orders: ORDERS })
  const text = 'Failover status unknown after 20 seconds; operation may still be in progress'
  world.answer = () => answered(503, text)
  const { out } = await world.run('failover', '--candidate', 'db2', '--force')
  assert.ok(out.endsWith(`\nFailover result unknown, details: 503, ${text}\n`))
  assert.deepEqual(world.sent[0]?.body, { candidate: 'db2' })
})

test('8.13 a leader that cannot be reached: the wish goes into the store', async () => {
  const world = testWorld({ orders: ORDERS })
  const table = await tableOf(world)
  const { code, out, err } = await world.run('switchover', '--force', '--candidate', 'db3')
  assert.equal(
    out,
    `Current cluster topology\n${table}2030-05-01 10:14:36.13900 Could not switchover using Patroni api, falling back to DCS\n${table}`,
  )
  assert.match(err, /WARNING - connect ECONNREFUSED \(.*\)\n.*WARNING - Failing over to DCS\n$/)
  assert.equal(code, 0)
  assert.deepEqual(world.written, [
    { cluster: 'orders', key: 'failover', value: { leader: 'db1', candidate: 'db3', scheduledAt: null } },
  ])
})

test('8.13 a broken connection after the request left queues no second switchover', async () => {
  const world = testWorld({ orders: ORDERS })
  world.answer = () => ({ kind: 'unknown', reason: 'https://10.20.0.11:8008: socket hang up' })
  const { out } = await world.run('switchover', '--force')
  assert.ok(out.endsWith('\nSwitchover result unknown, details: https://10.20.0.11:8008: socket hang up\n'))
  assert.deepEqual(world.written, [])
})

test('8.13 a store that fails after the server accepted changes nothing about success', async () => {
  const world = testWorld({ orders: ORDERS })
  world.answer = () => {
    world.storeAnswers = 'unknown'
    return answered(200, 'Successfully switched over to "db2"')
  }
  const { code, out, err } = await world.run('switchover', '--force')
  assert.ok(out.endsWith('\n2030-05-01 10:14:36.13900 Successfully switched over to "db2"\n'))
  assert.match(err, /did not answer/)
  assert.deepEqual([code, world.written], [0, []])
})

test('8.13 an old member that knows no switchover is asked for a failover with the same body', async () => {
  const world = testWorld({ orders: ORDERS })
  world.answer = ({ url }) =>
    url.endsWith('/switchover')
      ? answered(501, '<p>Message: Server does not support this operation.</p>')
      : answered(200, 'Successfully failed over to "db2"')
  const { out } = await world.run('switchover', '--force')
  assert.match(out, /Successfully failed over to "db2"/)
  assert.deepEqual(world.sent[1], {
    method: 'POST',
    url: 'https://10.20.0.11:8008/failover',
    body: { candidate: null, leader: 'db1' },
  })
})

test('10 a failover to an asynchronous node wants one more answer; without a leader the candidate is called', async () => {
  const config = { synchronous_mode: true }
  const sync = { leader: 'db1', sync_standby: 'db2', quorum: 0 }
  const world = testWorld({ orders: { ...ORDERS, config, sync } })
  world.answer = () => answered(200, 'Successfully failed over to "db3"')
  world.input = ['y', 'y']
  const { out } = await world.run('failover', '--candidate', 'db3')
  assert.match(
    out,
    /\nAre you sure you want to failover to the asynchronous node db3\? \[y\/N\]: y\nAre you sure you want to failover cluster orders, demoting current leader db1\? \[y\/N\]: y\n/,
  )
  world.input = ['n']
  assert.equal((await world.run('failover', '--candidate', 'db3')).err, 'Error: Aborting failover\n')
  world.input = ['y']
  const { leader: _leader, ...leaderless } = ORDERS
  world.clusters.set('orders', leaderless)
  const { out: said } = await world.run('failover', '--candidate', 'db2')
  assert.match(said, /Are you sure you want to failover cluster orders\? /)
  assert.equal(world.sent.at(-1)?.url, 'https://10.20.0.12:8008/failover')
})

test('8.13 in a formation a group is asked for, and demanded with --force', async () => {
  const world = testWorld({ 'shop/0': { ...ORDERS }, 'shop/1': AFTER })
  world.env = { ...world.env, PATRONI_CITUS_GROUP: '0', PATRONI_CITUS_DATABASE: 'shop' }
  const forced = await world.run('switchover', 'shop', '--force')
  assert.equal(forced.err, 'Error: For Citus clusters the --group must me specified\n')
  world.input = ['x', '1', '', '', '', 'n']
  const { out } = await world.run('switchover', 'shop')
  assert.match(out, /Citus group: x\nError: 'x' is not a valid integer.\nCitus group: 1\nPrimary \[db2\]: /)
})

test('1.3 the end of input at a prompt aborts', async () => {
  const world = testWorld({ orders: ORDERS })
  world.input = ['', 'db2']
  const { code, err } = await world.run('switchover')
  assert.deepEqual([code, err], [1, 'Aborted!\n'])
})

test('--wait follows every member until the new leader leads and the others follow', async () => {
  const world = testWorld({ orders: ORDERS })
  let polls = 0
  world.answer = ({ method, url }) => {
    if (method === 'POST') {
      world.clusters.set('orders', AFTER_WITH_API)
      return answered(200, 'Successfully switched over to "db2"')
    }
    polls += 1
    const status = (role: string, state: string, replication_state?: string) =>
      answered(200, JSON.stringify({ role, state, ...(replication_state ? { replication_state } : {}) }))
    if (url.includes('10.20.0.12')) return status('primary', 'running')
    if (url.includes('10.20.0.13')) return status('replica', 'running', 'streaming')
    return polls < 4 ? status('replica', 'starting') : status('replica', 'running', 'streaming')
  }
  const { code, out } = await world.run('switchover', '--candidate', 'db2', '--force', '--wait')
  assert.equal(code, 0)
  assert.match(
    out,
    /\nWaiting for members to be in service again: db1, db2, db3\nMember db2 is leading\nMember db3 is following\nWaiting for members to be in service again: db1\nMember db1 is following\n\+ Cluster/,
  )
  const contradiction = await world.run('switchover', '--wait', '--scheduled', '2030-05-02', '--force')
  assert.equal(contradiction.err, 'Error: --wait and --scheduled are mutually exclusive options\n')
})

test('--wait ends at its limit and says where it stands', async () => {
  const world = testWorld({ orders: ORDERS })
  world.answer = ({ method }) =>
    method === 'POST' ? answered(200, 'done') : answered(200, '{"role": "replica", "state": "starting"}')
  const { code, err } = await world.run('--strict', 'switchover', '--force', '--wait')
  assert.equal(code, 3)
  assert.match(
    err,
    /WARNING - Not finished after 600 seconds: db1: replica, starting; db2: replica, starting; db3: replica, starting. It goes on by itself\n$/,
  )
})
