import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { leaveRoot, newCluster, type TestCluster } from '../../test/support/postgres.ts'
import { systemClock } from '../system/clock.ts'
import type { SqlSession } from './sql/client.ts'
import { pgClient } from './sql/pg-client.ts'
import { printValue } from './sql/values.ts'

let cluster: TestCluster
let session: SqlSession

const connect = (keywords: Record<string, string>, env: NodeJS.ProcessEnv = {}) =>
  pgClient(env, systemClock).connect({ host: '127.0.0.1', port: String(cluster.port), ...keywords })

before(async () => {
  await leaveRoot()
  cluster = await newCluster()
  await cluster.start()
  const connected = await connect({ user: 'postgres' }, { PGOPTIONS: '-c timezone=UTC' })
  if (connected.kind === 'failed') assert.fail(connected.message)
  session = connected.session
})

after(async () => {
  session.close()
  await cluster.remove()
})

async function texts(sql: string): Promise<readonly (readonly string[])[]> {
  const answer = await session.run(sql)
  if (answer.kind !== 'rows') assert.fail(JSON.stringify(answer))
  return answer.rows.map((row) => row.map((value, i) => printValue(value, answer.columns[i]?.typeOid ?? 0)))
}

test('8.4 values as PostgreSQL sends them', async () => {
  const sql = `select 7, true, null, 1::float8, 0.1::float4, 1e16::float8, 1.50::numeric, 'x'::text,
    date '2030-05-01', timestamp '2030-05-01 10:17:34.5', timestamptz '2030-05-01 10:17:34+02',
    interval '1 day 2:03:04', array[1,2], array['a',null], '{"a": 1}'::jsonb, '10.0.0.1'::inet`
  const printed = (await texts(sql))[0]?.join(' | ')
  assert.equal(
    printed,
    "7 | True | None | 1.0 | 0.1 | 1e+16 | 1.50 | x | 2030-05-01 | 2030-05-01 10:17:34.500000 | 2030-05-01 08:17:34+00:00 | 1 day, 2:03:04 | [1, 2] | ['a', None] | {'a': 1} | 10.0.0.1",
  )
})

test('8.4 several statements: the last one answers; columns of one name stay apart', async () => {
  assert.deepEqual(await session.run('create table t (a int); insert into t values (1)'), { kind: 'nothing to fetch' })
  assert.deepEqual(await texts('insert into t values (2); select a, a from t order by 1'), [
    ['1', '1'],
    ['2', '2'],
  ])
  assert.deepEqual(await texts('select a from t where false'), [])
})

test('8.4 errors have their SQLSTATE, failures to connect their text', async () => {
  const answer = await session.run('selec 1')
  assert.equal(answer.kind === 'failed' && answer.sqlState, '42601')
  const unknown = await connect({ user: 'postgres', dbname: 'nowhere' })
  assert.equal(unknown.kind === 'failed' && unknown.sqlState, '3D000')
  const refused = await connect({ user: 'postgres', port: '1' })
  assert.match(refused.kind === 'failed' && refused.sqlState === null ? refused.message : '', /ECONNREFUSED/)
  const demanded = await connect({ user: 'postgres', sslmode: 'require' })
  assert.match(demanded.kind === 'failed' ? demanded.message : '', /SSL/)
})

test('8.4 a server that wants a password gets the one of the variable, else says that there is none', async () => {
  await session.run("set password_encryption = 'scram-sha-256'; create role app login password 'open sesame'")
  const hba = join(cluster.dataDir, 'pg_hba.conf')
  writeFileSync(hba, `host all app all scram-sha-256\n${readFileSync(hba, 'utf8')}`)
  await session.run('select pg_reload_conf()')
  // The postmaster reads the file again when it gets to it.
  let none = await connect({ user: 'app', dbname: 'postgres' })
  for (let i = 0; i < 50 && none.kind === 'connected'; i += 1) {
    none.session.close()
    await new Promise((resolve) => setTimeout(resolve, 100))
    none = await connect({ user: 'app', dbname: 'postgres' })
  }
  assert.equal(none.kind === 'failed' && none.message, 'fe_sendauth: no password supplied')
  const given = await connect({ user: 'app', dbname: 'postgres' }, { PGPASSWORD: 'open sesame' })
  assert.equal(given.kind, 'connected')
  if (given.kind === 'connected') given.session.close()
  const wrong = await connect({ user: 'app', dbname: 'postgres', password: 'x' })
  assert.equal(wrong.kind === 'failed' && wrong.sqlState, '28P01')
})

test('8.4 the database defaults to the name of the user', async () => {
  const connected = await connect({}, { PGUSER: 'postgres' })
  if (connected.kind === 'failed') assert.fail(connected.message)
  const answer = await connected.session.run('select current_database(), current_user')
  connected.session.close()
  assert.deepEqual(answer.kind === 'rows' && answer.rows, [['postgres', 'postgres']])
})
