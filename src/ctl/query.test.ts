import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SqlAnswer } from './sql/client.ts'
import { environmentKeywords, serviceKeywords } from './sql/keywords.ts'
import { jsonValue, printValue } from './sql/values.ts'
import { ORDERS, testWorld } from './testing/world.ts'

process.env['TZ'] = 'UTC'

const ROW: SqlAnswer = {
  kind: 'rows',
  columns: [
    { name: 'id', typeOid: 23 },
    { name: 'ok', typeOid: 16 },
    { name: 'note', typeOid: 25 },
  ],
  rows: [['7', 't', null]],
}

/** Servers by host: what they answer; whether they are standbys. */
function servers(world: ReturnType<typeof testWorld>, answers: Readonly<Record<string, SqlAnswer>>): string[] {
  const asked: string[] = []
  world.connect = ({ host = '', user = '', dbname = '', fallback_application_name: name = '' }) => {
    asked.push(`${user}@${host}/${dbname} ${name}`)
    const answer = answers[host]
    if (!answer) return { kind: 'failed', sqlState: null, message: 'connection refused\nreally' }
    const recovery = host === '10.20.0.11' ? 'f' : 't'
    return {
      kind: 'connected',
      session: {
        run: async (sql) =>
          sql.includes('pg_is_in_recovery') ? { kind: 'rows', columns: [], rows: [[recovery]] } : answer,
        close: () => {},
      },
    }
  }
  return asked
}

test('10 query prints the worked examples', async () => {
  const world = testWorld({ orders: ORDERS })
  const asked = servers(world, {
    '10.20.0.11': { kind: 'failed', sqlState: '42601', message: 'syntax' },
    '10.20.0.12': ROW,
  })
  const argv = ['query', '-U', 'app', '-d', 'shop', '-r', 'replica', '-c', 'select id, ok, note from t']
  assert.equal((await world.run(...argv, '--delimiter', ';')).out, 'id;ok;note\n7;True;None\n')
  assert.deepEqual(asked, ['app@10.20.0.12/shop Patroni ctl'])
  const failed = await world.run('query', '-c', 'selec 1')
  assert.deepEqual([failed.code, failed.out], [0, '2030-05-01 10:14:36\tERROR, SQLSTATE: 42601\n'])
  assert.match(failed.err, /- WARNING - syntax\n$/, 'what the server said is for people')
  const json = await world.run('query', '-c', 'selec 1', '--format', 'json')
  assert.deepEqual(json.out, '[{}]\n')
  assert.match(json.err, /- WARNING - ERROR, SQLSTATE: 42601\n$/)
})

test('8.4 every format, of rows and of failures', async () => {
  const world = testWorld({ orders: ORDERS })
  servers(world, { '10.20.0.11': ROW })
  const out = async (...argv: string[]) => (await world.run('query', '-c', 'x', ...argv)).out
  assert.equal(await out('--format', 'json'), '[{"id": 7, "ok": true, "note": null}]\n')
  assert.equal(await out('--format', 'yml'), '- id: 7\n  note: null\n  ok: true\n\n')
  assert.equal(
    await out('--format=pretty'),
    '+----+------+------+\n| id | ok   | note |\n+----+------+------+\n| 7  | True | None |\n+----+------+------+\n',
  )
  assert.equal(await out('--format', 'xml'), '')
  const failing = async (format: string) => out('-m', 'db9', '--format', format)
  assert.equal(await failing('json'), '[{}]\n')
  assert.equal(await failing('yaml'), '- {}\n\n')
  assert.match(
    await failing('pretty'),
    /\| Field 1 +\| Field 2 +\|\n.*\n\| 2030-05-01 10:14:36 \| No connection to member db9 is available \|/,
  )
})

test('8.4 nobody to ask, servers that are not what was asked for, statements without a result', async () => {
  const world = testWorld({ orders: ORDERS, x: {} })
  const asked = servers(world, { '10.20.0.11': ROW, '10.20.0.12': { kind: 'nothing to fetch' }, '10.20.0.13': ROW })
  const message = async (...argv: string[]) => (await world.run('query', ...argv, '-c', 'x')).out.split('\t')[1]
  assert.equal(await message('x'), 'No connection is available\n')
  assert.equal(await message('x', '-r', 'primary'), "No connection to role 'primary' is available\n")
  assert.equal(await message('-m', 'db2'), 'ERROR, SQLSTATE: no results to fetch\n')
  // The store still takes db2 for the leader: the server itself knows better.
  world.clusters.set('orders', { ...ORDERS, leader: 'db2' })
  assert.equal(await message('-r', 'primary'), "No connection to role 'primary' is available\n")
  asked.length = 0
  assert.match((await world.run('query', '-r', 'replica', '-c', 'x')).out, /^id\tok/)
  assert.deepEqual(
    asked.map((one) => one.slice(0, 11)),
    ['@10.20.0.11', '@10.20.0.13'],
  )
  servers(world, {})
  assert.equal(await message(), 'ERROR, SQLSTATE: connection refused really\n')
})

test('8.4 what contradicts itself or is missing', async () => {
  const world = testWorld({ orders: ORDERS })
  const err = async (...argv: string[]) => (await world.run('query', ...argv)).err
  assert.equal(await err('-c', 'x', '-f', 'y'), 'Error: --file and --command are mutually exclusive options\n')
  assert.equal(await err('-r', 'any', '-m', 'y'), 'Error: --role and --member are mutually exclusive options\n')
  assert.equal(await err(), 'Error: You need to specify either --command or --file\n')
})

test('8.4 watching a query sees a failover', async () => {
  const world = testWorld({ orders: ORDERS })
  const asked = servers(world, { '10.20.0.11': ROW, '10.20.0.12': ROW })
  world.onWait = (waitedMs) => {
    world.clusters.set('orders', { ...ORDERS, leader: 'db2' })
    if (waitedMs > 2000) throw new Error('end of the test')
  }
  world.input = ['secret']
  const { out } = await world.run('query', '-W', '-c', 'x', '--password')
  assert.equal(out, 'Password: id\tok\tnote\n7\tTrue\tNone\nid\tok\tnote\n7\tTrue\tNone\n')
  assert.deepEqual(
    asked.map((one) => one.slice(0, 11)),
    ['@10.20.0.11', '@10.20.0.12'],
  )
})

const VALUES: readonly (readonly [text: string, oid: number, printed: string, json: unknown])[] = [
  ['9007199254740993', 20, '9007199254740993', '9007199254740993'],
  ['1', 701, '1.0', 1],
  ['0.1', 701, '0.1', 0.1],
  ['1e+16', 701, '1e+16', 1e16],
  ['123456789012345', 701, '123456789012345.0', 123456789012345],
  ['1e-05', 701, '1e-05', 1e-5],
  ['0.0001', 700, '0.0001', 0.0001],
  ['-0', 701, '-0.0', -0],
  ['NaN', 701, 'nan', 'NaN'],
  ['-Infinity', 701, '-inf', '-Infinity'],
  ['1.50', 1700, '1.50', '1.50'],
  ['1.5', 1700, '1.5', 1.5],
  ['2030-05-01', 1082, '2030-05-01', '2030-05-01'],
  ['2030-05-01 10:17:34.5', 1114, '2030-05-01 10:17:34.500000', '2030-05-01 10:17:34.5'],
  ['2030-05-01 10:17:34+02', 1184, '2030-05-01 10:17:34+02:00', '2030-05-01 10:17:34+02'],
  ['2030-05-01 10:17:34.25+05:30', 1184, '2030-05-01 10:17:34.250000+05:30', '2030-05-01 10:17:34.25+05:30'],
  ['1 day 02:03:04', 1186, '1 day, 2:03:04', '1 day 02:03:04'],
  ['1 year 2 mons -3 days', 1186, '422 days, 0:00:00', '1 year 2 mons -3 days'],
  ['-01:00:00', 1186, '-1 day, 23:00:00', '-01:00:00'],
  ['00:00:00.000001', 1186, '0:00:00.000001', '00:00:00.000001'],
  ['{1,2}', 1007, '[1, 2]', [1, 2]],
  ['{a,NULL,"b \\"c\\"",""}', 1009, `['a', None, 'b "c"', '']`, ['a', null, 'b "c"', '']],
  [
    '{{1,2},{3,4}}',
    1016,
    '[[1, 2], [3, 4]]',
    [
      [1, 2],
      [3, 4],
    ],
  ],
  ['[0:1]={t,f}', 1000, '[True, False]', [true, false]],
  ['{}', 1009, '[]', []],
  ['{1.50}', 1231, "[Decimal('1.50')]", ['1.50']],
  ['{"a": 1, "b": [true, null, "x"]}', 3802, "{'a': 1, 'b': [True, None, 'x']}", { a: 1, b: [true, null, 'x'] }],
  ['{"{\\"a\\": 1}"}', 3807, "[{'a': 1}]", [{ a: 1 }]],
  ['{broken', 1009, '{broken', '{broken'],
]

for (const [text, oid, printed, json] of VALUES) {
  test(`8.4 the value ${text} of type ${oid}`, () => {
    assert.equal(printValue(text, oid), printed)
    assert.deepEqual(jsonValue(text, oid), json)
  })
}

test('8.4 connections follow the variables of libpq, a service before them', () => {
  const env = { PGUSER: 'u', PGPASSWORD: 'p', PGSSLMODE: '', PGHOST: 'never' }
  assert.deepEqual(environmentKeywords(env, { user: 's' }), { user: 's', password: 'p' })
  const file = '# comment\n[one]\nhost=h\n[two]\n user = me\n# no\ndbname=d=e\n\n[three]\nuser=x'
  assert.deepEqual(serviceKeywords(file, 'two'), { user: 'me', dbname: 'd=e' })
  assert.equal(serviceKeywords(file, 'four'), null)
})
