import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePostmasterOptions } from './single-user.ts'

test('1.11 the options of the last start are those with a name and a value', () => {
  const text =
    '/usr/lib/postgresql/15/bin/postgres "-D" "/pg data" "--config-file=/pg data/postgresql.conf" "--port=5433" "--cluster_name=my demo" "--wal_log_hints=on"\n'
  assert.deepEqual(parsePostmasterOptions(text), { port: '5433', cluster_name: 'my demo', wal_log_hints: 'on' })
})

test('1.11 a missing or damaged file has none', () => {
  for (const text of ['', '"', '/bin/postgres']) assert.deepEqual(parsePostmasterOptions(text), {})
})
