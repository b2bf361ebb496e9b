import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answered, type Keys, memberKey, ORDERS, testWorld } from './testing/world.ts'

process.env['TZ'] = 'UTC'

const paused = (keys: Keys, ...names: string[]): Keys => ({
  ...keys,
  ...Object.fromEntries(
    names.map((name) => [`members/${name}`, { ...(keys[`members/${name}`] as object), pause: true }]),
  ),
})

test('8.9 pause asks the leader first, then whoever answers', async () => {
  const world = testWorld({ orders: { ...ORDERS, leader: 'db2' } })
  world.answer = ({ url }) =>
    url.includes('10.20.0.12') ? { kind: 'unknown', reason: 'timed out' } : answered(200, '{}')
  const { code, out, err } = await world.run('pause')
  assert.deepEqual([code, out], [0, 'Success: cluster management is paused\n'])
  assert.match(err, /WARNING - timed out \(.*\)\n.* - WARNING - Member db2 is not accessible\n$/)
  assert.deepEqual(
    world.sent.map(({ method, url, body }) => [method, url, body]),
    [
      ['PATCH', 'https://10.20.0.12:8008/config', { pause: true }],
      ['PATCH', 'https://10.20.0.11:8008/config', { pause: true }],
    ],
  )
})

test('8.9 resume: states, refusals, nobody there', async () => {
  const world = testWorld({ orders: ORDERS })
  assert.deepEqual((await world.run('resume')).err, 'Error: Cluster is not paused\n')
  assert.match((await world.run('pause')).err, /\nError: Can not find accessible cluster member\n$/)
  world.clusters.set('orders', { ...ORDERS, config: { pause: true } })
  assert.equal((await world.run('pause')).err, 'Error: Cluster is already paused\n')
  world.answer = () => answered(401, 'not authenticated')
  const refused = await world.run('resume')
  assert.equal(refused.out, 'Failed: resume cluster management status code=401, (not authenticated)\n')
  assert.equal(refused.code, 0)
  world.answer = () => answered(200, '{}')
  assert.equal((await world.run('resume')).out, 'Success: cluster management is resumed\n')
  assert.deepEqual(world.sent.at(-1)?.body, { pause: null })
})

test('8.9 resume: who resumes a cluster that nobody leads is told what to look after', async () => {
  const world = testWorld({ orders: { ...ORDERS, config: { pause: true } } })
  world.answer = () => answered(200, '{}')
  assert.equal((await world.run('resume')).err, '')
  const { leader: _gone, ...leaderless } = ORDERS
  world.clusters.set('orders', { ...leaderless, config: { pause: true } })
  const { out, err } = await world.run('resume')
  assert.equal(out, 'Success: cluster management is resumed\n')
  assert.match(
    err,
    /Nobody has the lock. A primary that runs without its agent\? Start its agent at once, or stop it\n$/,
  )
})

test('10 pause --wait ends when every member says so', async () => {
  const world = testWorld({ orders: ORDERS })
  world.answer = () => answered(200, '{}')
  world.onWait = (waitedMs) => {
    world.clusters.set('orders', waitedMs < 3000 ? paused(ORDERS, 'db1') : paused(ORDERS, 'db1', 'db2', 'db3'))
  }
  assert.equal(
    (await world.run('pause', '--wait')).out,
    `\
'pause' request sent, waiting until it is recognized by all nodes
Success: cluster management is paused
`,
  )
})

test('8.9 pause --wait names members that wrote their key and still do not say so; silent ones on standard error', async () => {
  const world = testWorld({ orders: ORDERS })
  world.answer = () => answered(200, '{}')
  const silent = await world.run('pause', '--wait')
  assert.match(silent.out, /Success: cluster management is paused\n$/)
  assert.match(silent.err, /No word yet from db1, db2, db3\n$/)
  // Versions follow the order of keys: one key more in front gives every other a new version.
  world.onWait = () => world.clusters.set('orders', { history: [], ...paused(ORDERS, 'db1', 'db3') })
  const { out } = await world.run('pause', '--wait')
  assert.match(out, /\ndb2 members didn't recognized pause state after 10 seconds\n$/)
})

test('10 history in its forms', async () => {
  const history = [
    [1, 25623960, 'no recovery target specified'],
    [2, 50331864, 'no recovery target specified', '2030-03-02T08:15:30.125527+00:00', 'db2'],
    [3, 83886704, 'before 2030-03-02 09:00:00+00', '2030-03-02T09:52:26.948134+00:00', 'db1'],
  ]
  const world = testWorld({ orders: { ...ORDERS, history } })
  assert.equal(
    (await world.run('history')).out,
    `\
+----+----------+-------------------------------+----------------------------------+------------+
| TL |      LSN | Reason                        | Timestamp                        | New Leader |
+----+----------+-------------------------------+----------------------------------+------------+
|  1 | 25623960 | no recovery target specified  |                                  |            |
|  2 | 50331864 | no recovery target specified  | 2030-03-02T08:15:30.125527+00:00 | db2        |
|  3 | 83886704 | before 2030-03-02 09:00:00+00 | 2030-03-02T09:52:26.948134+00:00 | db1        |
+----+----------+-------------------------------+----------------------------------+------------+
`,
  )
  const json = (await world.run('history', '-f', 'json')).out
  assert.ok(
    json.startsWith(
      '[{"TL": 1, "LSN": 25623960, "Reason": "no recovery target specified", "Timestamp": "", "New Leader": ""}, ',
    ),
  )
  assert.match((await world.run('history', '-f', 'tsv')).out, /^TL\tLSN\tReason\tTimestamp\tNew Leader\n1\t25623960\t/)
  world.clusters.set('orders', {})
  assert.equal((await world.run('history', '-f', 'yaml')).out, '[]\n\n')
})

test('10 show-config', async () => {
  const world = testWorld({ orders: ORDERS, x: {} })
  assert.equal(
    (await world.run('show-config')).out,
    `\
loop_wait: 10
maximum_lag_on_failover: 1048576
postgresql:
  parameters:
    max_connections: 100
    work_mem: 4MB
  use_pg_rewind: true
retry_timeout: 10
ttl: 30

`,
  )
  assert.deepEqual(await world.run('show-config', 'x'), { code: 0, out: '', err: '' })
})

test('8.16 remove asks three times', async () => {
  const world = testWorld({ orders: ORDERS })
  world.input = ['orders', 'Yes I am aware', 'db1']
  const { code, out } = await world.run('remove', 'orders')
  assert.equal(code, 0)
  assert.ok(
    out.endsWith(`\
Please confirm the cluster name to remove: orders
You are about to remove all information in DCS for orders, please type: "Yes I am aware": Yes I am aware
This cluster currently is healthy. Please specify the leader name to continue: db1
`),
  )
  assert.deepEqual(world.written, [{ cluster: 'orders', key: '', value: null }])
  const refused = async (...input: string[]) => {
    world.input = input
    return (await world.run('remove', 'orders')).err
  }
  assert.equal(await refused('order'), 'Error: Cluster names specified do not match\n')
  assert.equal(await refused('orders', 'yes'), 'Error: You did not exactly type "Yes I am aware"\n')
  const wrong = 'Error: You did not specify the current leader of the cluster\n'
  assert.equal(await refused('orders', 'Yes I am aware', 'db2'), wrong)
  assert.equal(world.written.length, 1)
})

test('10 demote-cluster follows the demotion to its end', async () => {
  const world = testWorld({ orders: ORDERS })
  world.answer = () => answered(200, '{}')
  world.input = ['y']
  const { leader: _, ...unlocked } = ORDERS
  const standbyLeader = (state: string) => memberKey('10.20.0.12', { role: 'standby_leader', state })
  const stopping = memberKey('10.20.0.11', { role: 'primary', state: 'stopping' })
  const steps: Record<number, Keys> = {
    2: unlocked,
    3: { ...ORDERS, leader: 'db2', 'members/db1': stopping, 'members/db2': standbyLeader('starting') },
    4: { ...ORDERS, leader: 'db2', 'members/db2': standbyLeader('running') },
  }
  world.onWait = (waitedMs) => {
    const keys = steps[waitedMs / 1000]
    if (keys) world.clusters.set('orders', keys)
  }
  const argv = ['demote-cluster', 'orders', '--host', '10.9.9.9', '--port', '5432', '--primary-slot-name', 'dc2']
  const { code, out } = await world.run(...argv)
  assert.equal(code, 0)
  assert.match(
    out,
    /\nAre you sure you want to demote orders cluster\? \[y\/N\]: y\n2030-05-01 10:14:37 cluster is unlocked: False, leader role: primary, leader state: running\n2030-05-01 10:14:38 cluster is unlocked: True, leader role: None, leader state: None\n2030-05-01 10:14:39 cluster is unlocked: False, leader role: standby_leader, leader state: starting, previous leader state: 'stopping'\n2030-05-01 10:14:40 cluster is successfully demoted\n\+ Cluster/,
  )
  assert.deepEqual(world.sent, [
    {
      method: 'PATCH',
      url: 'https://10.20.0.11:8008/config',
      body: { standby_cluster: { host: '10.9.9.9', port: 5432, primary_slot_name: 'dc2' } },
    },
  ])
})

test('8.15 demote-cluster and promote-cluster refuse what makes no sense', async () => {
  const world = testWorld({ orders: ORDERS, x: {} })
  const err = async (...argv: string[]) => (await world.run(...argv)).err
  const nothing = 'Error: At least --host, --port or --restore-command should be specified\n'
  assert.equal(await err('demote-cluster', '--primary-slot-name', 's'), nothing)
  assert.equal(await err('promote-cluster', 'x'), 'Error: Cluster has no leader, promotion is not possible\n')
  assert.equal(await err('promote-cluster'), 'Error: Cluster is already in the required state\n')
  world.answer = () => answered(500, 'no')
  assert.equal(
    await err('demote-cluster', '--host', 'h', '--force'),
    'Error: Failed to demote orders cluster: Failed to demote orders cluster: /config PATCH status code=500, (no)\n',
  )
})
