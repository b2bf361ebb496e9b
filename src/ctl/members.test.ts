import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answered, type Keys, memberKey, ORDERS, testWorld } from './testing/world.ts'

process.env['TZ'] = 'UTC'

/** What a command prints below the table. */
function below(out: string): string {
  return out.slice(out.lastIndexOf('-+\n') + 3)
}

test('8.10 reload: every answer has its line, unreachable members do not stop the others', async () => {
  const world = testWorld({ orders: ORDERS })
  world.answer = ({ url }) => {
    if (url.includes('10.20.0.11')) return answered(202, 'reload scheduled')
    return url.includes('10.20.0.12') ? { kind: 'not sent', reason: 'connect ECONNREFUSED' } : answered(200, 'nothing')
  }
  const { code, out } = await world.run('reload', 'orders', '--force')
  assert.equal(
    below(out),
    `\
Reload request received for member db1 and will be processed within 10 seconds
Failed: reload for member db2, connect ECONNREFUSED (nothing listens there: does it run, and is this its address?)
No changes to apply on member db3
`,
  )
  assert.equal(code, 0)
  assert.deepEqual(world.sent[0], { method: 'POST', url: 'https://10.20.0.11:8008/reload', body: null })
})

test('7 names that are no candidates are left out; none left is an error', async () => {
  const world = testWorld({ orders: ORDERS })
  world.answer = () => answered(202, '')
  const partly = await world.run('reload', 'orders', 'db2', 'db9', '--force')
  assert.equal(world.sent.length, 1)
  assert.match(partly.err, /WARNING - There is no member db9 in cluster orders\n$/)
  const none = await world.run('reload', 'orders', 'db1', '--role', 'replica', '--force')
  assert.deepEqual([none.code, none.err], [1, "Error: No 'replica' among provided members\n"])
  const leaderless = await world.run('reinit', 'orders', 'db1', '--force')
  assert.equal(leaderless.err, 'Error: No replica among provided members\n')
  const empty = await world.run('reload', 'x')
  assert.deepEqual([empty.out, empty.err], ['', "Error: x cluster doesn't have any members\n"])
})

test('7 a declined confirmation is an error', async () => {
  const world = testWorld({ orders: ORDERS })
  world.input = ['maybe', 'NO']
  const { code, out, err } = await world.run('reload', 'orders', 'db3', 'db2')
  assert.equal(
    below(out),
    `\
Are you sure you want to reload members db2, db3? [y/N]: maybe
Error: invalid input
Are you sure you want to reload members db2, db3? [y/N]: NO
`,
  )
  assert.deepEqual([code, err], [1, 'Error: Aborted reload\n'])
})

const PENDING: Keys = {
  ...ORDERS,
  'members/db2': memberKey('10.20.0.12', {
    pending_restart: true,
    pending_restart_reason: {
      max_connections: { old_value: '100', new_value: '200' },
      shared_buffers: { old_value: '128MB', new_value: '256MB' },
    },
  }),
}
const { 'members/db3': _, ...TWO_MEMBERS } = PENDING

test('10 restart of pending members by force', async () => {
  const world = testWorld({ orders: TWO_MEMBERS })
  world.answer = () => answered(200, 'restarted successfully')
  const { out } = await world.run('restart', 'orders', '--pending', '--force')
  assert.equal(
    out,
    `\
+ Cluster: orders (7412345678901234567) ----+----+-------------+-----+------------+-----+-----------------+------------------------------+
| Member | Host       | Role    | State     | TL | Receive LSN | Lag | Replay LSN | Lag | Pending restart | Pending restart reason       |
+--------+------------+---------+-----------+----+-------------+-----+------------+-----+-----------------+------------------------------+
| db1    | 10.20.0.11 | Leader  | running   |  4 |             |     |            |     |                 |                              |
+--------+------------+---------+-----------+----+-------------+-----+------------+-----+-----------------+------------------------------+
| db2    | 10.20.0.12 | Replica | streaming |  4 |   0/6000000 |   0 |  0/6000000 |   0 | *               | max_connections: 100->200    |
|        |            |         |           |    |             |     |            |     |                 | shared_buffers: 128MB->256MB |
+--------+------------+---------+-----------+----+-------------+-----+------------+-----+-----------------+------------------------------+
Success: restart on member db2
`,
  )
  assert.deepEqual(world.sent, [
    { method: 'POST', url: 'https://10.20.0.12:8008/restart', body: { restart_pending: true } },
  ])
})

test('10 restart asks when, whether, and for which versions', async () => {
  const world = testWorld({ orders: ORDERS })
  world.answer = () => answered(200, 'restarted successfully')
  world.input = ['', 'y', '']
  const { out } = await world.run('restart', 'orders', 'db1', 'db2')
  assert.equal(
    below(out),
    `\
When should the restart take place (e.g. 2030-05-01T11:14)  [now]: 
Are you sure you want to restart members db1, db2? [y/N]: y
Restart if the PostgreSQL version is less than provided (e.g. 9.5.2)  []: 
Success: restart on member db1
Success: restart on member db2
`,
  )
  assert.deepEqual(world.sent[0]?.body, {})
})

test('8.11 a scheduled restart replaces the one that a member already has', async () => {
  const db2 = memberKey('10.20.0.12', { scheduled_restart: { schedule: '2030-05-01T12:00:00+00:00' } })
  const world = testWorld({ orders: { ...ORDERS, 'members/db2': db2 } })
  world.answer = ({ method }) => (method === 'DELETE' ? answered(200, '') : answered(202, 'Restart scheduled'))
  const argv = [
    'restart',
    'orders',
    'db2',
    '--scheduled',
    '2030-05-01 20:00',
    '--timeout',
    '10min',
    '--pg-version',
    '16.4',
  ]
  const { out } = await world.run(...argv, '--force')
  assert.match(out, /\nSuccess: restart scheduled on member db2\n$/)
  assert.deepEqual(
    world.sent.map(({ method, body }) => [method, body]),
    [
      ['DELETE', null],
      ['POST', { postgres_version: '16.4', schedule: '2030-05-01T20:00:00+00:00', timeout: '10min' }],
    ],
  )
  world.answer = () => answered(409, 'conflict')
  assert.match((await world.run(...argv)).err, /Aborted!/)
  world.input = ['y']
  assert.match(
    (await world.run(...argv)).out,
    /Are you sure you want to schedule restart of members db2 at 2030-05-01 20:00:00\+00:00\? \[y\/N\]: y\nFailed: another restart is already scheduled on member db2\n$/,
  )
})

test('8.11 restart refuses what cannot be', async () => {
  const world = testWorld({ orders: { ...ORDERS, config: { pause: true } } })
  const refused = async (...argv: string[]) => (await world.run('restart', 'orders', '--force', ...argv)).err
  assert.equal(await refused('--scheduled', '2030-05-02'), "Error: Can't schedule restart in the paused state\n")
  const wrong = 'Error: Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted: 9.6\n'
  assert.equal(await refused('--pg-version', '9.6'), wrong)
  assert.equal(await refused('--pg-version', '1.x.3'), 'Error: Invalid PostgreSQL version: 1.x.3\n')
  assert.deepEqual(world.sent, [])
})

test('8.11 --any restarts one member', async () => {
  const world = testWorld({ orders: ORDERS })
  world.answer = () => answered(503, 'restart failed')
  const { out, code } = await world.run('restart', 'orders', '-r', 'replica', '--any', '--force')
  assert.equal(below(out), 'Failed: restart for member db2, status code=503, (restart failed)\n')
  assert.equal(code, 0)
})

test('10 reinit offers to cancel what is running, and says who is meant', async () => {
  const world = testWorld({ orders: ORDERS })
  world.input = ['db2', 'y', 'y']
  world.answer = ({ body }) =>
    body?.['force'] ? answered(200, 'reinitialize started') : answered(503, 'restart already in progress')
  const { out } = await world.run('reinit', 'orders')
  assert.equal(
    below(out),
    `\
Which member do you want to reinitialize [db2, db3]? []: db2
Are you sure you want to reinitialize members db2? [y/N]: y
Failed: reinitialize for member db2, status code=503, (restart already in progress)
Do you want to cancel it and reinitialize anyway? [y/N]: y
Success: reinitialize for member db2
`,
  )
  assert.deepEqual(
    world.sent.map(({ body }) => body),
    [
      { force: false, from_leader: false },
      { force: true, from_leader: false },
    ],
  )
  world.input = ['db1']
  assert.equal((await world.run('reinit', 'orders')).err, 'Error: db1 is not a member of cluster\n')
})

test('10 reinit waits for its end', async () => {
  const world = testWorld({ orders: ORDERS })
  const polls: Record<string, number> = {}
  world.answer = ({ method, url }) => {
    if (method === 'POST') return answered(200, 'reinitialize started')
    polls[url] = (polls[url] ?? 0) + 1
    const enough = url.includes('10.20.0.13') ? 1 : 3
    if (polls[url] === 2) return { kind: 'not sent', reason: 'connect ECONNREFUSED' }
    return answered(200, JSON.stringify({ state: polls[url] >= enough ? 'running' : 'creating replica' }))
  }
  const { out } = await world.run('reinit', 'orders', 'db2', 'db3', '--force', '--from-leader', '--wait')
  assert.equal(
    below(out),
    `\
Success: reinitialize for member db2
Success: reinitialize for member db3
Waiting for reinitialize to complete on: db2, db3
Reinitialize is completed on: db3
Waiting for reinitialize to complete on: db2
Reinitialize is completed on: db2
`,
  )
})

test('8.12 while a member is copied a live line tells how far it is, and until when it is waited for', async () => {
  const world = testWorld({ orders: ORDERS })
  world.showsProgress = true
  let polls = 0
  world.answer = ({ method }) => {
    if (method === 'POST') return answered(200, 'reinitialize started')
    polls += 1
    const clone = polls === 1 ? { done_bytes: 0 } : { done_bytes: 1_610_612_736, total_bytes: 6_442_450_944 }
    return answered(200, JSON.stringify({ role: 'replica', state: polls < 4 ? 'creating replica' : 'running', clone }))
  }
  const { out, err } = await world.run('reinit', 'orders', 'db2', '--force', '--wait')
  assert.match(out, /Reinitialize is completed on: db2\n$/)
  assert.match(err, /db2: replica, creating replica, 0 bytes \(\d+ s of at most 86400 s\)/)
  assert.match(err, /db2: replica, creating replica, 1\.5 GB of 6\.0 GB \(25%\) \(\d+ s of at most 86400 s\)/)
})

test('8.12 waiting ends after the time that was given for it, and says that the copy goes on', async () => {
  const world = testWorld({ orders: ORDERS })
  world.answer = ({ method }) =>
    method === 'POST'
      ? answered(200, 'reinitialize started')
      : answered(200, JSON.stringify({ state: 'creating replica', clone: { done_bytes: 2048, total_bytes: 4096 } }))
  const { code, err } = await world.run(
    '--strict',
    'reinit',
    'orders',
    'db2',
    '--force',
    '--wait',
    '--wait-limit',
    '20',
  )
  assert.match(
    err,
    /Not finished after 20 seconds: db2: creating replica, 2\.0 kB of 4\.0 kB \(50%\)\. It goes on by itself\n$/,
  )
  assert.equal(code, 3)
})

test('8.12 waiting ends when a member stays silent', async () => {
  const world = testWorld({ orders: ORDERS })
  world.answer = ({ method }) => (method === 'POST' ? answered(200, '') : { kind: 'not sent', reason: 'gone' })
  const { code, err } = await world.run('--strict', 'reinit', 'orders', 'db2', '--force', '--wait')
  assert.match(err, /Member db2 has not answered for 300 seconds, no longer waiting for it\n$/)
  assert.equal(code, 3)
})

test('10 version: the tool, then members', async () => {
  const world = testWorld({ orders: ORDERS })
  assert.equal((await world.run('version')).out, 'patronictl version 4.1.4\n')
  world.answer = ({ url }) => {
    if (url.includes('10.20.0.13')) return { kind: 'not sent', reason: 'connect ECONNREFUSED' }
    const server = url.includes('10.20.0.11') ? { server_version: 160004 } : { server_version: 90624 }
    return answered(200, JSON.stringify({ patroni: { version: '4.1.4' }, ...server }))
  }
  assert.equal(
    (await world.run('version', 'orders')).out,
    `\
patronictl version 4.1.4

db1: Patroni 4.1.4 PostgreSQL 16.4
db2: Patroni 4.1.4 PostgreSQL 9.6.24
db3: failed to get version: connect ECONNREFUSED (nothing listens there: does it run, and is this its address?)
`,
  )
  assert.equal(world.sent[0]?.url, 'https://10.20.0.11:8008/patroni')
})

test('10 flush: a scheduled restart, a scheduled switchover', async () => {
  const db2 = memberKey('10.20.0.12', { scheduled_restart: { schedule: '2030-05-01T12:00:00+00:00' } })
  const world = testWorld({ orders: { ...ORDERS, 'members/db2': db2 } })
  world.answer = () => answered(200, 'scheduled restart deleted')
  assert.equal(
    below((await world.run('flush', 'orders', 'db1', 'db2', 'restart', '--force')).out),
    'No scheduled restart for member db1\nSuccess: flush scheduled restart for member db2\n',
  )
  assert.equal((await world.run('flush', 'orders', 'switchover')).out, 'No pending scheduled switchover\n')
  const failover = { leader: 'db1', member: 'db2', scheduled_at: '2030-05-01T22:00:00+02:00' }
  world.clusters.set('orders', { ...ORDERS, failover })
  world.answer = () => answered(200, 'scheduled switchover deleted')
  assert.equal((await world.run('flush', 'orders', 'switchover')).out, 'Success: scheduled switchover deleted\n')
  world.answer = () => ({ kind: 'not sent', reason: 'connect ECONNREFUSED' })
  const { out, code } = await world.run('flush', 'orders', 'switchover')
  assert.equal(out, '2030-05-01 10:14:36.13900 Could not find any accessible member of cluster orders\n')
  assert.equal(code, 0)
  assert.deepEqual(world.written, [
    { cluster: 'orders', key: 'failover', value: { leader: null, candidate: null, scheduledAt: null } },
  ])
})

test('8.3 dsn: the leader, a role, a member', async () => {
  const world = testWorld({ orders: ORDERS })
  assert.equal((await world.run('dsn')).out, 'host=10.20.0.11 port=5432\n')
  assert.equal((await world.run('dsn', '-r', 'replica')).out, 'host=10.20.0.12 port=5432\n')
  assert.equal((await world.run('dsn', '-m', 'db3')).out, 'host=10.20.0.13 port=5432\n')
  assert.equal((await world.run('dsn', '-m', 'db9')).err, 'Error: Can not find a suitable member\n')
  assert.equal((await world.run('dsn', '-r', 'standby-leader')).err, 'Error: Can not find a suitable member\n')
  const both = await world.run('dsn', '-m', 'db3', '-r', 'any')
  assert.equal(both.err, 'Error: --role and --member are mutually exclusive options\n')
})

test('restart --wait ends when the members are in service', async () => {
  const world = testWorld({ orders: ORDERS })
  let polls = 0
  world.answer = ({ method }) => {
    if (method === 'POST') return answered(200, 'restarted successfully')
    polls += 1
    const replication = polls < 3 ? 'in archive recovery' : 'streaming'
    const state = polls < 2 ? 'starting' : 'running'
    return answered(200, JSON.stringify({ role: 'replica', state, replication_state: replication }))
  }
  const { out } = await world.run('restart', 'orders', 'db2', '--force', '--wait')
  assert.equal(
    below(out),
    `\
Success: restart on member db2
Waiting for members to be in service again: db2
Member db2 is in service again
`,
  )
  assert.equal(polls, 2)
})
